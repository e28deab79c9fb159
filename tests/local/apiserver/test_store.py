"""What the store promises: a write that was acknowledged outlives the process, and versions only grow."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from swell.api.meta import Obj
from swell.local.apiserver.store import VERSION_BLOCK, UnusableStore, open_store

WRITER = """
import sys
from swell.local.apiserver.store import open_store

store = open_store(sys.argv[1])
number = 0
while True:
    number += 1
    meta = {"namespace": "default", "name": f"n{number % 50}"}
    version = store.put("things", {"metadata": meta, "number": number})["metadata"]["resourceVersion"]
    sys.stdout.write(f"{number} {version}\\n")
    sys.stdout.flush()
"""


def thing(name: str, namespace: str = "default", **more: object) -> Obj:
    return {"metadata": {"name": name, "namespace": namespace}, **more}


def test_every_acknowledged_write_outlives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "cluster.db"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(500):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    # What was in the pipe had been acknowledged too; the last line may be half a line.
    lines = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    number, version = (int(part) for part in lines[-1].split()) if lines else (500, 501)
    store = open_store(path)
    numbers = {obj["number"] for obj in store.select("things")}
    assert max(numbers) >= number >= 500
    assert set(range(number - 48, number + 1)) <= numbers | {max(numbers), max(numbers) - 1}
    assert store.version >= version
    store.close()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db")
    kept = store.put("things", thing("a", spec={"x": [1, "\u00e9"]}))
    store.put("things", thing("b"))
    store.remove("things", "default", "b")
    store.close()
    again = open_store(tmp_path / "db")
    assert list(again.select("things")) == [kept]
    assert again.get("things", "default", "b") is None
    again.close()


def test_versions_grow_over_restarts_even_past_deleted_objects(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db")
    store.put("things", thing("a"))
    last = int(store.remove("things", "default", "a")["metadata"]["resourceVersion"])
    assert last == store.version
    store.close()
    again = open_store(tmp_path / "db")
    assert again.version >= last
    assert int(again.put("things", thing("a"))["metadata"]["resourceVersion"]) > last
    again.close()


def test_versions_grow_past_a_block(tmp_path: Path) -> None:
    store = open_store(tmp_path / "db")
    versions = [int(store.put("things", thing("a"))["metadata"]["resourceVersion"]) for _ in range(VERSION_BLOCK + 5)]
    assert versions == sorted(set(versions))
    store.close()
    again = open_store(tmp_path / "db")
    assert again.version >= versions[-1]
    again.close()


def test_objects_come_by_namespace_and_name() -> None:
    store = open_store(":memory:")
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y")):
        store.put("things", thing(name, namespace))
    found = [(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in store.select("things")]
    assert found == [("a", "y"), ("a", "z"), ("b", "x")]
    assert [obj["metadata"]["name"] for obj in store.select("things", "a")] == ["y", "z"]
    assert store.count("things") == 3
    assert store.count("others") == 0


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    open_store(tmp_path / "db").close()
    assert stat.S_IMODE(os.stat(tmp_path / "db").st_mode) == 0o600


def test_a_file_that_is_no_store_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_text("this is no database, but it is long enough to be one" * 100)
    with pytest.raises(UnusableStore, match="cannot be used as the cluster's store"):
        open_store(path)


def test_a_store_of_another_format_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UnusableStore, match="has format 99"):
        open_store(tmp_path / "db")
