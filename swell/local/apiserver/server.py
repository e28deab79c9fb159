"""The embedded API server: reads and writes for every kind, over one store.

Everything here is synchronous and runs in one event loop. The HTTPS front, the link and, by way of `StoreClient`,
the programs in this process are clients of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from swell.api.kinds import CUSTOM_RESOURCE_DEFINITION, EVENT, NAMESPACE, Kind
from swell.api.meta import Obj, parse_rfc3339, rfc3339
from swell.kube.client import PatchType
from swell.kube.errors import AlreadyExists
from swell.local.apiserver import paging, patches, scale
from swell.local.apiserver.client import StoreClient as StoreClient
from swell.local.apiserver.defined import DefinedKinds
from swell.local.apiserver.deletion import DeleteOptions, Deletion
from swell.local.apiserver.failures import (
    bad_request,
    expired,
    no_such_resource,
    not_found,
    unsupported_media,
)
from swell.local.apiserver.hub import Hub, Subscription
from swell.local.apiserver.managed import merge_applied
from swell.local.apiserver.metadata import sent_metadata
from swell.local.apiserver.registry import Registry
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.selection import Matches, Selection, everything, exact_name, selector
from swell.local.apiserver.store import Store
from swell.local.apiserver.strategic import apply_merge, strategic_merge
from swell.local.apiserver.writes import SYSTEM, Admit, Caller, Writes
from swell.runtime.clock import Clock, SystemClock

EVENTS_MAX: Final = 2000
EVENT_LIFE_S: Final = 3600.0
ALL: Final = Selection()


class ApiServer:
    """All kinds over one store. Objects that it returns are shared: copy before changing them.

    `admit` defaults and validates objects on their way in; see `Admit`.
    """

    def __init__(self, store: Store, *, clock: Clock | None = None, admit: Admit | None = None) -> None:
        self.clock = clock or SystemClock()
        self.registry = Registry()
        self._store = store
        self._hub = Hub(store.version)
        self._writes = Writes(store, self._hub, self.registry, self.clock, _translated(admit))
        self._deletion = Deletion(self._writes, self.clock)
        self._defined = DefinedKinds(store, self.registry, self._writes, self._deletion)
        self._writes.on_commit = self._defined.on_commit
        self.measured: dict[Kind, Callable[[], list[Obj]]] = {}
        """Kinds that are only read, and not kept: who tells what there is."""

    @property
    def version(self) -> str:
        """The resource version of the latest write."""
        return str(self._store.version)

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return self._hub.watchers

    def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        namespace = namespace if resource.kind.namespaced else ""
        if resource.kind in self.measured:
            found = self._candidates(resource, namespace, ALL)
            obj = next((each for each in found if each["metadata"]["name"] == name), None)
        else:
            obj = self._store.get(resource.storage, namespace, name)
        if obj is None:
            raise not_found(resource.kind, name)
        return _as_version(resource, obj)

    def list(
        self, resource: Resource, namespace: str | None, selection: Selection = ALL, page: paging.Page = paging.WHOLE
    ) -> paging.Listing:
        """A page of the objects that match; raises `Invalid` for a selector that is not understood."""
        matches = self._matches(resource, selection)
        found = (_as_version(resource, obj) for obj in self._candidates(resource, namespace, selection))
        return paging.cut([obj for obj in found if matches(obj)], page, self._store.version)

    def watch(self, resource: Resource, namespace: str | None, selection: Selection, since: str) -> Subscription:
        """Changes after the version `since`; raises `Expired` if they are no longer kept."""
        version = _number(since)
        if version > self._store.version:
            raise expired(version, self._store.version)
        matches = self._matches(resource, selection)
        return self._hub.subscribe(resource.storage, namespace, matches, version)

    def create(self, resource: Resource, namespace: str, obj: Obj, caller: Caller) -> Obj:
        if resource.kind == EVENT:
            self._trim_events()
        return self._writes.create(resource, namespace, obj, caller)

    def update(
        self, resource: Resource, namespace: str, name: str, obj: Obj, caller: Caller, subresource: str = ""
    ) -> Obj:
        old = self._old(resource, namespace, name, subresource)
        found = sent_metadata(obj).get("name", name)
        if found != name:
            raise bad_request(f"the name of the object ({found}) does not match the name on the URL ({name})")
        return self._writes.replace(resource, old, obj, caller, subresource)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        patch_type: PatchType,
        caller: Caller,
        subresource: str = "",
    ) -> Obj:
        old = self._old(resource, namespace, name, subresource)
        target = scale.scale_of(resource, old) if subresource == "scale" else old
        new = self._patched(resource, target, patch, patch_type)
        if not isinstance(new, dict):
            raise bad_request("the patch does not leave an object")
        return self._writes.replace(resource, old, new, caller, subresource)

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        wanted: Obj,
        caller: Caller,
        *,
        manager: str,
        force: bool = False,
        subresource: str = "",
    ) -> Obj:
        """Server-side apply: make the object have what `wanted` says, creating it if need be.

        Raises `Conflict` where another manager applied other values, unless `force`.
        """
        meta = sent_metadata(wanted)
        if meta.get("name", name) != name:
            raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
        if meta.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        wanted = {**wanted, "metadata": {**meta, "name": name}}
        stored = self._store.get(resource.storage, namespace if resource.kind.namespaced else "", name)
        if subresource:
            old = self._old(resource, namespace, name, subresource)
            return self._writes.replace(resource, old, apply_merge(resource.schema(), old, wanted), caller, subresource)
        old = {"metadata": {}} if stored is None else _as_version(resource, stored)
        now = rfc3339(self.clock.wall())
        merged, managed = merge_applied(resource.schema(), old, wanted, manager=manager, force=force, now=now)
        caller = replace(caller, managed=managed)
        if stored is None:
            return self.create(resource, namespace, merged, caller)
        return self._writes.replace(resource, old, merged, caller)

    def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions, caller: Caller
    ) -> tuple[Obj, bool]:
        """The object as it is afterwards, and whether it is gone."""
        obj = self.get(resource, namespace, name)
        after, gone = self._deletion.delete(resource, obj, options, caller)
        if resource.kind == CUSTOM_RESOURCE_DEFINITION and not caller.dry_run and not gone:
            self._defined.clean_up(after)
        return after, gone

    def bind(self, namespace: str, name: str, node: str, caller: Caller) -> None:
        """Place a pod on a node."""
        pods = self.registry.find("", "v1", "pods")
        pod = self.get(pods, namespace, name)
        self._writes.replace(pods, pod, {**pod, "spec": {**pod["spec"], "nodeName": node}}, caller)

    def scale(self, resource: Resource, namespace: str, name: str) -> Obj:
        return scale.scale_of(resource, self._old(resource, namespace, name, "scale"))

    def _matches(self, resource: Resource, selection: Selection) -> Matches:
        if not selection.labels and not selection.fields:
            return everything
        return selector(selection.labels, selection.fields, resource.fields)

    def _candidates(self, resource: Resource, namespace: str | None, selection: Selection) -> Iterable[Obj]:
        measure = self.measured.get(resource.kind)
        if measure is not None:
            return [obj for obj in measure() if namespace in (None, obj["metadata"]["namespace"])]
        name = exact_name(selection.fields)
        if name is None or (namespace is None and resource.kind.namespaced):
            return self._store.select(resource.storage, namespace)
        obj = self._store.get(resource.storage, namespace or "", name)
        return [] if obj is None else [obj]

    def _old(self, resource: Resource, namespace: str, name: str, subresource: str) -> Obj:
        if subresource and not resource.has(subresource):
            raise no_such_resource()
        return self.get(resource, namespace, name)

    def _patched(self, resource: Resource, target: Obj, patch: Any, patch_type: PatchType) -> Any:
        if patch_type == "json":
            return patches.json_patch(target, patch)
        if not isinstance(patch, dict):
            raise bad_request("the patch is no object")
        if patch_type == "merge":
            return patches.merge(target, patch)
        if resource.custom:
            raise unsupported_media("strategic-merge-patch", "custom resources take merge patches and JSON patches")
        return strategic_merge(resource.schema(), target, patch)

    def _trim_events(self) -> None:
        """Bound the number of Events: when there are many, the older half goes, and what is past its time."""
        if self._store.count("events") < EVENTS_MAX:
            return
        events = self.registry.of(EVENT)
        by_age = sorted(self._store.select("events"), key=lambda obj: int(obj["metadata"]["resourceVersion"]))
        oldest_s = self.clock.wall() - EVENT_LIFE_S
        for index, event in enumerate(by_age):
            if index < EVENTS_MAX // 2 or parse_rfc3339(event["metadata"]["creationTimestamp"]) < oldest_s:
                self._writes.remove(events, event, event)


def bootstrap(server: ApiServer, crds: Iterable[Obj], namespaces: Iterable[str]) -> None:
    """Make sure that these kinds and namespaces are there; changes only what differs."""
    definitions = server.registry.of(CUSTOM_RESOURCE_DEFINITION)
    for definition in crds:
        try:
            server.create(definitions, "", definition, SYSTEM)
        except AlreadyExists:
            name = definition["metadata"]["name"]
            server.patch(definitions, "", name, _spec_and_labels(definition), "merge", SYSTEM)
    kinds = server.registry.of(NAMESPACE)
    for name in namespaces:
        try:
            server.create(kinds, "", {"metadata": {"name": name}}, SYSTEM)
        except AlreadyExists:
            continue


def _spec_and_labels(definition: Obj) -> Obj:
    labels = definition["metadata"].get("labels")
    return {"spec": definition["spec"], **({"metadata": {"labels": labels}} if labels else {})}


def _as_version(resource: Resource, obj: Obj) -> Obj:
    """A custom object as the version asked for: versions differ in their name only."""
    if not resource.custom or obj.get("apiVersion") == resource.kind.api_version:
        return obj
    return {**obj, "apiVersion": resource.kind.api_version}


def _number(version: str) -> int:
    try:
        return int(version)
    except ValueError:
        raise bad_request(f'invalid resource version "{version}": want the one of a list or an event') from None


def _translated(admit: Admit | None) -> Admit:
    """`admit`, with its refusals as errors of the API."""
    if admit is None:
        return _as_it_is
    from swell.api.admission import Denied

    def admitted(obj: Obj, **about: Any) -> Obj:
        try:
            return admit(obj, **about)
        except Denied as exc:
            raise bad_request(str(exc)) from exc

    return admitted


def _as_it_is(obj: Obj, **_: object) -> Obj:
    return obj
