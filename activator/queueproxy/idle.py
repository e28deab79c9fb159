"""Answers that have stopped coming: one sweep for all requests in flight (spec dataplane 3.5).

Knows how much each item has sent and since when; not what it is. A tunnel's bytes count as well (section 6).
"""

from __future__ import annotations

from collections.abc import Callable
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

    The timer runs only while something is in flight.
    """

    __slots__ = ("_clock", "_last", "_on_idle", "_sweep_s", "_timer", "limit_s")

    def __init__(self, clock: Clock, limit_s: float, on_idle: Callable[[W], object]) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._on_idle = on_idle
        self._sweep_s = limit_s / SWEEPS_PER_LIMIT
        self._last: dict[W, tuple[int, float]] = {}
        self._timer: Cancellable | None = None

    def begin(self, item: W) -> None:
        self._last[item] = (0, item.started_s)
        if self._timer is None:
            self._timer = self._clock.call_later(self._sweep_s, self._sweep)

    def end(self, item: W) -> None:
        """The item is done; ending it twice is harmless."""
        self._last.pop(item, None)

    def close(self) -> None:
        """Forget everything and stop the timer."""
        self._last.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now_s = self._clock.now()
        for item, (sent, since_s) in list(self._last.items()):
            if item.sent_bytes != sent:
                self._last[item] = (item.sent_bytes, now_s)
            elif now_s - since_s >= self.limit_s and self._last.pop(item, None) is not None:
                self._on_idle(item)
        if self._last:
            self._timer = self._clock.call_later(self._sweep_s, self._sweep)
