"""The loop around a reconciler: the one place where results and errors become requeues."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from swell.api.meta import Key
from swell.kube.errors import AlreadyExists, Conflict, KubeError
from swell.kube.workqueue import WorkQueue
from swell.runtime import log
from swell.runtime.clock import Clock

Reconcile = Callable[[Key], Awaitable[float | None]]

GATHER_S: Final = 0.02
"""How long a change that matters to a status only may wait for others like it."""

logger = log.get(__name__)


class Controller:
    """Calls `reconcile(key)` for each key that is enqueued, one call at a time per key.

    `reconcile` looks at what is, never at what happened. A number that it returns asks to look again after so
    many seconds. `Conflict` and `AlreadyExists` mean that its view was old: it is called again shortly. Every
    other exception is logged, and it is called again after a pause that grows.
    """

    def __init__(self, name: str, reconcile: Reconcile, *, clock: Clock, workers: int = 2) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        """Reconciliations by how they ended: "done", "again" (its view was old) or "failed"."""
        self.busy_s = 0.0
        """How long they took together."""
        self._clock = clock
        self._reconcile = reconcile
        self._workers = workers
        self._queue = WorkQueue(clock)

    @property
    def depth(self) -> int:
        """Keys that wait to be reconciled now."""
        return len(self._queue)

    def enqueue(self, key: Key) -> None:
        """Have `key` reconciled as soon as possible."""
        self._queue.add(key)

    def enqueue_soon(self, key: Key) -> None:
        """Have `key` reconciled a moment later, once for many changes.

        For changes that matter to a status only: while a pod starts they come in swarms, and the machine has
        better things to do than to write each of them down.
        """
        self._queue.add_after(key, GATHER_S)

    def enqueue_after(self, key: Key, delay_s: float) -> None:
        """Have `key` reconciled in `delay_s` seconds at the latest."""
        self._queue.add_after(key, delay_s)

    async def run(self) -> None:
        """Work until cancelled; keys that are left then wait for the next `run`."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"{self.name} worker {number}")

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._process(key)
            except asyncio.CancelledError:
                self._queue.add(key)  # it was cut short: whoever runs next starts with it
                raise
            finally:
                self._queue.done(key)
            # With an API in this process nothing above may have waited: let others have their turn.
            await asyncio.sleep(0)

    async def _process(self, key: Key) -> None:
        started_s = self._clock.now()
        ended = "failed"
        try:
            again_s = await self._reconcile(key)
        except (Conflict, AlreadyExists) as exc:
            ended = "again"
            logger.debug("an old view, trying again", controller=self.name, key=key, error=exc.message)
            self._queue.retry(key)
        except KubeError as exc:
            logger.warning("the API refused, trying again", controller=self.name, key=key, error=exc.message)
            self._queue.retry(key)
        except Exception:
            logger.exception("a reconciliation failed, trying again", controller=self.name, key=key)
            self._queue.retry(key)
        else:
            ended = "done"
            self._queue.forget(key)
            if again_s is not None:
                self._queue.add_after(key, again_s)
        self.counts[ended] += 1
        self.busy_s += self._clock.now() - started_s
