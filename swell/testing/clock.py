"""Time that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable


class _Timer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A `Clock` in virtual time. `advance` runs what falls due, in order, at the moment it is due."""

    def __init__(self, now_s: float = 0.0, wall_s: float = 1_700_000_000.0) -> None:
        self._now = now_s
        self._offset = wall_s - now_s
        self._due: list[tuple[float, int, _Timer]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + self._offset

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> _Timer:
        timer = _Timer(callback)
        heapq.heappush(self._due, (self._now + max(0.0, delay_s), next(self._order), timer))
        return timer

    async def sleep(self, delay_s: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, lambda: done.set_result(None))
        try:
            await done
        finally:
            timer.cancel()

    @property
    def pending(self) -> int:
        """Timers that are still to run."""
        return sum(timer.callback is not None for _, _, timer in self._due)

    def advance(self, delay_s: float) -> None:
        """Let that much time pass."""
        end_s = self._now + delay_s
        while self._due and self._due[0][0] <= end_s:
            at_s, _, timer = heapq.heappop(self._due)
            callback, timer.callback = timer.callback, None
            self._now = max(self._now, at_s)
            if callback is not None:
                callback()
        self._now = end_s

    async def pass_time(self, delay_s: float, *, step_s: float = 0.05) -> None:
        """Advance in steps, and let the tasks of the loop run between them."""
        end_s = self._now + delay_s
        while True:
            await settle()
            if self._now >= end_s:
                return
            self.advance(min(step_s, end_s - self._now))


async def settle(turns: int = 20) -> None:
    """Let every task that can run do so, for some turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
