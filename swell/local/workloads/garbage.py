"""Owner references: what goes when its owner goes, what an owner waits for, what is left to itself.

The graph of all kinds says where to look; what is deleted is decided on live objects only.
"""

from __future__ import annotations

from collections.abc import Callable

from swell.api.kinds import Kind
from swell.api.meta import Key, Obj, key_of
from swell.kube.client import KubeClient, Propagation
from swell.kube.errors import NotFound
from swell.local.workloads.graph import FOREGROUND, ORPHAN, Graph, owners_of
from swell.runtime import log
from swell.runtime.clock import Clock

logger = log.get(__name__)


class Garbage:
    """Deletes what nobody owns any more; `on_gone` hears of each object that is deleted, by whomever."""

    def __init__(self, kube: KubeClient, clock: Clock, on_gone: Callable[[Obj], object]) -> None:
        self._kube = kube
        self._graph = Graph(kube, clock, self._reconcile, on_gone)

    @property
    def kinds(self) -> list[Kind]:
        """All kinds whose objects own or are owned."""
        return self._graph.kinds

    async def start(self) -> None:
        await self._graph.start()

    async def close(self) -> None:
        await self._graph.close()

    async def _reconcile(self, kind: Kind, key: Key) -> None:
        obj = self._graph.get(kind, key)
        if obj is None:
            return
        if "deletionTimestamp" not in obj["metadata"]:
            await self._collect(kind, obj)
            return
        finalizers = obj["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            await self._orphan(kind, obj)
        elif FOREGROUND in finalizers:
            await self._delete_dependents(kind, obj)

    async def _collect(self, kind: Kind, obj: Obj) -> None:
        """Delete what has no owner left; where another owner is there, forget those that are gone."""
        references = owners_of(obj)
        present = [reference for reference in references if await self._exists(obj, reference)]
        if len(present) == len(references):
            return
        if present:
            await self._set_owners(kind, obj, present)
        else:
            await self._delete(kind, obj, "Background")

    async def _exists(self, obj: Obj, reference: Obj) -> bool:
        kind = self._graph.kind_of(reference)
        if kind is None:
            return True  # nobody knows its kind, so nobody knows that it is gone
        namespace = obj["metadata"].get("namespace", "") if kind.namespaced else ""
        try:
            owner = await self._kube.get(kind, namespace, reference["name"])
        except NotFound:
            return False
        return bool(owner["metadata"]["uid"] == reference["uid"])

    async def _orphan(self, kind: Kind, obj: Obj) -> None:
        uid = obj["metadata"]["uid"]
        for dependent_kind, dependent in self._graph.dependents(uid):
            others = [each for each in owners_of(dependent) if each["uid"] != uid]
            await self._set_owners(dependent_kind, dependent, others)
        await self._drop_finalizer(kind, obj, ORPHAN)

    async def _delete_dependents(self, kind: Kind, obj: Obj) -> None:
        """In the foreground: first the dependents, then, when none is left that blocks, the owner."""
        uid = obj["metadata"]["uid"]
        blocked = False
        for dependent_kind, dependent in self._graph.dependents(uid):
            references = owners_of(dependent)
            blocked |= any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in references)
            if "deletionTimestamp" not in dependent["metadata"]:
                await self._delete(dependent_kind, dependent, self._propagation(dependent))
        if not blocked:
            await self._drop_finalizer(kind, obj, FOREGROUND)

    def _propagation(self, obj: Obj) -> Propagation:
        """Whoever has dependents takes them along first, all the way down."""
        return "Foreground" if self._graph.dependents(obj["metadata"]["uid"]) else "Background"

    async def _delete(self, kind: Kind, obj: Obj, propagation: Propagation) -> None:
        namespace, name = key_of(obj)
        try:
            await self._kube.delete(kind, namespace, name, propagation=propagation, uid=obj["metadata"]["uid"])
        except NotFound:
            return
        logger.debug("collected", kind=kind, name=name, namespace=namespace)

    async def _set_owners(self, kind: Kind, obj: Obj, owners: list[Obj]) -> None:
        await self._patch_meta(kind, obj, {"ownerReferences": owners or None})

    async def _drop_finalizer(self, kind: Kind, obj: Obj, finalizer: str) -> None:
        left = [each for each in obj["metadata"].get("finalizers") or () if each != finalizer]
        await self._patch_meta(kind, obj, {"finalizers": left or None})

    async def _patch_meta(self, kind: Kind, obj: Obj, change: Obj) -> None:
        namespace, name = key_of(obj)
        # Of the version that was looked at: lists are replaced as a whole.
        guard = {key: obj["metadata"][key] for key in ("uid", "resourceVersion")}
        try:
            await self._kube.patch(kind, namespace, name, {"metadata": {**change, **guard}})
        except NotFound:
            return
