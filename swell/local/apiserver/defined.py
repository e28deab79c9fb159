"""Kinds that come and go with their CustomResourceDefinitions, and take their objects along."""

from __future__ import annotations

from swell.api.kinds import CUSTOM_RESOURCE_DEFINITION
from swell.api.meta import Obj
from swell.local.apiserver.definitions import CLEANUP_FINALIZER, storage_of
from swell.local.apiserver.deletion import DeleteOptions, Deletion
from swell.local.apiserver.hub import Change
from swell.local.apiserver.registry import Registry
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.store import Store
from swell.local.apiserver.writes import SYSTEM, Writes


class DefinedKinds:
    """Keeps the registry in step with the definitions in the store. `on_commit` is to hear of every write."""

    def __init__(self, store: Store, registry: Registry, writes: Writes, deletion: Deletion) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._deletion = deletion
        for definition in store.select(str(CUSTOM_RESOURCE_DEFINITION)):
            registry.establish(definition)

    def on_commit(self, resource: Resource, change: Change) -> None:
        """Serve a kind from its definition's write to its removal, for which its last object makes way."""
        if resource.kind == CUSTOM_RESOURCE_DEFINITION:
            if change.removed:
                self._registry.withdraw(change.after)
            elif change.before is None or change.before.get("spec") != change.after["spec"]:
                self._registry.establish(change.after)
        elif change.removed and resource.custom:
            self._finish(resource.storage)

    def clean_up(self, definition: Obj) -> None:
        """Delete all objects of a kind whose definition is being deleted; the last one takes it along."""
        storage = storage_of(definition)
        resource = next(iter(self._registry.stored_as(storage)), None)
        if resource is not None:
            for obj in [*self._store.select(storage)]:
                self._deletion.delete(resource, obj, DeleteOptions("Background"), SYSTEM)
        self._finish(storage)

    def _finish(self, storage: str) -> None:
        definitions = self._registry.of(CUSTOM_RESOURCE_DEFINITION)
        definition = self._store.get(definitions.storage, "", storage)
        if definition is None or not definition["metadata"].get("deletionTimestamp") or self._store.count(storage):
            return
        meta = definition["metadata"]
        left = [each for each in meta.get("finalizers") or () if each != CLEANUP_FINALIZER]
        done = {**definition, "metadata": {**meta, "finalizers": left}}
        self._writes.replace(definitions, definition, done, SYSTEM)
