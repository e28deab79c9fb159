"""The built-in types, read from `types.txt`: as OpenAPI components, as compiled schemas, as protobuf messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from swell.api.meta import Obj
from swell.local.apiserver.schema import Schema, compile_schema

REFERENCE: Final = "#/components/schemas/"

_PLAIN: Final[Mapping[str, Obj]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "number": {"type": "number"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "object": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "IntOrString": {"x-kubernetes-int-or-string": True, "format": "int-or-string"},
    "Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}


@dataclass(frozen=True, slots=True)
class WireField:
    """A field as protobuf has it: `path` are the numbers that lead to it; `keeps_zero`: 0 and "" say something."""

    name: str
    kind: str
    path: tuple[int, ...]
    keeps_zero: bool


class Types:
    """Built-in types by name. Schemas are compiled when first asked for, once."""

    def __init__(self) -> None:
        text = resources.files(__package__).joinpath("types.txt").read_text()
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self._lines = dict(_sections(text))
        self._compiled: dict[str, Schema] = {}

    def has(self, name: str) -> bool:
        return name in self._lines

    def schema(self, name: str) -> Schema:
        if name not in self._compiled:
            self._compiled[name] = compile_schema(self.component(name), lambda path: self.schema(_name(path)))
        return self._compiled[name]

    def component(self, name: str) -> Obj:
        """The type as an OpenAPI schema; other types are `$ref`s."""
        properties: Obj = {}
        required: list[str] = []
        for line in self._lines[name]:
            field, kind, *flags = line.split()
            properties[field] = _with_flags(_of_type(kind), flags)
            if "required" in flags:
                required.append(field)
        component: Obj = {"type": "object", "properties": properties}
        return {**component, "required": required} if required else component

    def wire_fields(self, name: str) -> Iterator[WireField]:
        """The fields of a type that have a number in protobuf."""
        for line in self._lines[name]:
            field, kind, *flags = line.split()
            number = next((flag[1:] for flag in flags if flag.startswith("=")), "")
            if number:
                path = tuple(int(part) for part in number.rstrip("!").split("."))
                yield WireField(field, kind, path, number.endswith("!"))

    def closure(self, name: str) -> Iterator[str]:
        """`name` and all types that it is made of."""
        seen: set[str] = set()
        pending = [name]
        while pending:
            each = pending.pop()
            if each in seen:
                continue
            seen.add(each)
            yield each
            kinds = (line.split()[1].strip("[]{}") for line in self._lines[each])
            pending += [kind for kind in kinds if kind not in _PLAIN]


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith(" "):
            lines.append(line)
        elif line and not line.startswith("#"):
            if name:
                yield name, lines
            name, lines = line, []
    yield name, lines


def _of_type(kind: str) -> Obj:
    if kind.startswith("["):
        return {"type": "array", "items": _of_type(kind[1:-1])}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": _of_type(kind[1:-1])}
    return dict(_PLAIN[kind]) if kind in _PLAIN else {"$ref": f"{REFERENCE}{kind}"}


def _with_flags(schema: Obj, flags: list[str]) -> Obj:
    extra: Obj = {}
    if "by" in flags:
        key = flags[flags.index("by") + 1]
        extra["x-kubernetes-patch-strategy"] = "merge"
        if key != "*":
            extra["x-kubernetes-patch-merge-key"] = key
    if "retain" in flags:
        extra["x-kubernetes-patch-strategy"] = "merge,retainKeys" if "by" in flags else "retainKeys"
    if extra and "$ref" in schema:
        return {"allOf": [schema], **extra}
    return {**schema, **extra}


def _name(reference: str) -> str:
    return reference.removeprefix(REFERENCE)
