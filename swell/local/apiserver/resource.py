"""What the server knows of one kind, built in or defined by a CustomResourceDefinition: a row of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.local.apiserver.failures import FieldFault
from swell.local.apiserver.schema import Schema
from swell.local.apiserver.selection import FieldPath

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. `cell` gets the object and the time, unix seconds; wide only if `priority`."""

    name: str
    cell: Callable[[Obj, float], Any]
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the scale subresource finds its numbers. `selector` is "" where there is none."""

    spec: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One version of one kind.

    `storage` names the objects in the store: all versions of a kind share it.
    `derive_status(obj, old_status)` gives the status of a new object (`old_status` None) and what becomes
    of it when the main resource is written; without it status starts absent and then stays as it was.
    `check(obj, old)` finds faults that a schema cannot express. `defaults` fills in, in place.
    `definition` is the version entry of the CustomResourceDefinition, for a custom kind.
    """

    kind: Kind
    singular: str
    storage: str
    schema: Callable[[], Schema]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    verbs: tuple[str, ...] = ALL_VERBS
    columns: tuple[Column, ...] = ()
    fields: Mapping[str, FieldPath] = field(default_factory=dict)
    scale: ScalePaths | None = None
    counts_generations: bool = False
    list_kind: str = ""
    derive_status: Callable[[Obj, Obj | None], Obj] | None = None
    defaults: Callable[[Obj], None] | None = None
    check: Callable[[Obj, Obj | None], list[FieldFault]] | None = None
    name_faults: Callable[[str], list[str]] | None = None
    definition: Obj | None = None

    @property
    def custom(self) -> bool:
        return self.definition is not None

    def has(self, subresource: str) -> bool:
        return subresource in self.subresources
