"""Reading typed fields out of JSON, with errors that name the path, what was found and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Malformed(ValueError):
    """A field has the wrong JSON type: says where, what was found, and what is allowed there."""

    def __init__(self, path: str, found: object, allowed: str) -> None:
        super().__init__(f"{path}: found {json_type(found)} {found!r}, allowed: {allowed}")
        self.path = path
        self.found = found
        self.allowed = allowed


def json_type(value: object) -> str:
    """The JSON name of a value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list() | tuple():
            return "array"
        case _:
            return "object"


def text(obj: Mapping[str, Any], key: str, path: str = "") -> str:
    """A string field; "" when absent or null."""
    value = obj.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(join(path, key), value, "a string")
    return value


def integer(obj: Mapping[str, Any], key: str, path: str = "") -> int | None:
    """A whole number; None when absent or null. A float without a fraction counts as whole."""
    value = obj.get(key)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(join(path, key), value, "a whole number")
    return value


def boolean(obj: Mapping[str, Any], key: str, path: str = "") -> bool | None:
    """A boolean; None when absent or null."""
    value = obj.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise Malformed(join(path, key), value, "true or false")


def mapping(obj: Mapping[str, Any], key: str, path: str = "") -> dict[str, Any]:
    """An object field, as it lies (not copied); {} when absent or null."""
    value = obj.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(join(path, key), value, "an object")
    return value


def strings(obj: Mapping[str, Any], key: str, path: str = "") -> dict[str, str]:
    """A map of strings; {} when absent or null."""
    found = mapping(obj, key, path)
    for name, value in found.items():
        if not isinstance(value, str):
            raise Malformed(join(path, key, f"[{name}]"), value, "a string")
    return found


def array(obj: Mapping[str, Any], key: str, path: str = "") -> list[Any]:
    """An array of anything, as it lies; [] when absent or null."""
    value = obj.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(join(path, key), value, "an array")
    return value


def objects(obj: Mapping[str, Any], key: str, path: str = "") -> list[dict[str, Any]]:
    """An array of objects, as it lies; [] when absent or null."""
    found = array(obj, key, path)
    for index, item in enumerate(found):
        if not isinstance(item, dict):
            raise Malformed(join(path, f"{key}[{index}]"), item, "an object")
    return found


def join(*parts: str) -> str:
    """A field path from its parts: joined by dots, with indexes and keys attached to what precedes them.

    Parts are split at their own dots first, so a dotted key in brackets stands alone (the reference's way):
    `join("annotations", "[a.b/c]")` is `annotations.[a.b/c]`.
    """
    path: list[str] = []
    for part in (piece for text in parts for piece in text.split(".")):
        if not part:
            continue
        if path and part.startswith("[") and part.endswith("]"):
            path[-1] += part
        else:
            path.append(part)
    return ".".join(path)
