"""Where the ledger is kept over a restart: a ConfigMap on Kubernetes, or a file (`file_store.py`) on one machine.

Both keep bytes of `codec.py`, and both are bounded. What is written here is what people are told later, nothing is
decided by it: without it scaling goes on.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Final, Protocol

from autoscaler.ledger.codec import encode
from autoscaler.ledger.ledger import Ledger
from swell.api.kinds import CONFIG_MAP
from swell.api.meta import Key
from swell.kube.client import KubeClient
from swell.kube.errors import NotFound

SNAPSHOT_ROWS_MAX: Final = 4096
SNAPSHOT_BYTES_MAX: Final = 256 * 1024
"""A ConfigMap holds 1 MiB, and every watcher of ConfigMaps gets it."""
CONFIG_MAP_NAME: Final = "swell-autoscaler-ledger"


class Store(Protocol):
    """Keeps rows. `load` and `save` raise OSError or a `KubeError`."""

    period_s: float
    """How long to wait between two saves at least."""

    async def load(self) -> list[bytes]:
        """All that was saved, the oldest first."""
        ...

    async def save(self, ledger: Ledger) -> None:
        """Keep what the ledger has now."""
        ...

    async def close(self) -> None: ...


class ConfigMapStore:
    """A ConfigMap of each bucket with the last rows, as many as fit.

    Written rarely: each write goes to etcd and to every watcher.
    """

    period_s = 30.0

    def __init__(self, kube: KubeClient, namespace: str, bucket: int) -> None:
        self._kube = kube
        self._key = Key(namespace, f"{CONFIG_MAP_NAME}-{bucket:02d}" if bucket else CONFIG_MAP_NAME)

    async def load(self) -> list[bytes]:
        try:
            found = await self._kube.get(CONFIG_MAP, *self._key)
        except NotFound:
            return []
        text = (found.get("binaryData") or {}).get("rows", "")
        return [base64.b64decode(text)] if text else []

    async def save(self, ledger: Ledger) -> None:
        body = await _fitting(ledger)
        data = {"binaryData": {"rows": base64.b64encode(body).decode()}}
        try:
            await self._kube.patch(CONFIG_MAP, *self._key, data)
        except NotFound:
            # Not labelled as part of Swell: the webhook would look at each write.
            meta = {"namespace": self._key.namespace, "name": self._key.name}
            await self._kube.create(CONFIG_MAP, {"metadata": meta, **data})

    async def close(self) -> None:
        """Nothing is open."""


async def _fitting(ledger: Ledger) -> bytes:
    """As many rows as fit, found by halving."""
    rows_max = SNAPSHOT_ROWS_MAX
    while True:
        rows, keys = ledger.snapshot(rows_max)
        body = await asyncio.to_thread(encode, rows, keys)
        if len(body) <= SNAPSHOT_BYTES_MAX or rows_max <= 1:
            return body
        rows_max //= 2
