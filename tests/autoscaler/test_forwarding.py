"""What is passed on to other owners, and what becomes of it when they cannot be reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from autoscaler.address import make_slice, slice_name
from autoscaler.forwarding import LATE_S, QUEUE_MAX, RETRY_S, Forwarder, url_of
from swell.api.buckets import BUCKETS_HEADER, Share, bucket_of
from swell.api.kinds import ENDPOINT_SLICE
from swell.api.meta import Key
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.testing.clock import ManualClock
from swell.testing.waiting import until
from swell.wire.report import Report, decode_report
from swell.wire.stats import Stat

OURS, THEIRS = (
    Key("default", next(f"r-{n}" for n in range(99) if bucket_of("default", f"r-{n}", 2) == bucket))
    for bucket in (0, 1)
)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        server = ApiServer(open_store(":memory:"), clock=self.clock)
        bootstrap(server, (), ["default"])
        self.kube = StoreClient(server)
        self.forwarder = Forwarder(self.kube, self.clock, "default", Share(0, 2))
        self.frames: asyncio.Queue[Report] = asyncio.Queue()
        self.connections: list[ServerConnection] = []

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[None]:
        """There is an owner of the other bucket, and it can be found."""
        async with serve(self._take, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            found = make_slice(Key("default", slice_name(1)), "127.0.0.1", "bucket-01", port)
            await self.kube.create(ENDPOINT_SLICE, found)
            yield

    async def _take(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        async for frame in connection:
            assert isinstance(frame, bytes)
            self.frames.put_nowait(decode_report(frame))

    async def connected(self) -> None:
        async def seen() -> bool:
            self.clock.advance(RETRY_S)
            return bool(self.connections)

        await until(seen)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    yield found
    await found.forwarder.close()


async def test_reports_of_others_revisions_go_to_their_owner_and_ours_stay(world: World) -> None:
    stat = Stat(pod_name="activator", average_concurrent_requests=2)
    async with world.owner():
        world.forwarder.join()
        await world.connected()
        assert world.forwarder.split([(OURS, stat), (THEIRS, stat)]) == [(OURS, stat)]
        async with asyncio.timeout(10):
            assert (await world.frames.get()).messages == [(*THEIRS, stat)]
        (connection,) = world.connections
        assert connection.request is not None
        assert BUCKETS_HEADER in connection.request.headers, "the owner is not to pass it on"
        assert world.forwarder.lost == 0


async def test_the_connection_lasts_as_long_as_somebody_needs_it(world: World) -> None:
    async with world.owner():
        world.forwarder.join()
        world.forwarder.join()
        await world.connected()
        (connection,) = world.connections
        world.forwarder.leave()
        await (await connection.ping())
        world.forwarder.leave()
        async with asyncio.timeout(10):
            await connection.wait_closed()


async def test_without_an_owner_what_is_late_or_too_much_is_lost_and_counted(world: World) -> None:
    stat = Stat(pod_name="activator", average_concurrent_requests=1)
    world.forwarder.join()
    for _ in range(QUEUE_MAX + 5):
        world.forwarder.split([(THEIRS, stat)])
    assert world.forwarder.lost == 5
    world.clock.advance(LATE_S + RETRY_S)
    async with world.owner():
        await world.connected()
        await until(lambda: world.forwarder.lost == QUEUE_MAX + 5)
        world.forwarder.split([(THEIRS, stat)])
        async with asyncio.timeout(10):
            assert len((await world.frames.get()).messages) == 1
        assert world.frames.empty()


def test_an_owner_is_found_by_its_endpoint_slice() -> None:
    found = make_slice(Key("default", "autoscaler-01"), "fd00::1", "bucket-01", 8081)
    assert url_of(found) == "http://[fd00::1]:8081"
    assert url_of({**found, "endpoints": []}) is None
