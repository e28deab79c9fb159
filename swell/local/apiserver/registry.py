"""Which resources there are: the built-in ones, and those that definitions add and take away."""

from __future__ import annotations

from collections.abc import Iterator

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.local.apiserver.builtins import built_in_resources
from swell.local.apiserver.definitions import defined_resources, storage_of
from swell.local.apiserver.failures import no_such_resource
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.types import Types


class Registry:
    """Resources by group, version and plural name."""

    def __init__(self) -> None:
        self._types: Types | None = None
        self._resources: dict[tuple[str, str, str], Resource] = {}
        for resource in built_in_resources(lambda name: self.types.schema(name)):
            self._add(resource)

    @property
    def types(self) -> Types:
        """The built-in types, read when first needed."""
        if self._types is None:
            self._types = Types()
        return self._types

    def find(self, group: str, version: str, plural: str) -> Resource:
        """Raises `NotFound` when no such kind is served."""
        resource = self._resources.get((group, version, plural))
        if resource is None:
            raise no_such_resource()
        return resource

    def of(self, kind: Kind) -> Resource:
        return self.find(kind.group, kind.version, kind.plural)

    def establish(self, definition: Obj) -> None:
        """Serve what `definition` defines, in place of what it defined before."""
        self.withdraw(definition)
        for resource in defined_resources(definition):
            self._add(resource)

    def withdraw(self, definition: Obj) -> None:
        """Serve no longer what `definition` defines."""
        storage = storage_of(definition)
        gone = [key for key, each in self._resources.items() if each.storage == storage and each.custom]
        for key in gone:
            del self._resources[key]

    def stored_as(self, storage: str) -> list[Resource]:
        """All versions of one kind."""
        return [each for each in self._resources.values() if each.storage == storage]

    def all(self) -> Iterator[Resource]:
        yield from self._resources.values()

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Resources by group and version; the core group is ""."""
        found: dict[str, dict[str, list[Resource]]] = {}
        for resource in self._resources.values():
            found.setdefault(resource.kind.group, {}).setdefault(resource.kind.version, []).append(resource)
        return found

    def _add(self, resource: Resource) -> None:
        kind = resource.kind
        self._resources[kind.group, kind.version, kind.plural] = resource
