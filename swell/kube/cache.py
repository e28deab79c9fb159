"""Objects of one kind and their indexes; what an event or a list changes in them. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from swell.api.meta import Key, Obj, key_of
from swell.kube.client import WatchEvent

IndexKeys = Callable[[Obj], Iterable[str]]


class Change(NamedTuple):
    """One object before and after; old None: it is new, new None: it is gone."""

    key: Key
    old: Obj | None
    new: Obj | None


class Cache:
    """What is known. Each method says what changed, and has made the change."""

    def __init__(self) -> None:
        self.objects: dict[Key, Obj] = {}
        self.indexes: dict[str, Index] = {}

    def see(self, event: WatchEvent) -> list[Change]:
        """Take an event in; [] for what was told before, since a stream that is resumed may repeat itself."""
        key = key_of(event.object)
        seen = self.objects.get(key)
        if event.type != "DELETED":
            return self.put(event.object)
        if seen is None or _uid(seen) != _uid(event.object):
            return []
        return self._apply([Change(key, seen, None)])

    def put(self, obj: Obj) -> list[Change]:
        """Take an object in, unless what is here is as new."""
        key = key_of(obj)
        seen = self.objects.get(key)
        if seen is not None and _uid(seen) == _uid(obj) and not is_later(version_of(obj), version_of(seen)):
            return []
        return self._apply(list(_steps(key, seen, obj)))

    def replace(self, items: Iterable[Obj]) -> list[Change]:
        """Have exactly these objects."""
        listed = {key_of(obj): obj for obj in items}
        changes = [Change(key, obj, None) for key, obj in self.objects.items() if key not in listed]
        for key, obj in listed.items():
            seen = self.objects.get(key)
            if seen is None or version_of(seen) != version_of(obj) or _uid(seen) != _uid(obj):
                changes.extend(_steps(key, seen, obj))
        return self._apply(changes)

    def _apply(self, changes: list[Change]) -> list[Change]:
        for key, old, new in changes:
            if new is None:
                del self.objects[key]
            else:
                self.objects[key] = new
            for index in self.indexes.values():
                index.change(key, old, new)
        return changes


class Index:
    """Objects by what a function finds in them. Empty entries go, so that it is never larger than the cache."""

    def __init__(self, keys: IndexKeys) -> None:
        self._keys = keys
        self._found: dict[str, dict[Key, Obj]] = {}

    def find(self, key: str) -> list[Obj]:
        return list(self._found.get(key, {}).values())

    def change(self, key: Key, old: Obj | None, new: Obj | None) -> None:
        if old is not None:
            for each in self._keys(old):
                self._remove(each, key)
        if new is not None:
            for each in self._keys(new):
                self._found.setdefault(each, {})[key] = new

    def _remove(self, entry: str, key: Key) -> None:
        objects = self._found.get(entry, {})
        objects.pop(key, None)
        if not objects:
            self._found.pop(entry, None)


def is_later(version: str, other: str) -> bool:
    """Servers number their versions; of one that does not, nothing but difference can be told."""
    if version.isdigit() and other.isdigit():
        return int(version) > int(other)
    return version != other


def version_of(obj: Obj) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))


def _uid(obj: Obj) -> str:
    return str(obj["metadata"].get("uid", ""))


def _steps(key: Key, seen: Obj | None, new: Obj) -> Iterator[Change]:
    """An object made anew under an old name is a deletion and a creation."""
    if seen is not None and _uid(seen) != _uid(new):
        yield Change(key, seen, None)
        seen = None
    yield Change(key, seen, new)
