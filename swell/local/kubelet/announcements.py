"""Events about pods, written a little later and one after the other: a cold start must not wait for them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from swell.api.meta import Obj
from swell.kube.client import KubeClient
from swell.kube.events import EventKind, Recorder
from swell.runtime.clock import Clock

DELAY_S: Final = 0.25
WAITING_MAX: Final = 512


class Announcements:
    """A bounded line of Events; when it is full the oldest are dropped."""

    def __init__(self, kube: KubeClient, clock: Clock, component: str = "kubelet") -> None:
        self._recorder = Recorder(kube, component, clock)
        self._clock = clock
        self._waiting: deque[tuple[Obj, EventKind, str, str]] = deque(maxlen=WAITING_MAX)
        self._task: asyncio.Task[None] | None = None

    def tell(self, obj: Obj, kind: EventKind, reason: str, message: str) -> None:
        self._waiting.append((obj, kind, reason, message))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="events")

    async def close(self) -> None:
        """What was not written yet is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self) -> None:
        await self._clock.sleep(DELAY_S)
        while self._waiting:
            await self._recorder.event(*self._waiting.popleft())
