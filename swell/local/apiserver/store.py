"""Objects on disk and in memory: SQLite for what must survive, dicts for what is read.

Knows keys, versions and JSON; nothing of what the objects mean. Used from one thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from swell.api.meta import Obj
from swell.kube.errors import Unavailable
from swell.runtime.errors import SwellError

FORMAT: Final = 1
# Versions are reserved on disk in blocks, so that a version given away is never given again, even
# when the object that had it is gone; a write costs one statement instead of two.
VERSION_BLOCK: Final = 1024
CHECKPOINT_PAGES: Final = 8192
CACHE_KIB: Final = 512

_SCHEMA: Final = f"""
CREATE TABLE objects(
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY(resource, namespace, name)
);
CREATE TABLE counter(reserved INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
PRAGMA user_version = {FORMAT};
"""
_ALL: Final = "SELECT resource, namespace, name, body FROM objects"
_PUT: Final = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)"
_REMOVE: Final = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"


class UnusableStore(SwellError):
    """The file is no store, or one of another version of Swell."""


def open_store(path: str | Path) -> Store:
    """The store in the file `path`, made if there is none (readable by its owner only), or ":memory:".

    Raises `UnusableStore`.
    """
    if str(path) != ":memory:":
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        _prepare(connection, path)
        return Store(connection)
    except sqlite3.DatabaseError as exc:
        raise UnusableStore(f"{path} cannot be used as the cluster's store: {exc}") from exc


def _prepare(connection: sqlite3.Connection, path: str | Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit is in the kernel's hands when it returns, so it outlives this process, killed or not.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    elif found != FORMAT:
        raise UnusableStore(f"{path} has format {found}; this version of Swell reads format {FORMAT}")


class Store:
    """Every object by resource, namespace and name. What it hands out is shared: never change it.

    A resource is named like `pods` or `deployments.apps`; cluster-wide objects have namespace "".
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._objects: dict[str, dict[str, dict[str, Obj]]] = {}
        self._reserved: int = connection.execute("SELECT reserved FROM counter").fetchone()[0]
        # Those of the last block that were never used are skipped: cheaper than remembering.
        # 0 is never a version: to clients it means "any".
        self._version: int = max(self._reserved, 1)
        for resource, namespace, name, body in connection.execute(_ALL):
            self._objects.setdefault(resource, {}).setdefault(namespace, {})[name] = orjson.loads(body)

    @property
    def version(self) -> int:
        """The version of the latest write; every write has a greater one than all before."""
        return self._version

    def get(self, resource: str, namespace: str, name: str) -> Obj | None:
        return self._objects.get(resource, {}).get(namespace, {}).get(name)

    def select(self, resource: str, namespace: str | None = None) -> Iterator[Obj]:
        """The objects of one namespace, or of all, by namespace and name."""
        by_namespace = self._objects.get(resource, {})
        for each in sorted(by_namespace) if namespace is None else [namespace]:
            objects = by_namespace.get(each, {})
            for name in sorted(objects):
                yield objects[name]

    def count(self, resource: str) -> int:
        return sum(len(objects) for objects in self._objects.get(resource, {}).values())

    def put(self, resource: str, obj: Obj) -> Obj:
        """Write `obj`, which the store keeps from now on; returns it with its new version.

        When this returns, the write is committed. Raises `Unavailable` if the disk refuses it.
        """
        version = self._next_version()
        meta = {**obj["metadata"], "resourceVersion": str(version)}
        obj = {**obj, "metadata": meta}
        namespace, name = meta.get("namespace", ""), meta["name"]
        self._execute(_PUT, (resource, namespace, name, version, orjson.dumps(obj)))
        self._version = version
        self._objects.setdefault(resource, {}).setdefault(namespace, {})[name] = obj
        return obj

    def remove(self, resource: str, namespace: str, name: str) -> Obj:
        """Delete an object that is there; returns its last state with the version of the deletion."""
        version = self._next_version()
        self._execute(_REMOVE, (resource, namespace, name))
        self._version = version
        in_namespace = self._objects[resource][namespace]
        obj = in_namespace.pop(name)
        if not in_namespace:
            del self._objects[resource][namespace]
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}

    def close(self) -> None:
        self._connection.close()

    def _next_version(self) -> int:
        if self._version >= self._reserved:
            self._execute("UPDATE counter SET reserved = ?", (self._reserved + VERSION_BLOCK,))
            self._reserved += VERSION_BLOCK
        return self._version + 1

    def _execute(self, statement: str, values: tuple[str | int | bytes, ...]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.OperationalError as exc:
            raise Unavailable(500, "InternalError", f"the store cannot be written: {exc}") from exc
