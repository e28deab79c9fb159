"""The caches that workloads share, and writes that the caches know of at once."""

from __future__ import annotations

from swell.api.kinds import DEPLOYMENT, POD, REPLICA_SET, Kind
from swell.api.meta import Obj, key_of, owner_reference
from swell.kube.apply import write_status
from swell.kube.client import KubeClient
from swell.kube.errors import NotFound
from swell.kube.informer import Informer
from swell.local.workloads.labels import Claim, claim, controller_key, orphan_key
from swell.runtime.clock import Clock

CONTROLLER: str = "controller"
ORPHAN: str = "orphan"
_WORKLOADS = (DEPLOYMENT, REPLICA_SET, POD)


class ClusterCache:
    """Deployments, ReplicaSets and pods. What is written through it is in the cache when the write returns."""

    def __init__(self, kube: KubeClient, clock: Clock) -> None:
        self.kube = kube
        self.clock = clock
        self._informers = {kind: Informer(kube, kind, clock=clock) for kind in _WORKLOADS}
        for informer in self._informers.values():
            informer.add_index(CONTROLLER, controller_key)
            informer.add_index(ORPHAN, orphan_key)

    def of(self, kind: Kind) -> Informer:
        return self._informers[kind]

    def claimed(self, owner: Obj, kind: Kind) -> Claim:
        """The objects of `kind` and what `owner` is to do about them."""
        meta = owner["metadata"]
        informer = self._informers[kind]
        return claim(owner, informer.indexed(CONTROLLER, meta["uid"]), informer.indexed(ORPHAN, meta["namespace"]))

    async def settle(self, owner: Obj, kind: Kind) -> list[Obj]:
        """Adopt and release what the selector of `owner` asks for; returns what it controls then."""
        found = self.claimed(owner, kind)
        for obj in found.release:
            await self._own(kind, obj, [each for each in _owners(obj) if each["uid"] != owner["metadata"]["uid"]])
        adopted = [await self._own(kind, obj, [*_owners(obj), owner_reference(owner)]) for obj in found.adopt]
        return found.owned + adopted

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        return self._learn(kind, await self.kube.create(kind, obj))

    async def patch(self, kind: Kind, obj: Obj, patch: Obj) -> Obj:
        """Change `obj`; raises `Conflict` if it is another object of that name by now."""
        meta = {"uid": obj["metadata"]["uid"], **patch.get("metadata", {})}
        namespace, name = key_of(obj)
        return self._learn(kind, await self.kube.patch(kind, namespace, name, {**patch, "metadata": meta}))

    async def write_status(self, kind: Kind, obj: Obj, status: Obj) -> Obj:
        if (obj.get("status") or {}) == status:
            return obj
        return self._learn(kind, await write_status(self.kube, kind, obj, status))

    async def delete(self, kind: Kind, obj: Obj) -> None:
        """Delete exactly this object; that it is gone already is as good."""
        namespace, name = key_of(obj)
        try:
            await self.kube.delete(kind, namespace, name, uid=obj["metadata"]["uid"])
            self._learn(kind, await self.kube.get(kind, namespace, name))  # on its way out, or new already
        except NotFound:
            return

    async def start(self) -> None:
        for informer in self._informers.values():
            await informer.start()

    async def close(self) -> None:
        for informer in self._informers.values():
            await informer.close()

    async def _own(self, kind: Kind, obj: Obj, owners: list[Obj]) -> Obj:
        return await self.patch(kind, obj, {"metadata": {"ownerReferences": owners}})

    def _learn(self, kind: Kind, obj: Obj) -> Obj:
        self._informers[kind].learn(obj)
        return obj


def _owners(obj: Obj) -> list[Obj]:
    owners: list[Obj] = obj["metadata"].get("ownerReferences") or []
    return owners
