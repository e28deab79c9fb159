"""Answers that have stopped coming: one sweep for all requests in flight (spec dataplane 3.5).

Knows how much each item has sent and since when; not what it is. A tunnel's bytes count as well (section 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from swell.runtime.clock import Cancellable, Clock

# An item is found idle at most this share of its limit late.
SWEEPS_PER_LIMIT: Final = 20


class Sending(Protocol):
    """Something with a start, on the clock's monotonic scale, that sends bytes from time to time."""

    @property
    def started_s(self) -> float: ...

    @property
    def sent_bytes(self) -> int: ...


W = TypeVar("W", bound=Sending)


class Idle(Generic[W]):
    """Calls `on_idle(item)` once the item has sent nothing for `limit_s`, from its start or its last byte on.

    `items()` are those in flight. `begin` is to be told of each new one; that one is over needs no telling. The timer
    runs only while something is in flight.
    """

    __slots__ = ("_clock", "_items", "_on_idle", "_seen", "_sweep_s", "_timer", "limit_s")

    def __init__(
        self, clock: Clock, limit_s: float, items: Callable[[], Iterable[W]], on_idle: Callable[[W], object]
    ) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._items = items
        self._on_idle = on_idle
        self._sweep_s = limit_s / SWEEPS_PER_LIMIT
        # Of those that were in flight at the last sweep: what each had sent, and since when.
        self._seen: dict[W, tuple[int, float]] = {}
        self._timer: Cancellable | None = None

    def begin(self) -> None:
        if self._timer is None:
            self._timer = self._clock.call_later(self._sweep_s, self._sweep)

    def close(self) -> None:
        """Forget everything and stop the timer."""
        self._seen.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now_s = self._clock.now()
        before, self._seen = self._seen, {}
        idle = []
        for item in self._items():
            sent, since_s = before.get(item) or (0, item.started_s)
            if item.sent_bytes != sent:
                sent, since_s = item.sent_bytes, now_s
            self._seen[item] = sent, since_s
            if now_s - since_s >= self.limit_s:
                idle.append(item)
        if self._seen:
            self.begin()
        for item in idle:
            self._on_idle(item)
