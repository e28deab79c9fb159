"""Short ways to write OpenAPI schemas for CustomResourceDefinitions: one function for each shape of field."""

from __future__ import annotations

from typing import Any, Final

from swell.api.meta import Obj

_QUANTITY: Final = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)


def text(description: str, **more: Any) -> Obj:
    return {"description": description, "type": "string", **more}


def choice(description: str, *values: str) -> Obj:
    """A string out of some."""
    return text(description, enum=list(values))


def time(description: str) -> Obj:
    return text(description, format="date-time")


def boolean(description: str) -> Obj:
    return {"description": description, "type": "boolean"}


def int32(description: str) -> Obj:
    return {"description": description, "type": "integer", "format": "int32"}


def int64(description: str) -> Obj:
    return {"description": description, "type": "integer", "format": "int64"}


def port(description: str) -> Obj:
    """A number, or the name of one."""
    return {
        "description": description,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    }


def obj(description: str, *, required: tuple[str, ...] = (), atomic: bool = False, **properties: Obj) -> Obj:
    """An object with these fields and no others."""
    schema: Obj = {"description": description, "type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    if atomic:
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def open_obj(description: str, **properties: Obj) -> Obj:
    """An object that keeps whatever fields it is given."""
    schema: Obj = {"description": description, "type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {**schema, "properties": properties} if properties else schema


def strings(description: str) -> Obj:
    """A map of strings."""
    return {"description": description, "type": "object", "additionalProperties": {"type": "string"}}


def quantities(description: str) -> Obj:
    """A map of resource quantities."""
    value = {"anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": _QUANTITY}
    return {
        "description": description,
        "type": "object",
        "additionalProperties": {**value, "x-kubernetes-int-or-string": True},
    }


def array(description: str, items: Obj, *, by: str = "", atomic: bool = False) -> Obj:
    """A list; `by` names the field that tells its items apart, `atomic`: replaced as a whole."""
    schema: Obj = {"description": description, "type": "array", "items": items}
    if by:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [by]}
    elif atomic:
        schema["x-kubernetes-list-type"] = "atomic"
    return schema


def words(description: str) -> Obj:
    """A list of strings, replaced as a whole."""
    return array(description, {"type": "string"}, atomic=True)
