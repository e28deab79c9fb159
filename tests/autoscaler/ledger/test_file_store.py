"""The ledger's file, while somebody else holds it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.ledger import file_store
from autoscaler.ledger.codec import decode, encode
from autoscaler.ledger.file_store import FileStore

from .world import World


async def test_a_save_that_is_given_up_ends_before_the_next_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def encoding(*arguments: Any) -> bytes:
        begun.set()
        return encode(*arguments)

    monkeypatch.setattr(file_store, "encode", encoding)
    world, store = World(), FileStore(tmp_path / "ledger.db")
    world.open()

    def work() -> None:
        world.report(30)
        world.tick()

    await store.load()
    work()
    await store.save(world.ledger)
    work()
    begun.clear()
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    saving = asyncio.create_task(store.save(world.ledger))
    await asyncio.to_thread(begun.wait)
    saving.cancel()
    await asyncio.wait([saving])

    async def stop() -> None:
        await store.save(world.ledger)
        await store.close()

    stopping = asyncio.create_task(stop())
    work()
    holder.execute("COMMIT")
    holder.close()
    await stopping

    again = FileStore(tmp_path / "ledger.db")
    kept = np.concatenate([decode(piece)[0]["number"] for piece in await again.load()])
    await again.close()
    assert sorted(kept) == list(range(world.ledger.numbered))
