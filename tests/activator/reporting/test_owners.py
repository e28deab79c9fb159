"""Reports and histories by owner, against real websocket servers on ports in a row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from activator.reporting.owners import Owners
from activator.reporting.report import PERIOD_S
from swell.api.buckets import BUCKETS_HEADER, bucket_of
from swell.runtime.tasks import Daemons
from swell.testing.clock import ManualClock
from swell.testing.peers import free_ports_in_a_row
from swell.testing.waiting import until
from swell.wire.history import HISTORY_HEADER
from swell.wire.loads import encode_question
from swell.wire.report import Report, decode_report

KEYS = [
    ("default", next(f"r-{n}" for n in range(99) if bucket_of("default", f"r-{n}", 2) == bucket)) for bucket in (0, 1)
]


class World:
    """An activator, and autoscalers that say that there are so many buckets."""

    def __init__(self) -> None:
        self.port = free_ports_in_a_row(2)
        self.clock = ManualClock()
        self.buckets = 2
        self.told: dict[int, asyncio.Queue[Report]] = {0: asyncio.Queue(), 1: asyncio.Queue()}
        self.connections: dict[int, ServerConnection] = {}
        self.waiting: list[tuple[str, str]] = []
        self._daemons = Daemons()
        self.owners = Owners(
            "activator-1",
            self.clock,
            f"ws://127.0.0.1:{self.port}",
            lambda: self.waiting,
            lambda question: b"\x1a\x00" if question else None,
            lambda: None,
            self._daemons.spawn,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for bucket in (0, 1):
                await stack.enter_async_context(self._owner(bucket))
            self.owners.start()
            try:
                yield
            finally:
                self.owners.close()
                await self._daemons.close()

    @asynccontextmanager
    async def _owner(self, bucket: int) -> AsyncIterator[None]:
        async def take(connection: ServerConnection) -> None:
            self.connections[bucket] = connection
            async for frame in connection:
                assert isinstance(frame, bytes)
                self.told[bucket].put_nowait(decode_report(frame))

        def answer(connection: ServerConnection, request: Request, response: Response) -> None:
            response.headers[BUCKETS_HEADER] = str(self.buckets)
            response.headers[HISTORY_HEADER] = f"owner-{bucket}"

        async with serve(take, "127.0.0.1", self.port + bucket, process_response=answer):
            yield

    async def reach(self, buckets: int) -> None:
        """Returns when the activator is connected to so many owners."""

        def seen() -> bool:
            self.clock.advance(2.0)
            return self.owners.connected and len(self.owners._streams) == buckets

        await until(seen)

    async def hears(self, bucket: int) -> Report:
        async with asyncio.timeout(10):
            return await self.told[bucket].get()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    async with found.running():
        yield found


async def test_each_owner_hears_of_its_own_revisions(world: World) -> None:
    world.waiting = [KEYS[1]]
    await world.reach(2)
    assert [(await world.hears(bucket)).history[0].activator for bucket in (0, 1)] == ["activator-1"] * 2
    assert [message[:2] for message in (await world.hears(1)).messages] == [KEYS[1]], "it has requests that wait"
    for key in KEYS:
        world.owners.revision(*key).arrive(world.clock.now())
    for bucket in (0, 1):
        assert [message[:2] for message in (await world.hears(bucket)).messages] == [KEYS[bucket]]
    world.clock.advance(PERIOD_S)
    for bucket in (0, 1):
        assert [message[:2] for message in (await world.hears(bucket)).messages] == [KEYS[bucket]]
    world.owners.proven(KEYS[1], "pod-1", "uid-1")
    assert (await world.hears(1)).proven == [("default", "pod-1", "uid-1")]
    assert world.told[0].empty()


async def test_who_asks_is_answered(world: World) -> None:
    await world.reach(2)
    await world.hears(1)
    await world.connections[1].send(encode_question(*KEYS[1]))
    assert len((await world.hears(1)).loads) == 1


async def test_requests_in_flight_move_to_their_new_owners(world: World) -> None:
    world.buckets = 1
    await world.reach(1)
    await world.hears(0)
    for key in KEYS:
        world.owners.revision(*key).arrive(world.clock.now())
        await world.hears(0)
    world.buckets = 2
    await world.connections[0].close()
    await until(lambda: not world.owners.connected)
    await world.reach(2)
    world.clock.advance(PERIOD_S)
    for bucket in (0, 1):
        while not (report := await world.hears(bucket)).messages:
            pass
        assert [message[:2] for message in report.messages] == [KEYS[bucket]]
        assert report.messages[0][2].average_concurrent_requests == pytest.approx(1.0)
