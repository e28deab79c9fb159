"""Events that wait until the work they tell of has gone through: a cold start does not wait for its own story."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from swell.api.meta import Obj
from swell.kube.events import EventKind, Recorder
from swell.runtime.clock import Clock

PAUSE_S: Final = 0.25
WAITING_MAX: Final = 1000


class Announcer:
    """Writes Events a moment later, in order; of too many the oldest are dropped."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._waiting: deque[tuple[Obj, EventKind, str, str]] = deque(maxlen=WAITING_MAX)
        self._any = asyncio.Event()

    def tell(self, obj: Obj, reason: str, message: str, *, warning: bool = False) -> None:
        self._waiting.append((obj, "Warning" if warning else "Normal", reason, message))
        self._any.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._any.wait()
            await self._clock.sleep(PAUSE_S)
            self._any.clear()
            while self._waiting:
                await self._recorder.event(*self._waiting.popleft())
                await asyncio.sleep(0)
