"""Time as an argument: what programs take instead of calling `time` themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Cancellable(Protocol):
    """A timer that can be called off; calling it off twice, or after it ran, does nothing."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Monotonic and wall time in seconds, and ways to wait."""

    def now(self) -> float:
        """Monotonic seconds: for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Unix seconds: for time stamps that others read."""
        ...

    async def sleep(self, delay_s: float) -> None: ...

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Cancellable: ...


class SystemClock:
    """The real time, on the running event loop."""

    # Not methods that call them: the request path asks for the time with every request.
    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Cancellable:
        return asyncio.get_running_loop().call_later(delay_s, callback)
