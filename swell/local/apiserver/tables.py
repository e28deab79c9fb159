"""Answers in the shape that the client asked for: whole objects, their metadata only, or a Table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from swell.api.meta import Obj
from swell.local.apiserver.columns import PLAIN_COLUMNS
from swell.local.apiserver.failures import bad_request
from swell.local.apiserver.resource import Column, Resource

Shape = Literal["object", "metadata", "table"]
META: Final = "meta.k8s.io/v1"
_WORKED_SHAPES: Final[dict[str, Shape]] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
}
_INCLUDED: Final = ("", "Metadata", "Object", "None")
_DEFAULT_DESCRIPTION: Final = "See the API documentation of this kind."


def shape_of(accept: str) -> Shape:
    """The first shape in an Accept header that we can give; JSON is always fine."""
    for entry in accept.split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        found = dict(part.partition("=")[::2] for part in parameters)
        if media == "application/json" and found.get("v", "v1") == "v1":
            shape = _WORKED_SHAPES.get(found.get("as", ""))
            if shape is not None:
                return shape
            if "as" not in found:
                return "object"
    return "object"


@dataclass(frozen=True, slots=True)
class Presenter:
    """Makes answers about one resource. `included` is the includeObject parameter of Tables."""

    resource: Resource
    shape: Shape
    included: str = ""

    def __post_init__(self) -> None:
        if self.included not in _INCLUDED:
            raise bad_request(f'invalid includeObject="{self.included}": want Metadata, Object or None')

    def one(self, obj: Obj, now_s: float) -> Obj:
        if self.shape == "table":
            return self.table([obj], {"resourceVersion": obj["metadata"].get("resourceVersion", "")}, now_s)
        return partial(obj) if self.shape == "metadata" else obj

    def many(self, items: list[Obj], meta: Obj, now_s: float) -> Obj:
        """A list; `meta` is its metadata."""
        if self.shape == "table":
            return self.table(items, meta, now_s)
        if self.shape == "metadata":
            kind, version = "PartialObjectMetadataList", META
            items = [partial(item) for item in items]
        else:
            kind, version = list_kind(self.resource), self.resource.kind.api_version
        return {"kind": kind, "apiVersion": version, "metadata": meta, "items": items}

    def event(self, obj: Obj, now_s: float, *, first: bool) -> Obj:
        """The object of a watch event; a Table names its columns in the first event only."""
        if self.shape != "table":
            return self.one(obj, now_s)
        table = self.one(obj, now_s)
        return table if first else {**table, "columnDefinitions": None}

    def table(self, items: Iterable[Obj], meta: Obj, now_s: float) -> Obj:
        columns = self.resource.columns or PLAIN_COLUMNS
        return {
            "kind": "Table",
            "apiVersion": META,
            "metadata": meta,
            "columnDefinitions": [_column(column) for column in columns],
            "rows": [self._row(columns, item, now_s) for item in items],
        }

    def _row(self, columns: tuple[Column, ...], obj: Obj, now_s: float) -> Obj:
        row: Obj = {"cells": [column.cell(obj, now_s) for column in columns]}
        include: Callable[[Obj], Any] | None = {"None": None, "Object": lambda obj: obj}.get(self.included, partial)
        return row if include is None else {**row, "object": include(obj)}


def list_kind(resource: Resource) -> str:
    return resource.list_kind or f"{resource.kind.kind}List"


def partial(obj: Obj) -> Obj:
    """The object without anything but its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": obj["metadata"]}


def _column(column: Column) -> Obj:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description or _DEFAULT_DESCRIPTION,
        "priority": column.priority,
    }
