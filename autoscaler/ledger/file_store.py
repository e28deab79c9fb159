"""The ledger in a SQLite file. Apart from the other store, because images have no SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from autoscaler.ledger.codec import encode
from autoscaler.ledger.ledger import Ledger
from swell.runtime import log

PIECES_MAX: Final = 64
PIECES_BYTES_MAX: Final = 8 * 2**20
"""More pieces than this, or more bytes of them, are made one."""

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS pieces(id INTEGER PRIMARY KEY, body BLOB NOT NULL)"

T = TypeVar("T")

logger = log.get(__name__)


class FileStore:
    """A SQLite file: rows are added as they come, and now and then all is written anew.

    A file that is damaged is set aside, and a new one begun. One thread does all I/O, one piece after the other: what
    is under way ends before the next begins, also if who waited for it was cancelled.
    """

    period_s = 2.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._connection: sqlite3.Connection | None = None
        self._saved = 0
        self._pieces = PIECES_MAX  # the first save writes everything: what was loaded is numbered anew
        self._bytes = 0

    async def load(self) -> list[bytes]:
        return await self._do(self._load)

    async def save(self, ledger: Ledger) -> None:
        # One that was cancelled may be under way: until it has noted what it wrote.
        await self._do(lambda: None)
        whole = self._pieces >= PIECES_MAX or self._bytes > PIECES_BYTES_MAX
        rows, keys = ledger.snapshot() if whole else ledger.since(self._saved)
        number = ledger.numbered
        await self._do(lambda: self._write(encode(rows, keys), number, whole=whole))

    async def close(self) -> None:
        await self._do(self._close)
        self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[[], T]) -> T:
        """In the thread. What SQLite cannot do is told as that the file cannot be used."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as exc:
            raise OSError(str(exc)) from exc

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

    def _write(self, body: bytes, number: int, *, whole: bool) -> None:
        connection = self._connection
        assert connection is not None, "loaded before it is saved to"
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            if whole:
                cursor.execute("DELETE FROM pieces")
            cursor.execute("INSERT INTO pieces(body) VALUES (?)", (body,))
            cursor.execute("COMMIT")
        self._saved = number
        self._pieces, self._bytes = (1, 0) if whole else (self._pieces + 1, self._bytes + len(body))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
