"""The controller over the real embedded API server; Deployments and PodAutoscalers move by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from controller.program import Settings, run
from swell.api.admission import admit
from swell.api.crds import definitions
from swell.api.kinds import (
    CONFIG_MAP,
    CONFIGURATION,
    CORE_SERVICE,
    DEPLOYMENT,
    EVENT,
    LEASE,
    POD,
    POD_AUTOSCALER,
    REVISION,
    ROUTE,
    SERVICE,
    Kind,
)
from swell.api.meta import Obj, condition_of, is_ready
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.runtime.clock import SystemClock

NAMESPACE = "ns"
SYSTEM = "swell-system"
KINDS = (SERVICE, CONFIGURATION, REVISION, ROUTE, POD_AUTOSCALER, DEPLOYMENT, CORE_SERVICE, EVENT)
PROGRESSING = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}


def admitted(obj: Obj, *, old: Obj | None, operation: str, user: str, subresource: str, **_: object) -> Obj:
    return admit(obj, old=old, operation=operation, user=user, subresource=subresource).obj


class Counted(StoreClient):
    """Counts what is written, by method and kind."""

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server)
        self.writes: Counter[str] = Counter()
        self.reads = 0

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        self.reads += 1
        return await super().get(kind, namespace, name)

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        self.writes[f"create {kind}"] += 1
        return await super().create(kind, obj)

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        self.writes[f"{subresource or 'update'} {kind}"] += 1
        return await super().update(kind, obj, subresource=subresource)

    async def patch(self, kind: Kind, *args: Any, **options: Any) -> Obj:
        self.writes[f"patch {kind}"] += 1
        return await super().patch(kind, *args, **options)


class Cluster:
    """What a test does and sees; `counted` is the controller's own client."""

    def __init__(self) -> None:
        self.server = ApiServer(open_store(":memory:"), admit=admitted)
        bootstrap(self.server, definitions(), (NAMESPACE, SYSTEM))
        self.kube = StoreClient(self.server, "alice")
        self.counted = Counted(self.server)
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self, settings: Settings | None = None) -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stop.clear()
        self._running = asyncio.create_task(
            run(settings or Settings(), self.counted, SystemClock(), self._stop, ready.set_result)
        )
        await ready

    async def stop(self) -> None:
        self._stop.set()
        if self._running is not None:
            await self._running
            self._running = None

    async def until_leads(self, name: str) -> None:
        """Returns once that one holds the Lease."""
        async with asyncio.timeout(10):
            listed = await self.kube.list(LEASE, SYSTEM)
            if any(lease["spec"]["holderIdentity"] == name for lease in listed.items):
                return
            async for event in self.kube.watch(LEASE, SYSTEM, resource_version=listed.resource_version):
                if event.object["spec"]["holderIdentity"] == name:
                    return

    async def config(self, name: str, data: dict[str, str]) -> None:
        await self.kube.create(CONFIG_MAP, {"metadata": {"name": name, "namespace": SYSTEM}, "data": data})

    async def apply(self, name: str = "svc", *, image: str = "hello", **template: Any) -> Obj:
        """Create the Service, or change its template."""
        spec = {"template": {**template, "spec": {"containers": [{"image": image}]}}}
        listed = await self.kube.list(SERVICE, NAMESPACE, field_selector=f"metadata.name={name}")
        if listed.items:
            return await self.kube.patch(SERVICE, NAMESPACE, name, {"spec": spec})
        meta = {"name": name, "namespace": NAMESPACE}
        return await self.kube.create(SERVICE, {"metadata": meta, "spec": spec})

    async def get(self, kind: Kind, name: str) -> Obj:
        return await self.kube.get(kind, NAMESPACE, name)

    async def until(self, kind: Kind, name: str, seen: Callable[[Obj], Any]) -> Obj:
        """The object once `seen` says so."""
        last: Obj = {}
        selector = f"metadata.name={name}"
        try:
            async with asyncio.timeout(10):
                listed = await self.kube.list(kind, NAMESPACE, field_selector=selector)
                for last in listed.items:
                    if seen(last):
                        return last
                version = listed.resource_version
                async for event in self.kube.watch(kind, NAMESPACE, resource_version=version, field_selector=selector):
                    last = event.object
                    if seen(last):
                        return last
        except TimeoutError:
            raise AssertionError(f"{kind} {name} never came to it: {last}") from None
        raise AssertionError("the watch ended")

    async def gone(self, kind: Kind, name: str) -> None:
        """Returns once there is no such object."""
        selector = f"metadata.name={name}"
        async with asyncio.timeout(10):
            listed = await self.kube.list(kind, NAMESPACE, field_selector=selector)
            if not listed.items:
                return
            version = listed.resource_version
            async for event in self.kube.watch(kind, NAMESPACE, resource_version=version, field_selector=selector):
                if event.type == "DELETED":
                    return

    async def touched_since(self, version: str) -> set[str]:
        """The names of the objects that were written after that version of the cluster."""
        found = set()
        for kind in KINDS:
            for obj in (await self.kube.list(kind, NAMESPACE)).items:
                if int(obj["metadata"]["resourceVersion"]) > int(version):
                    found.add(obj["metadata"]["name"])
        return found

    async def run_pods(self, revision: str, ready: int = 1) -> None:
        """What workloads and kubelet do: the revision's pods become ready."""
        deployment = await self.until(DEPLOYMENT, f"{revision}-deployment", lambda _: True)
        status = {
            "replicas": deployment["spec"]["replicas"],
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": [PROGRESSING],
        }
        await self.kube.update(DEPLOYMENT, {**deployment, "status": status}, subresource="status")

    async def autoscale(self, revision: str, active: str = "True", ready: int = 1) -> None:
        """What the autoscaler does: the PodAutoscaler is initialized, and in use or not."""
        podautoscaler = await self.until(POD_AUTOSCALER, revision, lambda _: True)
        reason = {"reason": "NoTraffic", "message": "The target is not receiving traffic."}
        status = {
            "observedGeneration": podautoscaler["metadata"]["generation"],
            "serviceName": "",
            "metricsServiceName": "",
            "actualScale": ready,
            "desiredScale": ready,
            "conditions": [
                {"type": "Active", "status": active, **(reason if active != "True" else {})},
                {"type": "Ready", "status": active, **(reason if active != "True" else {})},
                {"type": "ScaleTargetInitialized", "status": "True"},
            ],
        }
        await self.kube.update(POD_AUTOSCALER, {**podautoscaler, "status": status}, subresource="status")

    async def serve(self, revision: str) -> None:
        await self.run_pods(revision)
        await self.autoscale(revision)

    async def ready(self, name: str = "svc") -> Obj:
        """The Service once it is Ready at its present generation."""
        return await self.until(SERVICE, name, is_ready)

    async def break_pod(self, revision: str, *, waiting: Obj | None = None, ended: Obj | None = None) -> Obj:
        """A pod of the revision whose app does not run, with the reason."""
        owner = await self.until(REVISION, revision, lambda _: True)
        name = f"{revision}-pod"
        pod = {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": {
                    "serving.knative.dev/revision": revision,
                    "serving.knative.dev/revisionUID": owner["metadata"]["uid"],
                },
            },
            "spec": {"containers": [{"name": "user-container", "image": "hello"}]},
        }
        made = await self.kube.create(POD, pod)
        container: Obj = {"name": "user-container", "image": "hello", "imageID": "", "ready": False, "restartCount": 0}
        container["state"] = {"waiting": waiting or {"reason": "CrashLoopBackOff"}}
        if ended is not None:
            container["lastState"] = {"terminated": ended}
        status = {"phase": "Pending", "containerStatuses": [container]}
        return await self.kube.update(POD, {**made, "status": status}, subresource="status")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster = Cluster()
    await cluster.config("config-domain", {"localhost": ""})
    await cluster.config("config-network", {"swell.external-port": "8080"})
    await cluster.start()
    yield cluster
    await cluster.stop()


@pytest.fixture
def says() -> Callable[..., Obj]:
    """A condition of an object, by type."""
    return condition_of
