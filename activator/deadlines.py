"""Deadlines of the requests of one revision, with one timer for all of them.

Knows when an item began and how long it may take; not what it is. All requests of a revision have the
same limits, so the order of arrival is the order of the deadlines and nothing needs sorting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from swell.runtime.clock import Cancellable, Clock


# Event loops round timers to milliseconds; one that fires early must not spin.
STEP_S: Final = 0.001


class Begun(Protocol):
    """Something with a start. `started_s` is on the clock's monotonic scale."""

    @property
    def started_s(self) -> float: ...


W = TypeVar("W", bound=Begun)


class Deadlines(Generic[W]):
    """Calls `on_late(item)` once `head_s` after its start, and again after `total_s` if it still runs.

    Starting and ending an item costs one dict operation. The timer runs only while something is in
    flight; at most one is armed. `len()` is the number of items in flight.
    """

    __slots__ = ("_clock", "_fresh", "_long", "_on_late", "_timer", "head_s", "total_s")

    def __init__(self, clock: Clock, head_s: float, total_s: float, on_late: Callable[[W], None]) -> None:
        self._clock = clock
        self.head_s = min(head_s, total_s)
        self.total_s = total_s
        self._on_late = on_late
        self._fresh: dict[W, None] = {}
        self._long: dict[W, None] = {}
        self._timer: Cancellable | None = None

    def __len__(self) -> int:
        return len(self._fresh) + len(self._long)

    def set_limits(self, head_s: float, total_s: float) -> None:
        """Other limits from now on, also for what is in flight."""
        self.head_s = min(head_s, total_s)
        self.total_s = total_s
        self._rearm()

    def begin(self, item: W) -> None:
        self._fresh[item] = None
        if self._timer is None:
            self._rearm()

    def end(self, item: W) -> None:
        """The item is done; ending it twice is harmless. The timer stays until it fires."""
        if self._fresh.pop(item, self) is self:
            self._long.pop(item, None)

    def items(self) -> list[W]:
        """What is in flight, oldest first."""
        return [*self._long, *self._fresh]

    def close(self) -> None:
        """Forget everything and stop the timer."""
        self._fresh.clear()
        self._long.clear()
        self._rearm()

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.now()
        past_total = _older(self._long, now - self.total_s)
        past_head = _older(self._fresh, now - self.head_s)
        for item in past_total:
            del self._long[item]
        for item in past_head:
            del self._fresh[item]
            if item.started_s + self.total_s > now:
                self._long[item] = None
        # The oldest last: what they have to themselves is not to be given to another that is late as well.
        for item in reversed((*past_total, *past_head)):
            self._on_late(item)
        if self._timer is None:
            self._rearm()

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [
            item.started_s + limit_s
            for waiting, limit_s in ((self._fresh, self.head_s), (self._long, self.total_s))
            if (item := next(iter(waiting), None)) is not None
        ]
        if due:
            self._timer = self._clock.call_later(max(STEP_S, min(due) - self._clock.now()), self._fire)


def _older(items: dict[W, None], started_until_s: float) -> list[W]:
    found = []
    for item in items:
        if item.started_s > started_until_s:
            break
        found.append(item)
    return found
