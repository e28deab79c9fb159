"""The autoscaler over the real embedded API server, a real websocket before it, and virtual time.

Deployments and pods move by hand, as their controllers would move them.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from autoscaler.program import Settings, run
from swell.api.crds import definitions
from swell.api.kinds import CONFIG_MAP, DEPLOYMENT, POD, POD_AUTOSCALER, Kind
from swell.api.meta import Obj, condition_of
from swell.kube.client import Patch
from swell.kube.controller import GATHER_S
from swell.kube.errors import KubeError
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.testing.clock import ManualClock, settle
from swell.testing.outage import CutOff
from swell.wire.history import RevisionHistory, encode_history
from swell.wire.report import encode_messages
from swell.wire.stats import Stat

SYSTEM = "swell-system"
NAME = "hello-00001"
PREFIX = "autoscaling.knative.dev/"


class Kube(StoreClient):
    """The embedded server's client. Counts writes; `refuse` are the errors that the next scale writes meet,
    `refused_kinds` those of creates."""

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server)
        self.writes: Counter[str] = Counter()
        self.scaled: list[int] = []
        self.refuse: list[KubeError] = []
        self.gate: asyncio.Event | None = None
        self.refused_kinds: dict[Kind, KubeError] = {}

    async def create(self, kind: Kind, obj: Obj, **options: Any) -> Obj:
        if kind in self.refused_kinds:
            raise self.refused_kinds[kind]
        return await super().create(kind, obj, **options)

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        self.writes[f"{kind.kind} {subresource}".strip()] += 1
        return await super().update(kind, obj, subresource=subresource)

    async def patch(self, kind: Kind, namespace: str | None, name: str, patch: Patch, **options: Any) -> Obj:
        if options.get("subresource") == "scale":
            if self.gate is not None:
                await self.gate.wait()
            if self.refuse:
                raise self.refuse.pop(0)
            assert isinstance(patch, dict)
            self.scaled.append(patch["spec"]["replicas"])
        return await super().patch(kind, namespace, name, patch, **options)


class World:
    """One autoscaler with one activator connected, and the objects of its revisions."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.kube = Kube(ApiServer(open_store(":memory:"), clock=self.clock))
        bootstrap(self.kube._server, definitions(), ["default", SYSTEM])
        self.api = CutOff(self.kube)
        self.socket: ClientConnection | None = None
        self.port = 0
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[int] | None = None

    async def start(self, *, heard: bool = True, **options: Any) -> None:
        """Run the autoscaler; with `heard` an activator connects and has been there for some seconds."""
        ready = self._ready = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        settings = Settings(system_namespace=SYSTEM, listen_ip="127.0.0.1", port=self.port, **options)
        self._running = asyncio.create_task(run(settings, self.api, self.clock, self._stop, self._serves))
        await asyncio.wait((self._running, ready), return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            self._running.result()
        self.port = ready.result()
        if heard:
            await self.connect()
            await self.clock.pass_time(2.0, step_s=1.0)

    def _serves(self, port: int) -> None:
        """It listens; with an election that may happen more than once."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(port)

    async def back(self) -> None:
        """The API server is there again; time passes until the autoscaler, which had lost its Lease, serves too."""
        ready = self._ready = asyncio.get_running_loop().create_future()
        self.api.mend()
        while not ready.done():
            await self.quiet(1)
            # Sockets take their time, which must not look like much time to the windows.
            await asyncio.wait((ready,), timeout=0.5)

    async def stop(self) -> None:
        self._stop.set()
        if self._running is not None:
            await self._running

    async def connect(self) -> None:
        self.socket = await connect(f"ws://127.0.0.1:{self.port}", compression=None, ping_interval=None)
        await self._taken()

    async def disconnect(self) -> None:
        assert self.socket is not None
        await self.socket.close()
        self.socket = None
        await settle()

    async def report(self, concurrency: float, *names: str, count: float = 1.0) -> None:
        """The activator's report for each of the revisions; returns once what follows from it has been done."""
        stat = Stat(pod_name="activator", average_concurrent_requests=concurrency, request_count=count)
        await self.send(encode_messages([("default", name, stat) for name in names or (NAME,)]))

    async def send(self, frame: bytes | str) -> None:
        assert self.socket is not None
        await self.socket.send(frame)
        await self._taken()

    async def history(self, age_s: float, samples: dict[float, float], *, activator: str = "activator") -> None:
        """What the activator remembers: concurrency by age in seconds, the oldest first."""
        found = array("d", [number for age_s, value in samples.items() for number in (age_s, value, 1.0)])
        await self.send(encode_history(activator, age_s, [RevisionHistory("default", NAME, found)]))

    async def activator(self, name: str) -> None:
        """A pod of the front door, ready."""
        meta = {"name": name, "namespace": SYSTEM, "labels": {"app": "activator"}}
        spec = {"containers": [{"name": "activator", "image": "swell"}]}
        pod = await self.kube.create(POD, {"metadata": meta, "spec": spec})
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await self.kube.update(POD, {**pod, "status": status}, subresource="status")

    async def _taken(self) -> None:
        """Frames are taken in order: when the pong is here, so is all that came before the ping."""
        assert self.socket is not None
        await (await self.socket.ping())
        await settle()

    async def load(self, concurrency: float, seconds: int, name: str = NAME) -> None:
        """Report so much each second."""
        for _ in range(seconds):
            await self.report(concurrency, name)
            await self.clock.pass_time(1.0, step_s=0.5)

    async def quiet(self, seconds: float) -> None:
        await self.clock.pass_time(seconds, step_s=0.5)

    async def idle(self, seconds: int, name: str = NAME) -> None:
        """Time without reports, in which pods follow the Deployment."""
        for _ in range(seconds):
            await self.quiet(1)
            await self.follow(name)

    async def revision(
        self, name: str = NAME, *, replicas: int = 1, ready: int | None = None, limit: int = 0, **notes: str
    ) -> None:
        """A Deployment, its pods and a PodAutoscaler; annotations by keyword, with _ for -."""
        labels = {"serving.knative.dev/revision": name, "serving.knative.dev/revisionUID": f"uid-{name}"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
        await self.kube.create(
            DEPLOYMENT,
            {
                "metadata": {"name": f"{name}-deployment", "namespace": "default", "labels": labels},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
            },
        )
        await self.kube.create(
            POD_AUTOSCALER,
            {
                "apiVersion": POD_AUTOSCALER.api_version,
                "kind": POD_AUTOSCALER.kind,
                "metadata": {
                    "name": name,
                    "namespace": "default",
                    "labels": labels,
                    "annotations": {f"{PREFIX}{key.replace('_', '-')}": value for key, value in notes.items()},
                },
                "spec": {
                    "containerConcurrency": limit,
                    "protocolType": "http1",
                    "scaleTargetRef": {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": f"{name}-deployment",
                    },
                },
            },
        )
        await self.pods(replicas if ready is None else ready, name)

    async def at_zero(self, name: str = NAME, **notes: str) -> None:
        """A revision that has been scaled to zero in the usual way."""
        notes = {"window": "6s", **notes}
        await self.revision(name, **notes)
        await self.quiet(60)
        assert (await self.replicas(name), await self.active(name)) == (0, ("False", "NoTraffic"))
        await self.pods(0, name)

    async def pods(self, ready: int, name: str = NAME, *, told: bool = True) -> None:
        """Have so many pods, all ready; with `told` False Kubernetes does not say so yet of the new ones."""
        selector = f"serving.knative.dev/revision={name}"
        seen = (await self.kube.list(POD, "default", label_selector=selector)).items
        for pod in seen[ready:]:
            await self.kube.delete(POD, "default", pod["metadata"]["name"], grace_period_s=0)
        labels = {"serving.knative.dev/revision": name, "serving.knative.dev/revisionUID": f"uid-{name}"}
        for _ in range(len(seen), ready):
            pod = await self.kube.create(
                POD,
                {
                    "metadata": {"generateName": f"{name}-", "namespace": "default", "labels": labels},
                    "spec": {"containers": [{"name": "app", "image": "app"}]},
                },
            )
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(told)}]}
            await self.kube.update(POD, {**pod, "status": status}, subresource="status")
        await settle()

    async def follow(self, name: str = NAME) -> None:
        """Make the pods what the Deployment asks for."""
        await self.pods(await self.replicas(name), name)
        await self.quiet(GATHER_S)

    async def annotate(self, name: str = NAME, **notes: str) -> None:
        found = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in notes.items()}
        await self.kube.patch(POD_AUTOSCALER, "default", name, {"metadata": {"annotations": found}})
        await settle()

    async def reach(self, reachability: str, name: str = NAME) -> None:
        await self.kube.patch(POD_AUTOSCALER, "default", name, {"spec": {"reachability": reachability}})
        await settle()

    async def configure(self, **data: str) -> None:
        """ConfigMap config-autoscaler; keys by keyword, with _ for -."""
        found = {key.replace("_", "-"): value for key, value in data.items()}
        meta = {"name": "config-autoscaler", "namespace": SYSTEM}
        try:
            await self.kube.create(CONFIG_MAP, {"metadata": meta, "data": found})
        except KubeError:
            await self.kube.patch(CONFIG_MAP, SYSTEM, meta["name"], {"data": found})
        await settle()

    async def replicas(self, name: str = NAME) -> int:
        deployment = await self.kube.get(DEPLOYMENT, "default", f"{name}-deployment")
        found: int = deployment["spec"]["replicas"]
        return found

    async def status(self, name: str = NAME) -> Obj:
        found: Obj = (await self.kube.get(POD_AUTOSCALER, "default", name)).get("status") or {}
        return found

    async def active(self, name: str = NAME) -> tuple[str, str]:
        found = condition_of(await self.kube.get(POD_AUTOSCALER, "default", name), "Active")
        return found["status"], found.get("reason", "")

    async def http(self, path: str, port: int = 0, **headers: str) -> tuple[int, str]:
        """A GET of the autoscaler's port, or of another."""

        def get() -> tuple[int, str]:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", headers=named)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read().decode()

        return await asyncio.to_thread(get)

    async def decisions(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await self.http("/decisions"))[1])
        return found


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[World]:
    world = World()
    await world.start(**options)
    try:
        yield world
    finally:
        if world.socket is not None:
            await world.socket.close()
        await world.stop()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A running autoscaler that one activator has been connected to for some seconds."""
    async with running() as found:
        yield found


@pytest.fixture
def new_world() -> Callable[[], World]:
    """For tests that start and stop the autoscaler themselves."""
    return World
