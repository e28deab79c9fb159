"""What turns one JSON document into another, as a JSON patch (RFC 6902). Knows no kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Operation = dict[str, Any]


def difference(old: Any, new: Any) -> list[Operation]:
    """The operations that make `new` of `old`; [] if they are equal.

    Maps are compared key by key and lists item by item; a list of another length is replaced as a whole.
    """
    return list(_operations(old, new, ""))


def _operations(old: Any, new: Any, path: str) -> Iterator[Operation]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _in_map(old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _operations(before, after, f"{path}/{index}")
    # In Python true equals 1, in JSON it does not.
    elif old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield {"op": "replace", "path": path, "value": new}


def _in_map(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Operation]:
    for key in old.keys() - new.keys():
        yield {"op": "remove", "path": f"{path}/{_token(key)}"}
    for key, value in new.items():
        below = f"{path}/{_token(key)}"
        if key in old:
            yield from _operations(old[key], value, below)
        else:
            yield {"op": "add", "path": below, "value": value}


def _token(key: str) -> str:
    """RFC 6901, section 3: `~` first, or the one of `~1` would be escaped again."""
    return key.replace("~", "~0").replace("/", "~1")
