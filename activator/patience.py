"""How long the requests of one line wait, and why nothing may come of it. Knows a line and a clock, not pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activator import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from activator.admission.buffer import Line
    from activator.gateway import Target
    from activator.proxy.exchange import Exchange
    from activator.proxy.replies import Answer
    from activator.settings import Settings
    from swell.runtime.clock import Cancellable, Clock

# Those whose patience ends within so short a time are answered together.
STEP_S: Final = 0.01


class Patience:
    """Sees to it that nobody waits longer than he may.

    `cause()` says why no pod can be expected, or "": with one that has lasted so long a request waits for
    `failed_patience_s`, else for `wait_max_s`; 0 is as long as its deadlines let it. `dismiss(exchange, answer)` takes
    it out of the line.
    """

    __slots__ = ("_cause", "_clock", "_dismiss", "_failed_s", "_line", "_since_s", "_target", "_timer", "_wait_max_s")

    def __init__(
        self,
        target: Target,
        settings: Settings,
        clock: Clock,
        line: Line[Exchange],
        cause: Callable[[], str],
        dismiss: Callable[[Exchange, Answer], None],
    ) -> None:
        self._target = target
        self._failed_s = settings.failed_patience_s
        self._wait_max_s = settings.wait_max_s
        self._clock = clock
        self._line = line
        self._cause = cause
        self._dismiss = dismiss
        # Since when there has been a cause. Much of what keeps a pod from starting is over at the next attempt.
        self._since_s: float | None = None
        self._timer: Cancellable | None = None

    def judge(self) -> None:
        """The line has begun or ended, or its prospects are others now."""
        self.close()
        cause = self._cause()
        if not cause:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = self._clock.now()
        longest = self._line.first()
        if longest is not None and (limit_s := self._limit_s(cause)):
            due_s = max(longest.started_s, self._since_s or longest.started_s) + limit_s - self._clock.now()
            self._timer = self._clock.call_later(max(STEP_S, due_s), self._give_up)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _limit_s(self, cause: str) -> float:
        return self._failed_s if cause else self._wait_max_s

    def _give_up(self) -> None:
        self._timer = None
        cause = self._cause()
        limit_s = self._limit_s(cause)
        since_s = self._clock.now() - limit_s
        while limit_s and (longest := self._line.first()) and longest.started_s <= since_s:
            as_json = answers.prefers_json(longest.named)
            if cause:
                answer = answers.failed_revision(self._target, cause, as_json)
            else:
                answer = answers.waited_too_long(self._target, limit_s, as_json)
            self._dismiss(longest, answer)
        self.judge()
