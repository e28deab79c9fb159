"""Where the ledger is kept over a restart: a SQLite file on one machine, a ConfigMap on Kubernetes.

Both keep bytes of `codec.py`, and both are bounded. What is written here is what people are told later, nothing is
decided by it: without it scaling goes on.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final, Protocol

from autoscaler.ledger.codec import encode
from autoscaler.ledger.ledger import Ledger
from swell.api.kinds import CONFIG_MAP
from swell.api.meta import Key
from swell.kube.client import KubeClient
from swell.kube.errors import NotFound
from swell.runtime import log

PIECES_MAX: Final = 64
PIECES_BYTES_MAX: Final = 8 * 2**20
"""More pieces than this, or more bytes of them, are made one."""
SNAPSHOT_ROWS_MAX: Final = 4096
SNAPSHOT_BYTES_MAX: Final = 256 * 1024
"""A ConfigMap holds 1 MiB, and every watcher of ConfigMaps gets it."""
CONFIG_MAP_NAME: Final = "swell-autoscaler-ledger"

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS pieces(id INTEGER PRIMARY KEY, body BLOB NOT NULL)"

logger = log.get(__name__)


class Store(Protocol):
    """Keeps rows. `load` and `save` raise OSError, `sqlite3.Error` or a `KubeError`."""

    period_s: float
    """How long to wait between two saves at least."""

    async def load(self) -> list[bytes]:
        """All that was saved, the oldest first."""
        ...

    async def save(self, ledger: Ledger) -> None:
        """Keep what the ledger has now."""
        ...

    async def close(self) -> None: ...


class FileStore:
    """A SQLite file: rows are added as they come, and now and then all is written anew. I/O is done in threads.

    A file that is damaged is set aside, and a new one begun.
    """

    period_s = 2.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._saved = 0
        self._pieces = PIECES_MAX  # the first save writes everything: what was loaded is numbered anew
        self._bytes = 0

    async def load(self) -> list[bytes]:
        return await asyncio.to_thread(self._load)

    async def save(self, ledger: Ledger) -> None:
        whole = self._pieces >= PIECES_MAX or self._bytes > PIECES_BYTES_MAX
        rows, keys = ledger.snapshot() if whole else ledger.since(self._saved)
        number = ledger.numbered
        written = await asyncio.to_thread(lambda: self._write(encode(rows, keys), whole=whole))
        self._saved = number
        self._pieces, self._bytes = (1, 0) if whole else (self._pieces + 1, self._bytes + written)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _load(self) -> list[bytes]:
        try:
            return self._open()
        except sqlite3.OperationalError:
            raise  # a full disk, say: what is in the file may be sound
        except sqlite3.DatabaseError as exc:
            aside = self._path.with_name(self._path.name + ".damaged")
            logger.warning("the ledger is damaged and begins anew", file=str(self._path), kept=aside.name, error=exc)
            if self._connection is not None:
                self._connection.close()
            self._path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return self._open()

    def _open(self) -> list[bytes]:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Outlives this process, killed or not; of a power cut it may lose the last rows.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(_SCHEMA)
        return [body for (body,) in self._connection.execute("SELECT body FROM pieces ORDER BY id")]

    def _write(self, body: bytes, *, whole: bool) -> int:
        connection = self._connection
        assert connection is not None, "loaded before it is saved to"
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            if whole:
                cursor.execute("DELETE FROM pieces")
            cursor.execute("INSERT INTO pieces(body) VALUES (?)", (body,))
            cursor.execute("COMMIT")
        return len(body)


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
