"""A whole front door over the real API server and a real websocket, in virtual time: when it is ready, how it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from activator.program import FrontDoor, Settings
from activator.reporting.stream import BACKOFF_LAST_S
from swell.api.crds import definitions
from swell.api.kinds import REVISION
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.testing.clock import ManualClock, settle
from swell.testing.outage import CutOff
from swell.testing.peers import WAIT_S, Caller, call, free_ports
from swell.wire.loads import ANSWERS_HEADER, ANSWERS_LOADS, PodLoads, encode_question
from swell.wire.report import decode_report

GRACE_S = 15.0
PATIENCE_S = 5.0
SYSTEM = "swell-system"


class World:
    """One front door; `autoscaler_port` is where it looks for the autoscaler, `inside` where callers inside come in."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        server = ApiServer(open_store(":memory:"), clock=self.clock)
        bootstrap(server, definitions(), ["default", SYSTEM])
        self.kube = CutOff(StoreClient(server))
        self.autoscaler_port, local_port = free_ports(2)
        self.inside = ("127.0.0.1", local_port)
        settings = Settings(
            listen_ip="127.0.0.1",
            gateway_port=0,
            local_port=local_port,
            admin_port=0,
            autoscaler_url=f"ws://127.0.0.1:{self.autoscaler_port}",
            shutdown_grace_s=GRACE_S,
        )
        self.door = FrontDoor(settings, self.kube, self.clock)
        self._autoscaler: Server | None = None
        self._taken: asyncio.Queue[ServerConnection] = asyncio.Queue()
        # What the autoscaler is told.
        self.frames: asyncio.Queue[bytes | str] = asyncio.Queue()

    @property
    def unready(self) -> str:
        return self.door.health.unready()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.door.gateway_port

    async def autoscaler_comes(self) -> None:
        async def take(connection: ServerConnection) -> None:
            self._taken.put_nowait(connection)
            async for frame in connection:
                self.frames.put_nowait(frame)

        self._autoscaler = await serve(take, "127.0.0.1", self.autoscaler_port)

    async def autoscaler_goes(self) -> None:
        if self._autoscaler is not None:
            self._autoscaler.close()
            await self._autoscaler.wait_closed()
            self._autoscaler = None

    async def until_connected(self) -> ServerConnection:
        """The autoscaler is there; the front door finds it with its next attempt."""
        await self.clock.pass_time(2 * BACKOFF_LAST_S)
        async with asyncio.timeout(WAIT_S):
            connection = await self._taken.get()
            await (await connection.ping())  # who answers has seen the end of the handshake
        await settle()
        assert self.door.owners.connected
        return connection

    async def until_lost(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.door.owners.connected:
                await settle()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    try:
        yield world
    finally:
        await world.door.close()
        await world.autoscaler_goes()


@asynccontextmanager
async def draining(world: World) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(world.door.drain())
    await settle()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_is_ready_once_it_listens_and_has_reached_the_autoscaler(world: World) -> None:
    await world.autoscaler_comes()
    await world.door.start()
    await world.until_connected()
    assert world.unready == ""


async def test_it_answers_the_autoscaler_and_survives_what_it_cannot_read(world: World) -> None:
    await world.autoscaler_comes()
    await world.door.start()
    connection = await world.until_connected()
    assert connection.request is not None
    assert connection.request.headers[ANSWERS_HEADER] == ANSWERS_LOADS
    await connection.send(b"\x0a\xff")
    await connection.send(encode_question("default", "hello-00001"))
    async with asyncio.timeout(WAIT_S):
        frame = await world.frames.get()
    assert isinstance(frame, bytes)
    assert decode_report(frame).loads == [PodLoads("default", "hello-00001", {})]


async def test_it_is_ready_without_an_autoscaler_but_not_at_once(world: World) -> None:
    await world.door.start()
    world.clock.advance(PATIENCE_S - 0.1)
    assert world.unready == "connection has not yet been established"
    world.clock.advance(0.2)
    assert world.unready == ""


async def test_it_is_not_ready_before_its_caches_are_full_however_long_that_takes(world: World) -> None:
    world.kube.cut()
    starting = asyncio.create_task(world.door.start())
    await world.clock.pass_time(2 * PATIENCE_S, step_s=0.5)
    assert world.unready == "caches are being filled"
    world.kube.mend()
    await world.clock.pass_time(5, step_s=0.5)
    await starting
    assert world.unready == ""


async def test_it_stays_ready_while_the_autoscaler_is_away_and_finds_it_when_it_is_back(world: World) -> None:
    await world.autoscaler_comes()
    await world.door.start()
    await world.until_connected()
    await world.autoscaler_goes()
    await world.until_lost()
    assert world.unready == ""
    assert world.door.admin.answer("GET", "/readyz", b"").status == 200
    assert b'"connected": false' in world.door.admin.answer("GET", "/state", b"").body
    assert (
        b'kn_activator_stats_conn_reachable{peer="autoscaler"} 0.0'
        in world.door.admin.answer("GET", "/metrics", b"").body
    )
    await world.autoscaler_comes()
    await world.until_connected()


async def test_what_it_knows_stays_while_the_api_server_is_away(world: World) -> None:
    revision = {"metadata": {"name": "hello-00001", "namespace": "default"}, "spec": {"containers": [{"image": "a"}]}}
    await world.kube.create(REVISION, revision)
    await world.door.start()
    world.clock.advance(PATIENCE_S)
    world.kube.cut()
    await world.clock.pass_time(60, step_s=0.5)
    assert world.unready == ""
    assert [target.name for target in world.door.activator.lanes] == ["hello-00001"]
    world.kube.mend()
    await world.kube.create(REVISION, {**revision, "metadata": {"name": "hello-00002", "namespace": "default"}})
    await world.clock.pass_time(5, step_s=0.5)
    assert [target.name for target in world.door.activator.lanes] == ["hello-00001", "hello-00002"]


async def test_a_host_of_the_cluster_answers_only_where_callers_inside_come_in(world: World) -> None:
    meta = {"name": "hello", "namespace": "default"}
    world.door.gateway.set_route({"metadata": meta, "status": {"url": "http://hello.default.localhost"}})
    await world.door.start()
    host = {"Host": "hello.default.svc.cluster.local"}
    assert (await call(world.inside, headers=host)).status == 503, "no revision is ready"
    assert (await call(world.address, headers=host)).status == 404


async def test_on_the_way_out_it_is_unready_at_once_and_serves_for_the_grace(world: World) -> None:
    await world.door.start()
    world.clock.advance(PATIENCE_S)
    kept = await Caller.connect(world.address)
    kept.send()
    assert "connection" not in (await kept.answer()).headers
    idle = await Caller.connect(world.address)
    async with draining(world) as drain:
        assert world.unready == "received SIGTERM from kubelet"
        for caller in (kept, await Caller.connect(world.address)):
            caller.send()
            answer = await caller.answer()
            assert (answer.status, answer.headers["connection"]) == (404, "close")
            assert await caller.reader.read() == b""
        world.clock.advance(GRACE_S - 0.1)
        assert (await call(world.address)).status == 404
        assert not idle.reader.at_eof()
        world.clock.advance(0.2)
        assert await idle.reader.read() == b""
        await drain
    for address in (world.address, world.inside):
        with pytest.raises(ConnectionRefusedError):
            await Caller.connect(address)
    kept.close()
    idle.close()
