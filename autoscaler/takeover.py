"""When to go on from where another autoscaler has stopped: once every activator has told what it remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from autoscaler.handover import Running
from autoscaler.pods import State, state_of
from autoscaler.revisions import Revisions
from swell.api.meta import Key, Obj
from swell.runtime import log
from swell.wire.history import History

logger = log.get(__name__)


class TakeOver:
    """Fills the windows from histories as they come, and hands over once, when that of each activator is in.

    Until then less may have been told than was reported, and nothing may be taken away for that. Which activators there
    are is what `expect` is told; where it is told none, as on one machine, one is all. `running()` are the revisions
    that have replicas, `now()` is the time that windows go by, and `tick()` decides for all.
    """

    def __init__(
        self,
        now: Callable[[], float],
        revisions: Revisions,
        running: Callable[[], Mapping[Key, Running]],
        tick: Callable[[], object],
    ) -> None:
        self._now = now
        self._revisions = revisions
        self._running = running
        self._tick = tick
        self._known_from_s: dict[str, float] = {}
        self._expected: set[str] = set()
        self.done = False

    def expect(self, pods: Iterable[Obj]) -> None:
        """The activators' pods. One that is about to end has reported still, and one that starts has not yet."""
        self._expected = {pod["metadata"]["name"] for pod in pods if state_of(pod) in (State.READY, State.TERMINATING)}
        self._finish()

    def told(self, history: History) -> None:
        """An activator has told its history."""
        now_s = self._now()
        self._revisions.recall(history.revisions, now_s)
        if self.done:
            return
        self._known_from_s[history.activator] = now_s - history.age_s
        self._finish()
        # More may be needed already, and nothing is taken away before it is known that it is not.
        self._tick()

    def _finish(self) -> None:
        if self.done or not self._known_from_s or not self._expected <= self._known_from_s.keys():
            return
        now_s, running = self._now(), self._running()
        # Before an activator's own time another may have been there: what is missing of any is missing.
        known_from_s = max(self._known_from_s.values())
        self._revisions.take_over(running, known_from_s, now_s)
        self.done = True
        logger.info("took over", revisions=len(running), known_s=round(now_s - known_from_s, 3))
