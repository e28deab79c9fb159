"""Requests whose app refuses connections: none of them has reached it, so they may wait for it to come back.

Knows items and time. One dial for all of them finds out when the app listens again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from swell.runtime.clock import Clock

W = TypeVar("W", bound=Hashable)

# How long a request waits from its first refusal on, before it is told of it.
PATIENCE_S: Final = 10.0
DIAL_FIRST_S: Final = 0.02
DIAL_LAST_S: Final = 0.05


class Hold(Generic[W]):
    """Who waits for the app. `again(item)` is called when it listens, `give_up(item, error)` when patience ends.

    `dial()` says whether the app listens now. An item that is refused once more is added again; its
    patience is counted from the first time. `since` has all that were refused and are not over.
    """

    def __init__(
        self,
        clock: Clock,
        dial: Callable[[], Awaitable[bool]],
        again: Callable[[W], object],
        give_up: Callable[[W, str], object],
    ) -> None:
        self._clock = clock
        self._dial = dial
        self._again = again
        self._give_up = give_up
        self.since: dict[W, float] = {}
        self._errors: dict[W, str] = {}
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._errors)

    def add(self, item: W, error: str) -> None:
        """The app refused this item, with this error."""
        self.since.setdefault(item, self._clock.now())
        self._errors[item] = error
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def discard(self, item: W) -> None:
        """The item is over, in whatever way; harmless for one that never was here."""
        self._errors.pop(item, None)
        self.since.pop(item, None)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        delay_s = DIAL_FIRST_S
        while self._errors:
            await self._clock.sleep(delay_s)
            delay_s = min(delay_s * 1.5, DIAL_LAST_S)
            self._dismiss()
            if await self._dial():
                self._release()

    def _release(self) -> None:
        """All go; each is here again at once if the app refuses it after all."""
        items = list(self._errors)
        self._errors.clear()
        for item in items:
            self._again(item)

    def _dismiss(self) -> None:
        until_s = self._clock.now() - PATIENCE_S
        for item, error in list(self._errors.items()):
            if self.since[item] <= until_s:
                self.discard(item)
                self._give_up(item, error)
