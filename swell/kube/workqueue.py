"""Keys waiting for a reconciler: each once, never in two hands, later if they failed."""

from __future__ import annotations

import asyncio
from typing import Final

from swell.api.meta import Key
from swell.kube.backoff import backoff_s
from swell.runtime.clock import Cancellable, Clock

RETRY_FIRST_S: Final = 0.005
RETRY_LAST_S: Final = 60.0


class Closed(Exception):
    """The queue was closed: there will be no more keys."""


class WorkQueue:
    """Keys in the order in which they came; a key that is there already is not added again.

    A key that is added while it is in hand comes again after `done`. It is never larger than the number of
    different keys.
    """

    def __init__(
        self, clock: Clock, *, retry_first_s: float = RETRY_FIRST_S, retry_last_s: float = RETRY_LAST_S
    ) -> None:
        self._clock = clock
        self._retry_first_s = retry_first_s
        self._retry_last_s = retry_last_s
        self._ready: asyncio.Queue[Key | None] = asyncio.Queue()
        self._wanted: set[Key] = set()
        self._in_hand: set[Key] = set()
        self._later: dict[Key, tuple[float, Cancellable]] = {}
        self._failures: dict[Key, int] = {}
        self._closed = False

    def __len__(self) -> int:
        """Keys that wait to be taken now."""
        return len(self._wanted)

    def add(self, key: Key) -> None:
        """Have `key` taken as soon as possible."""
        if self._closed or key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._in_hand:
            self._ready.put_nowait(key)

    def add_after(self, key: Key, delay_s: float) -> None:
        """Have `key` taken in `delay_s` seconds; of several such wishes for one key the earliest counts."""
        if self._closed:
            return
        if delay_s <= 0:
            self.add(key)
            return
        due_s = self._clock.now() + delay_s
        planned = self._later.get(key)
        if planned is not None:
            if planned[0] <= due_s:
                return
            planned[1].cancel()
        self._later[key] = due_s, self._clock.call_later(delay_s, lambda: self._due(key))

    async def get(self) -> Key:
        """The next key; whoever takes it must call `done`. Raises `Closed`."""
        key = await self._ready.get()
        if key is None:
            self._ready.put_nowait(None)  # for the next one who waits
            raise Closed
        self._wanted.discard(key)
        self._in_hand.add(key)
        return key

    def done(self, key: Key) -> None:
        """Give `key` back: it may be taken again."""
        self._in_hand.discard(key)
        if key in self._wanted:
            self._ready.put_nowait(key)

    def retry(self, key: Key) -> None:
        """Have `key` taken again after a pause that doubles with each retry until `forget`."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self.add_after(key, backoff_s(failures, self._retry_first_s, self._retry_last_s))

    def forget(self, key: Key) -> None:
        """The next `retry` of `key` starts with a short pause again."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Drop all keys and timers; whoever waits in `get` is told."""
        self._closed = True
        for _, timer in self._later.values():
            timer.cancel()
        self._later.clear()
        self._wanted.clear()
        while not self._ready.empty():
            self._ready.get_nowait()
        self._ready.put_nowait(None)

    def _due(self, key: Key) -> None:
        self._later.pop(key, None)
        self.add(key)
