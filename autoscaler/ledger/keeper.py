"""When the ledger is saved and loaded: rarely, and never in the way of a decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from autoscaler.ledger.codec import Damaged, decode
from autoscaler.ledger.ledger import Ledger
from autoscaler.ledger.store import ConfigMapStore, Store
from swell.api.meta import Key
from swell.kube.client import KubeClient
from swell.kube.errors import KubeError
from swell.runtime import log
from swell.runtime.clock import Clock

LAST_SAVE_S: Final = 3.0
_FAILURES: Final = (OSError, KubeError)

logger = log.get(__name__)


def keeper(where: str, ledger: Ledger, kube: KubeClient, namespace: str, bucket: int, clock: Clock) -> Keeper | None:
    """For a ledger that is kept as the setting says; None if it is not."""
    if not where:
        return None
    return Keeper(ledger, ConfigMapStore(kube, namespace, bucket) if where == "configmap" else _file(where), clock)


def _file(path: str) -> Store:
    from autoscaler.ledger.file_store import FileStore

    return FileStore(Path(path))


class Keeper:
    """Keeps one ledger in one store: `load`, then `run` until cancelled, then `close`. A failure is logged only."""

    def __init__(self, ledger: Ledger, store: Store, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._saved = 0
        self._works = True

    async def load(self, knows: Callable[[Key], bool]) -> None:
        """Take in what was kept of the revisions that are there still."""
        try:
            pieces = await self._store.load()
        except _FAILURES as exc:
            logger.warning("what the ledger kept cannot be read", error=str(exc))
            self._works = not isinstance(exc, OSError)
            return
        for piece in pieces:
            try:
                rows, keys = decode(piece)
            except Damaged as exc:
                logger.warning("a part of the ledger is lost", error=str(exc))
                continue
            self._ledger.restore(rows, {life: key for life, key in keys.items() if knows(key)})
        self._saved = self._ledger.numbered

    async def run(self) -> None:
        """Save what is new, no oftener than the store likes."""
        while self._works:
            await self._clock.sleep(self._store.period_s)
            await self._save()

    async def close(self) -> None:
        """Save once more, if that works soon."""
        try:
            async with asyncio.timeout(LAST_SAVE_S):
                if self._works:
                    await self._save()
                await self._store.close()
        except TimeoutError:
            logger.warning("the ledger was not saved in time")

    async def _save(self) -> None:
        number = self._ledger.numbered
        if number == self._saved:
            return
        try:
            await self._store.save(self._ledger)
            self._saved = number
        except _FAILURES as exc:
            logger.warning("the ledger was not saved", error=str(exc))
