"""Merge patch (RFC 7386) and JSON patch (RFC 6902). What is returned is new where it differs; inputs stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from swell.kube.errors import Invalid

OPERATIONS_MAX: Final = 10_000


def merge(target: Any, patch: Any) -> Any:
    """`patch` merged into `target`: null removes, lists and plain values replace."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Any) -> Any:
    """The operations, applied in order; raises `Invalid` at the first that cannot be."""
    if not isinstance(operations, list) or len(operations) > OPERATIONS_MAX:
        raise _refused(f"a JSON patch is a list of at most {OPERATIONS_MAX} operations")
    document = _copy(target)
    for operation in operations:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: Any) -> Any:
    try:
        op, path = operation["op"], _pointer(operation["path"])
        if op in ("add", "replace", "test"):
            value = operation["value"]
        elif op in ("move", "copy"):
            value = _copy(_value_at(document, _pointer(operation["from"])))
        elif op == "remove":
            return _removed(document, path)
        else:
            raise _refused(f"unknown operation {op!r}: want add, remove, replace, move, copy or test")
    except (KeyError, TypeError) as exc:
        raise _refused(f"the operation {operation!r} lacks {exc}") from exc
    if op == "test":
        if _value_or_none(document, path) != value:
            raise _refused(f"testing value {operation['path']} failed")
        return document
    if op == "replace":
        _value_at(document, path)
    if op == "move":
        document = _removed(document, _pointer(operation["from"]))
    return _added(document, path, value, replace=op == "replace")


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise _refused(f"the path {text!r} does not start with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _value_at(document: Any, path: Sequence[str]) -> Any:
    for index, part in enumerate(path):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            raise _refused(f"doc is missing path: /{'/'.join(path[: index + 1])}")
    return document


def _value_or_none(document: Any, path: Sequence[str]) -> Any:
    """As `_value_at`; a test of an absent field for null holds."""
    if not path:
        return document
    parent = _value_at(document, path[:-1])
    if isinstance(parent, dict):
        return parent.get(path[-1])
    return _value_at(parent, path[-1:])


def _added(document: Any, path: Sequence[str], value: Any, *, replace: bool) -> Any:
    if not path:
        return value
    parent, last = _value_at(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        index = len(parent) if last == "-" else _index(last, len(parent))
        parent[index : index + replace] = [value]
    else:
        raise _refused(f"/{'/'.join(path[:-1])} is no object or list")
    return document


def _removed(document: Any, path: Sequence[str]) -> Any:
    _value_at(document, path)
    if not path:
        return None
    parent = _value_at(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return document


def _index(text: str, length: int) -> int:
    if not text.isdigit() or int(text) > length:
        raise _refused(f"{text!r} is no position in a list of {length}")
    return int(text)


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _refused(why: str) -> Invalid:
    return Invalid(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")
