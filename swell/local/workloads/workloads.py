"""All of them together: started in order, each change of an object sent to whom it concerns."""

from __future__ import annotations

from swell.api.kinds import DEPLOYMENT, POD, REPLICA_SET, Kind
from swell.api.meta import Key, Obj, controller_of, key_of
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.events import Recorder
from swell.local.workloads.announcer import Announcer
from swell.local.workloads.cluster_cache import ClusterCache
from swell.local.workloads.deployment import Deployments
from swell.local.workloads.endpoints import Endpoints
from swell.local.workloads.garbage import Garbage
from swell.local.workloads.labels import labels_of, selects
from swell.local.workloads.namespaces import Namespaces
from swell.local.workloads.pods import is_active
from swell.local.workloads.replicaset import ReplicaSets
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons


class Workloads:
    """Deployments, ReplicaSets, EndpointSlices, owner references and namespaces of the embedded cluster.

    Everything is done on events, and from what there is: killed at any moment and started again, it goes on.
    """

    def __init__(self, kube: KubeClient, clock: Clock) -> None:
        self._daemons = Daemons()
        self._cache = ClusterCache(kube, clock)
        self._announcer = Announcer(Recorder(kube, "workloads", clock), clock)
        deployments = Deployments(self._cache, self._announcer)
        replica_sets = ReplicaSets(self._cache, self._announcer)
        self._deployments = Controller("deployments", deployments.reconcile, clock=clock)
        self._replica_sets = Controller("replica sets", replica_sets.reconcile, clock=clock)
        self._cache.of(DEPLOYMENT).add_handler(self._deployment_changed)
        self._cache.of(REPLICA_SET).add_handler(self._replica_set_changed)
        self._cache.of(POD).add_handler(self._pod_changed)
        self._endpoints = Endpoints(kube, clock, self._cache.of(POD))
        self._garbage = Garbage(kube, clock, lambda obj: self._namespaces.on_gone(obj))
        self._namespaces = Namespaces(kube, clock, lambda: self._garbage.kinds)

    async def start(self) -> None:
        """Returns once all caches are filled and everything runs."""
        await self._cache.start()
        for controller in (self._deployments, self._replica_sets):
            self._daemons.spawn(controller.run(), controller.name)
        self._daemons.spawn(self._announcer.run(), "events")
        await self._endpoints.start()
        await self._garbage.start()
        await self._namespaces.start()

    async def run(self) -> None:
        """`start`, then serve until cancelled; raises what a part of it died of."""
        try:
            await self.start()
            raise await self._daemons.wait_failed()
        finally:
            await self.close()

    async def close(self) -> None:
        await self._namespaces.close()
        await self._garbage.close()
        await self._endpoints.close()
        await self._daemons.close()
        await self._cache.close()

    def _deployment_changed(self, _: Obj | None, new: Obj | None) -> None:
        if new is not None:
            self._deployments.enqueue(key_of(new))

    def _replica_set_changed(self, old: Obj | None, new: Obj | None) -> None:
        if new is not None:
            same = old is not None and _wish(old) == _wish(new)
            (self._replica_sets.enqueue_soon if same else self._replica_sets.enqueue)(key_of(new))
        counts_only = old is not None and new is not None
        for obj in (old, new):
            if obj is not None:
                self._enqueue_owner(obj, "Deployment", self._deployments, soon=counts_only)
        if new is not None and controller_of(new) is None:
            self._enqueue_selecting(new, DEPLOYMENT, self._deployments)

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        for obj in (old, new):
            if obj is not None:
                # A pod that counts, or still counts, asks for nothing but another status.
                self._enqueue_owner(obj, "ReplicaSet", self._replica_sets, soon=new is not None and is_active(new))
        if new is None and old is not None:
            self._enqueue_deployment_of(old)
        elif new is not None and controller_of(new) is None:
            self._enqueue_selecting(new, REPLICA_SET, self._replica_sets)

    def _enqueue_owner(self, obj: Obj, kind: str, controller: Controller, *, soon: bool = False) -> None:
        reference = controller_of(obj)
        if reference is not None and reference["kind"] == kind:
            enqueue = controller.enqueue_soon if soon else controller.enqueue
            enqueue(Key(obj["metadata"]["namespace"], reference["name"]))

    def _enqueue_deployment_of(self, pod: Obj) -> None:
        """With the strategy Recreate, a Deployment waits for the last old pod to be gone."""
        reference = controller_of(pod)
        if reference is not None and reference["kind"] == "ReplicaSet":
            replica_set = self._cache.of(REPLICA_SET).get(pod["metadata"]["namespace"], reference["name"])
            if replica_set is not None:
                self._enqueue_owner(replica_set, "Deployment", self._deployments)

    def _enqueue_selecting(self, orphan: Obj, kind: Kind, controller: Controller) -> None:
        """Whoever selects an object without a controller may adopt it."""
        namespace = orphan["metadata"]["namespace"]
        for owner in self._cache.of(kind).items():
            if owner["metadata"]["namespace"] == namespace and selects(owner["spec"]["selector"], labels_of(orphan)):
                controller.enqueue(key_of(owner))


def _wish(replica_set: Obj) -> Obj:
    """All that a ReplicaSet asks for, without what it says of itself."""
    meta = {key: value for key, value in replica_set["metadata"].items() if key != "resourceVersion"}
    return {"metadata": meta, "spec": replica_set["spec"]}
