"""Scheduled floors of all revisions that have one: what is in force, and a timer for the next change of any.

Knows schedules, and pods as JSON; not what a floor does. Revisions without a schedule cost nothing, those with one
cost nothing between its times. What is in force follows from the time and the entries alone, so a restart loses
nothing but measured start times, and the pods that are there tell those again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from autoscaler.decision.schedule import NO_FLOOR, Floor, Schedule
from autoscaler.pods import State, owner_of, state_of
from swell.api.meta import Key, Obj, condition_of, parse_rfc3339
from swell.api.schedule import ScheduleEntry
from swell.runtime.clock import Cancellable, Clock

START_DEFAULT_S: Final = 30.0
"""How long a pod is taken to need as long as none of the revision was seen to start."""
START_MAX_S: Final = 600.0
LEAD_MAX_S: Final = 3600
# From the decision to the pod: two writes and two watches.
MARGIN_S: Final = 1.0
STARTS_MAX: Final = 32
# Clocks are set: the time of day may come earlier than the timer thinks.
LOOK_AGAIN_S: Final = 60.0
BACKWARDS_S: Final = 1.0


class Schedules:
    """The floor of each revision by name.

    `wake(keys)` is called when floors have changed by the time; `pods(revision)` are those there are of one, and
    `takes_s(pods, start_s)` how long so many starts take that take so long each.
    """

    def __init__(
        self,
        clock: Clock,
        wake: Callable[[list[Key]], object],
        pods: Callable[[Key], Iterable[Obj]],
        takes_s: Callable[[int, float], float],
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._pods = pods
        self._takes_s = takes_s
        self._scheduled: dict[Key, _Scheduled] = {}
        self._timer: Cancellable | None = None
        self._timer_s = math.inf
        self._looked_s = -math.inf

    def __len__(self) -> int:
        return len(self._scheduled)

    def set(self, key: Key, entries: tuple[ScheduleEntry, ...]) -> None:
        """A revision has this schedule from now on; none without entries. The caller acts on the floor."""
        known = self._scheduled.get(key)
        if not entries:
            self._scheduled.pop(key, None)
            return
        if known is not None and known.schedule.entries == entries:
            return
        self._scheduled[key] = scheduled = _Scheduled(Schedule(entries))
        if known is not None:
            scheduled.starts = known.starts
        else:
            for pod in self._pods(key):
                if state_of(pod) is State.READY:
                    scheduled.starts.ready(pod, self._clock.wall())
        scheduled.look(self._clock.wall(), self._takes_s)
        self._set_timer(scheduled.floor.until_s)

    def floor(self, key: Key) -> Floor:
        """What is in force now."""
        scheduled = self._scheduled.get(key)
        return NO_FLOOR if scheduled is None else scheduled.floor

    def lead_s(self, key: Key) -> float:
        """How long a pod of the revision is taken to need until it is ready; NaN without a schedule."""
        scheduled = self._scheduled.get(key)
        return math.nan if scheduled is None else scheduled.starts.usual_s

    def pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        """Take in one event of a pod: how long it took to get ready, or that it is gone."""
        obj = new if new is not None else old
        scheduled = self._of(obj)
        if scheduled is None or obj is None:
            return
        if new is None:
            scheduled.starts.gone(obj)
        elif state_of(new) is State.READY:
            self._ready(scheduled, new)

    def pod_proven(self, pod: Obj) -> None:
        """A pod answers, though Kubernetes does not say so yet."""
        scheduled = self._of(pod)
        if scheduled is not None:
            self._ready(scheduled, pod)

    def close(self) -> None:
        """Stop for good."""
        self._scheduled.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _of(self, pod: Obj | None) -> _Scheduled | None:
        owner = owner_of(pod) if pod is not None and self._scheduled else None
        return self._scheduled.get(owner.revision) if owner is not None else None

    def _ready(self, scheduled: _Scheduled, pod: Obj) -> None:
        if scheduled.starts.ready(pod, self._clock.wall()):
            scheduled.looked_s = math.inf  # with another lead, what is in force is to be found out anew
            self._set_timer(self._clock.wall())

    def _set_timer(self, due_s: float) -> None:
        now_s = self._clock.wall()
        due_s = min(due_s, now_s + LOOK_AGAIN_S)
        if self._timer is not None:
            if self._timer_s <= due_s:
                return
            self._timer.cancel()
        self._timer_s = due_s
        self._timer = self._clock.call_later(max(0.001, due_s - now_s), self._look)

    def _look(self) -> None:
        """Tell of those whose floor has changed, and come back for the next."""
        self._timer = None
        now_s = self._clock.wall()
        back = now_s < self._looked_s - BACKWARDS_S
        self._looked_s = now_s
        changed = []
        for key, scheduled in self._scheduled.items():
            if back or not scheduled.looked_s <= now_s < scheduled.floor.until_s:
                before = scheduled.floor.replicas
                scheduled.look(now_s, self._takes_s)
                if scheduled.floor.replicas != before:
                    changed.append(key)
        if self._scheduled:
            self._set_timer(min(scheduled.floor.until_s for scheduled in self._scheduled.values()))
        if changed:
            self._wake(changed)


class _Scheduled:
    """One revision's schedule, what was in force when it was looked at last, and how its pods start."""

    __slots__ = ("floor", "looked_s", "schedule", "starts")

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.starts = Starts()
        self.floor = NO_FLOOR
        self.looked_s = math.inf

    def look(self, now_s: float, takes_s: Callable[[int, float], float]) -> None:
        start_s = self.starts.usual_s

        def lead_s(replicas: int) -> int:
            return min(LEAD_MAX_S, math.ceil(takes_s(replicas, start_s) + MARGIN_S))

        self.floor = self.schedule.floor(now_s, lead_s)
        self.looked_s = now_s


class Starts:
    """How long the pods of one revision took from being made to being ready: the last so many.

    Kubernetes writes whole seconds, so that they come out up to a second too long.
    """

    def __init__(self) -> None:
        self._took_s: deque[float] = deque(maxlen=STARTS_MAX)
        self._ready: set[str] = set()

    @property
    def usual_s(self) -> float:
        """What nine of ten did not exceed."""
        if not self._took_s:
            return START_DEFAULT_S
        return sorted(self._took_s)[math.ceil(0.9 * len(self._took_s)) - 1]

    def ready(self, pod: Obj, now_s: float) -> bool:
        """A pod is ready; whether that changes what is usual. Only its first readiness tells of its start."""
        meta = pod["metadata"]
        if meta["uid"] in self._ready:
            return False
        self._ready.add(meta["uid"])
        before = self.usual_s
        took_s = _ready_s(pod, now_s) - parse_rfc3339(meta["creationTimestamp"])
        self._took_s.append(min(max(took_s, 0.0), START_MAX_S))
        return self.usual_s != before

    def gone(self, pod: Obj) -> None:
        """A pod is no more."""
        self._ready.discard(pod["metadata"]["uid"])


def _ready_s(pod: Obj, now_s: float) -> float:
    """When it became ready: by Kubernetes, up to the second that its time was cut to; else now."""
    ready = condition_of(pod)
    if ready.get("status") != "True" or not ready.get("lastTransitionTime"):
        return now_s
    return min(now_s, parse_rfc3339(ready["lastTransitionTime"]) + 1.0)
