"""The request log of a whole front door over the real API server: spec dataplane 2.2, 2.11."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from activator.program import FrontDoor, Settings
from swell.api.crds import definitions
from swell.api.kinds import CONFIG_MAP, POD, REVISION, ROUTE
from swell.config.observability import NAME
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.runtime.clock import SystemClock
from swell.testing.peers import OK, WAIT_S, App, call, free_port
from swell.testing.waiting import until

SYSTEM = "swell-system"
HOST = "hello.default.localhost"
SHORT = "{{.Revision.Name}} {{.Revision.Service}} {{.Request.RequestURI}} {{.Response.Code}}{{.Revision.PodName}}"


async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A pod: ready, and says hello."""
    if head.startswith(b"GET /broken"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await writer.drain()
        writer.transport.abort()
    else:
        writer.write(OK % (5, b"queue" if b"K-Network-Probe" in head else b"hello"))


class World:
    """A front door, a Service that it knows with one pod, and what the log says."""

    def __init__(self, output: pytest.CaptureFixture[str]) -> None:
        clock = SystemClock()
        server = ApiServer(open_store(":memory:"), clock=clock)
        bootstrap(server, definitions(), ["default", SYSTEM])
        self.kube = StoreClient(server)
        self.app = App(serve)
        autoscaler = f"ws://127.0.0.1:{free_port()}"
        settings = Settings(listen_ip="127.0.0.1", gateway_port=0, admin_port=0, autoscaler_url=autoscaler)
        self.door = FrontDoor(settings, self.kube, clock)
        self._output = output

    async def start(self) -> None:
        labels = {
            "serving.knative.dev/service": "hello",
            "serving.knative.dev/configuration": "hello-config",
            "serving.knative.dev/revision": "hello-00001",
        }
        meta = {"namespace": "default", "labels": labels}
        annotations = {"swell.dev/body-bytes-max": "4"}
        revision = {"metadata": {**meta, "name": "hello-00001", "annotations": annotations}}
        revision["spec"] = {"containers": [{"image": "a"}]}
        await self.kube.create(REVISION, revision)
        traffic = [{"revisionName": "hello-00001", "percent": 100}]
        route = {"metadata": {**meta, "name": "hello"}}
        await self.kube.create(ROUTE, route)
        status = {"url": f"http://{HOST}", "traffic": traffic}
        await self.kube.patch(ROUTE, "default", "hello", {"status": status}, patch_type="merge", subresource="status")
        queue_proxy = {
            "name": "queue-proxy",
            "image": "a",
            "ports": [{"name": "queue-port", "containerPort": self.app.port}],
        }
        pod = {"metadata": {**meta, "name": "hello-1"}, "spec": {"containers": [queue_proxy]}}
        await self.kube.create(POD, pod)
        status = {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        await self.kube.patch(POD, "default", "hello-1", {"status": status}, patch_type="merge", subresource="status")
        await self.kube.create(CONFIG_MAP, {"metadata": {"name": NAME, "namespace": SYSTEM}})
        await self.app.start()
        await self.door.start()

    async def configure(self, *, on: bool, template: str | None = None) -> None:
        """Change config-observability, and wait until the front door has seen it."""
        data = {"logging.enable-request-log": str(on).lower(), "logging.request-log-template": template}
        await self.kube.patch(CONFIG_MAP, SYSTEM, NAME, {"data": data}, patch_type="merge")
        await until(lambda: self.door.request_log.on == on)

    async def get(self, path: str = "/", host: str = HOST, **headers: str) -> int:
        address = ("127.0.0.1", self.door.gateway_port)
        return (await call(address, path, {"Host": host, **headers})).status

    async def lines(self, count: int) -> list[str]:
        """The next so many lines of the log."""
        found: list[str] = []

        def enough() -> bool:
            found.extend(self._output.readouterr().out.splitlines())
            return len(found) >= count

        await until(enough)
        assert len(found) == count
        return found


@pytest.fixture
async def world(capfd: pytest.CaptureFixture[str]) -> AsyncIterator[World]:
    world = World(capfd)
    try:
        await world.start()
        yield world
    finally:
        await world.door.close()
        await world.app.stop()


async def test_a_line_for_each_request_of_a_revision_while_it_is_on(world: World) -> None:
    assert await world.get("/before") == 200
    await world.configure(on=True)
    assert await world.get("/a'b", **{"User-Agent": 'x"y'}) == 200
    (line,) = await world.lines(1)
    http = json.loads(line)["httpRequest"]
    assert (http["requestMethod"], http["requestUrl"], http["status"]) == ("GET", "/a'b", 200)
    assert (http["responseSize"], http["userAgent"], http["serverIp"]) == ("5", 'x"y', "")
    assert 0 < float(http["latency"].removesuffix("s")) < WAIT_S
    await world.configure(on=False)
    assert await world.get("/after") == 200
    await world.configure(on=True, template=SHORT)
    assert await world.get("/again") == 200
    assert await world.lines(1) == ["hello-00001 hello /again 200"], "nothing of what came while it was off"


async def test_what_did_not_end_well_is_in_it_but_not_what_is_no_revisions(world: World) -> None:
    await world.configure(on=True, template=SHORT)
    assert await world.get("/nobody", host="nobody.example.com") == 404
    assert await world.get("/probe", host="10.0.0.1", **{"User-Agent": "kube-probe/1.34"}) in (200, 500)
    await world.get("/broken")
    assert await world.get("/large", **{"Content-Length": "5"}) == 413
    assert await world.lines(2) == ["hello-00001 hello /broken 500", "hello-00001 hello /large 413"]


async def test_a_config_map_that_cannot_be_used_changes_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.configure(on=True, template="{{.Response.Code}} one")
    await world.configure(on=True, template="{{.Requst.Method}}")
    await until(lambda: "a ConfigMap cannot be used, what it said before stays" in caplog.text)
    assert await world.get() == 200
    assert await world.lines(1) == ["200 one"]
