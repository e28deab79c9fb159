"""Structural schemas: what fields an object may have, of which types, with which defaults.

Compiled from OpenAPI v3 as CustomResourceDefinitions carry it, and as `types` makes it for built-in kinds.
The functions here work on plain JSON and change it in place where they say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from swell.api.meta import Obj
from swell.local.apiserver.failures import FieldFault

Resolve = Callable[[str], "Schema"]
FAULTS_MAX: Final = 10
_NOTHING: Final[Obj] = {}
SERVER_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata"})


@dataclass(slots=True)
class Schema:
    """One node. `open`: keeps fields it does not list. `values`: the schema of a map's values."""

    type: str = ""
    properties: Mapping[str, Schema] | None = None
    values: Schema | None = None
    items: Schema | None = None
    open: bool = False
    nullable: bool = False
    int_or_string: bool = False
    required: tuple[str, ...] = ()
    default: Any = None
    limits: Mapping[str, Any] | None = None
    merge_key: str = ""
    atomic: bool = False
    embedded: bool = False


_LIMITS: Final = (
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
)


def compile_schema(raw: Obj, resolve: Resolve | None = None) -> Schema:
    """The nodes for one OpenAPI schema; `resolve` finds what `$ref` names."""
    reference = _reference(raw)
    if reference is not None:
        assert resolve is not None, f"nothing resolves {reference}"
        return resolve(reference)
    values = raw.get("additionalProperties")
    properties = raw.get("properties")
    return Schema(
        type=raw.get("type", ""),
        properties={name: compile_schema(each, resolve) for name, each in properties.items()} if properties else None,
        values=compile_schema(values, resolve) if isinstance(values, dict) else None,
        items=compile_schema(raw["items"], resolve) if "items" in raw else None,
        open=bool(raw.get("x-kubernetes-preserve-unknown-fields")) or values is True,
        nullable=bool(raw.get("nullable")),
        int_or_string=bool(raw.get("x-kubernetes-int-or-string")),
        required=tuple(raw.get("required", ())),
        default=raw.get("default"),
        limits=_limits(raw),
        merge_key=_merge_key(raw),
        atomic="atomic" in (raw.get("x-kubernetes-map-type"), raw.get("x-kubernetes-list-type")),
        embedded=bool(raw.get("x-kubernetes-embedded-resource")),
    )


def _limits(raw: Obj) -> Mapping[str, Any] | None:
    """What bounds a value; raises `re.error` for a pattern that is none."""
    if "pattern" in raw:
        re.compile(raw["pattern"])
    return {key: raw[key] for key in _LIMITS if key in raw} or None


def _reference(raw: Obj) -> str | None:
    if "$ref" in raw:
        return str(raw["$ref"])
    parts = raw.get("allOf", ())
    return str(parts[0]["$ref"]) if len(parts) == 1 and "$ref" in parts[0] else None


def _merge_key(raw: Obj) -> str:
    """The field by which list items are matched; "*" for a list of plain values merged as a set."""
    strategy = raw.get("x-kubernetes-patch-strategy", "")
    if "merge" in strategy:
        return str(raw.get("x-kubernetes-patch-merge-key", "*"))
    if raw.get("x-kubernetes-list-type") == "set":
        return "*"
    keys = raw.get("x-kubernetes-list-map-keys", ())
    return str(keys[0]) if len(keys) == 1 else ""


def prune(schema: Schema, value: Any, path: str = "", seen: Any = None) -> list[str]:
    """Remove, in place, the fields that the schema does not know; returns their paths.

    Fields set to null go too, silently, where the schema does not allow null. Here and below, `seen` is the
    value as it was when last checked: parts that are the very same are skipped.
    """
    return list(_prune(schema, value, path, seen))


def _prune(schema: Schema, value: Any, path: str, seen: Any) -> Iterator[str]:
    if value is seen:
        return
    if isinstance(value, dict):
        yield from _prune_fields(schema, value, path, seen if isinstance(seen, dict) else _NOTHING)
    elif isinstance(value, list) and schema.items is not None:
        for index, item in enumerate(value):
            yield from _prune(schema.items, item, f"{path}[{index}]", None)


def _prune_fields(schema: Schema, value: Obj, path: str, seen: Obj) -> Iterator[str]:
    known = schema.properties or {}
    unknown: list[str] = []
    nulls: list[str] = []
    for key, item in value.items():
        child = known.get(key) or schema.values
        if child is not None:
            if item is None and not child.nullable:
                nulls.append(key)
            elif isinstance(item, dict | list):
                yield from _prune(child, item, _join(path, key), seen.get(key))
        elif not schema.open and not (schema.embedded and key in SERVER_FIELDS):
            unknown.append(key)
    for key in nulls:
        del value[key]
    # A node without any properties and not typed as an object checks nothing: the type check tells.
    if schema.properties is not None or schema.type == "object":
        for key in unknown:
            del value[key]
            yield _join(path, key)


