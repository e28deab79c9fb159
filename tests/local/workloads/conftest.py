"""Workloads on the real embedded server, with a kubelet that runs nothing and does as told; virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from swell.api.kinds import DEPLOYMENT, EVENT, NAMESPACE, POD, REPLICA_SET, Kind
from swell.api.meta import Key, Obj, condition_of, key_of, rfc3339
from swell.kube.controller import Controller
from swell.kube.errors import NotFound
from swell.kube.informer import Informer
from swell.local.apiserver.server import ApiServer, StoreClient
from swell.local.apiserver.store import open_store
from swell.local.workloads import Workloads
from swell.testing.clock import ManualClock, settle

STEP_S = 0.05


class FakeKubelet:
    """Places every pod, makes it ready after `start_s` if `healthy` says so, ends it when it is deleted."""

    def __init__(self, kube: StoreClient, clock: ManualClock) -> None:
        self.start_s = 0.0
        self.end_s = 0.0
        self.healthy: Callable[[Obj], bool] = lambda _: True
        self._kube = kube
        self._clock = clock
        self._since: dict[str, float] = {}
        self._pods = Informer(kube, POD, clock=clock)
        self._pods.add_handler(lambda _, new: new is not None and self._controller.enqueue(key_of(new)))
        self._controller = Controller("fake kubelet", self._reconcile, clock=clock)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._pods.start()
        self._task = asyncio.create_task(self._controller.run())

    async def close(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._pods.close()

    async def _reconcile(self, key: Key) -> float | None:
        pod = self._pods.get(*key)
        if pod is None:
            return None
        meta, status = pod["metadata"], pod["status"]
        if "deletionTimestamp" in meta:
            return await self._end(pod)
        if not pod["spec"].get("nodeName"):
            placed = {"spec": {"nodeName": "local"}}
            await self._kube.patch(POD, meta["namespace"], meta["name"], placed)
            return None
        if status["phase"] == "Pending":
            await self.say(pod, ready=False)
            return None
        ready = any(condition["status"] == "True" for condition in status.get("conditions", ()))
        if status["phase"] == "Running" and not ready and self.healthy(pod):
            left_s = self._left_s(pod, "start", self.start_s)
            if left_s > 0:
                return left_s
            await self.say(pod, ready=True)
        return None

    async def _end(self, pod: Obj) -> float | None:
        left_s = self._left_s(pod, "end", self.end_s)
        if left_s > 0:
            return left_s
        namespace, name = key_of(pod)
        await self._kube.delete(POD, namespace, name, grace_period_s=0)
        return None

    def _left_s(self, pod: Obj, what: str, whole_s: float) -> float:
        since_s = self._since.setdefault(f"{what} {pod['metadata']['uid']}", self._clock.now())
        return since_s + whole_s - self._clock.now()

    async def say(self, pod: Obj, *, ready: bool, phase: str = "Running") -> Obj:
        """Write a pod's status."""
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": rfc3339(self._clock.wall()),
        }
        number = int(pod["metadata"]["uid"][:2], 16)
        status = {"phase": phase, "podIP": f"127.1.0.{number}", "conditions": [condition]}
        live = await self._kube.get(POD, *key_of(pod))
        return await self._kube.update(POD, {**live, "status": status}, subresource="status")


class World:
    """One embedded cluster with its workloads, and ways to look at it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = open_store(":memory:")
        self.kube = StoreClient(ApiServer(self.store, clock=self.clock))
        self.kubelet = FakeKubelet(self.kube, self.clock)
        self.workloads = Workloads(self.kube, self.clock)

    async def start(self) -> None:
        await self.kube.create(NAMESPACE, {"metadata": {"name": "default"}})
        await self.kubelet.start()
        await self.workloads.start()

    async def close(self) -> None:
        await self.workloads.close()
        await self.kubelet.close()
        self.store.close()

    async def restart(self) -> None:
        """The workloads die and come back."""
        await self.workloads.close()
        self.workloads = Workloads(self.kube, self.clock)
        await self.workloads.start()

    async def until(self, holds: Callable[[], Awaitable[Any]], within_s: float = 30.0) -> Any:
        """What `holds` gives once it is true; time passes meanwhile."""
        end_s = self.clock.now() + within_s
        while True:
            await settle()
            found = await holds()
            if found:
                return found
            if self.clock.now() >= end_s:
                raise AssertionError(f"never so; {await self.describe()}")
            self.clock.advance(STEP_S)

    async def passes(self, seconds: float) -> None:
        await self.clock.pass_time(seconds, step_s=0.1)

    async def describe(self) -> str:
        pods = [f"{pod['metadata']['name']} {pod['status']}" for pod in await self.pods()]
        sets = [f"{each['metadata']['name']} {each['spec']['replicas']} {each['status']}" for each in await self.sets()]
        deployments = [str(each["status"]) for each in (await self.kube.list(DEPLOYMENT)).items]
        return "\n".join(["pods:", *pods, "sets:", *sets, "deployments:", *deployments])

    def deployment(self, replicas: int = 1, *, image: str = "one", name: str = "hello", **spec: Any) -> Obj:
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
        body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        meta = {"name": name, "namespace": "default"}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body}

    async def deploy(self, replicas: int = 1, **options: Any) -> Obj:
        """Make the Deployment and wait until all of it is available."""
        made = await self.kube.create(DEPLOYMENT, self.deployment(replicas, **options))
        await self.until(lambda: self.available(replicas))
        return made

    async def change(self, spec: Obj, name: str = "hello") -> Obj:
        return await self.kube.patch(DEPLOYMENT, "default", name, {"spec": spec})

    async def set_image(self, image: str) -> Obj:
        return await self.change({"template": {"spec": {"containers": [{"name": "app", "image": image}]}}})

    async def scale(self, replicas: int) -> None:
        await self.kube.patch(DEPLOYMENT, "default", "hello", {"spec": {"replicas": replicas}}, subresource="scale")

    async def available(self, count: int) -> bool:
        """The Deployment is complete with so many replicas."""
        status = await self.status()
        live = await self.kube.get(DEPLOYMENT, "default", "hello")
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        return counts == [count] * 4 and status.get("observedGeneration") == live["metadata"]["generation"]

    async def status(self, name: str = "hello") -> Obj:
        status: Obj = (await self.kube.get(DEPLOYMENT, "default", name))["status"]
        return status

    async def condition(self, type_: str) -> Obj:
        return condition_of(await self.kube.get(DEPLOYMENT, "default", "hello"), type_)

    async def pods(self, namespace: str | None = None) -> list[Obj]:
        return (await self.kube.list(POD, namespace)).items

    async def sets(self) -> list[Obj]:
        return (await self.kube.list(REPLICA_SET)).items

    async def names(self, kind: Kind, namespace: str | None = None) -> set[str]:
        return {obj["metadata"]["name"] for obj in (await self.kube.list(kind, namespace)).items}

    async def events(self, reason: str) -> list[str]:
        return [each["message"] for each in (await self.kube.list(EVENT)).items if each["reason"] == reason]

    async def is_gone(self, kind: Kind, name: str) -> bool:
        try:
            await self.kube.get(kind, "default" if kind.namespaced else None, name)
        except NotFound:
            return True
        return False

    @property
    def version(self) -> int:
        """Grows with every write."""
        return self.store.version


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.start()
    yield world
    await world.close()