def fill_defaults(schema: Schema, value: Any, seen: Any = None) -> None:
    """Set, in place, the fields that are absent and have a default."""
    if value is seen:
        return
    before: Obj = seen if isinstance(seen, dict) else _NOTHING
    if isinstance(value, dict):
        for key, child in (schema.properties or {}).items():
            if child.default is not None and value.get(key) is None and not (key in value and child.nullable):
                value[key] = orjson.loads(orjson.dumps(child.default))
            if key in value:
                fill_defaults(child, value[key], before.get(key))
        if schema.values is not None:
            for key, item in value.items():
                if not schema.properties or key not in schema.properties:
                    fill_defaults(schema.values, item, before.get(key))
    elif isinstance(value, list) and schema.items is not None:
        for item in value:
            fill_defaults(schema.items, item)


def faults_of(schema: Schema, value: Any, path: str, seen: Any = None) -> list[FieldFault]:
    """What is wrong with `value`: types, required fields, limits. The first few only."""
    found: list[FieldFault] = []
    for fault in _faults(schema, value, path, seen):
        found.append(fault)
        if len(found) == FAULTS_MAX:
            break
    return found


def _faults(schema: Schema, value: Any, path: str, seen: Any) -> Iterator[FieldFault]:
    if value is None or value is seen:
        # Absent and null are the same to Kubernetes, except inside lists and maps.
        return
    wrong = _type_fault(schema, value, path)
    if wrong is not None:
        yield wrong
        return
    if schema.limits is not None:
        yield from _limit_faults(schema.limits, value, path)
    if isinstance(value, dict):
        yield from _member_faults(schema, value, path, seen if isinstance(seen, dict) else _NOTHING)
    elif isinstance(value, list) and schema.items is not None:
        for index, item in enumerate(value):
            if item is None and not schema.items.nullable:
                yield FieldFault(f"{path}[{index}]", "Required value: a list cannot hold null", "FieldValueRequired")
            yield from _faults(schema.items, item, f"{path}[{index}]", None)


def _member_faults(schema: Schema, value: Obj, path: str, seen: Obj) -> Iterator[FieldFault]:
    for key in schema.required:
        if value.get(key) is None:
            yield FieldFault(_join(path, key), "Required value", "FieldValueRequired")
    known = schema.properties or {}
    for key, item in value.items():
        child = known.get(key) or schema.values
        if child is not None:
            yield from _faults(child, item, _join(path, key), seen.get(key))


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _type_fault(schema: Schema, value: Any, path: str) -> FieldFault | None:
    if schema.int_or_string:
        if _TYPES["integer"](value) or isinstance(value, str):
            return None
        wanted = "integer,string"
    else:
        check = _TYPES.get(schema.type)
        if check is None or check(value):
            return None
        wanted = schema.type
    shown = _type_name(value)
    message = f'Invalid value: "{shown}": {path} in body must be of type {wanted}: "{shown}"'
    return FieldFault(path, message, "FieldValueTypeInvalid")


def _type_name(value: Any) -> str:
    if isinstance(value, float):
        return "number"
    return next(name for name, check in _TYPES.items() if check(value))


def _limit_faults(limits: Mapping[str, Any], value: Any, path: str) -> Iterator[FieldFault]:
    if "enum" in limits and value not in limits["enum"]:
        allowed = ", ".join(_show(each) for each in limits["enum"])
        message = f"Unsupported value: {_show(value)}: supported values: {allowed}"
        yield FieldFault(path, message, "FieldValueNotSupported")
    for text in _broken_limits(limits, value):
        yield FieldFault(path, f"Invalid value: {_show(value)}: {path} in body {text}")


def _broken_limits(limits: Mapping[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, int | float):
        if "minimum" in limits and value < limits["minimum"]:
            yield f"should be greater than or equal to {limits['minimum']}"
        if "maximum" in limits and value > limits["maximum"]:
            yield f"should be less than or equal to {limits['maximum']}"
    elif isinstance(value, str):
        if len(value) < limits.get("minLength", 0):
            yield f"should be at least {limits['minLength']} chars long"
        if len(value) > limits.get("maxLength", len(value)):
            yield f"should be at most {limits['maxLength']} chars long"
        if "pattern" in limits and not re.search(limits["pattern"], value):
            yield f"should match '{limits['pattern']}'"
    elif isinstance(value, list):
        if len(value) < limits.get("minItems", 0):
            yield f"should have at least {limits['minItems']} items"
        if len(value) > limits.get("maxItems", len(value)):
            yield f"must have at most {limits['maxItems']} items"


def _show(value: Any) -> str:
    return orjson.dumps(value).decode()


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
