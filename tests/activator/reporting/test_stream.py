"""The connection to the autoscaler, against a real websocket server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from activator.reporting.stream import Stream
from swell.runtime.clock import SystemClock
from swell.wire.history import HISTORY_HEADER


class Autoscaler:
    """Takes messages; `received` holds them in order. May be stopped and started on the same port."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes | str] = asyncio.Queue()
        self.questions: list[bytes | str] = []
        self.name = ""
        self.port = 0

    async def handle(self, connection: ServerConnection) -> None:
        for question in self.questions:
            await connection.send(question)
        async for message in connection:
            self.received.put_nowait(message)

    def answer(self, connection: ServerConnection, request: Request, response: Response) -> None:
        if self.name:
            response.headers[HISTORY_HEADER] = self.name

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with serve(self.handle, "127.0.0.1", self.port, process_response=self.answer) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield


class World:
    def __init__(self, port: int) -> None:
        self.connects: asyncio.Queue[None] = asyncio.Queue()
        self.asked: asyncio.Queue[bytes] = asyncio.Queue()
        self.stream = Stream(
            f"ws://127.0.0.1:{port}", SystemClock(), lambda: self.connects.put_nowait(None), self.asked.put_nowait
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        task = asyncio.create_task(self.stream.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def within(waiting: asyncio.Queue[Any]) -> object:
    async with asyncio.timeout(10):
        return await waiting.get()


async def test_messages_arrive_whole_in_order_and_as_binary_frames() -> None:
    autoscaler = Autoscaler()
    async with autoscaler.running(), World(autoscaler.port).running() as world:
        await within(world.connects)
        world.stream.send(b"one")
        world.stream.send(b"\x00two")
        assert [await within(autoscaler.received), await within(autoscaler.received)] == [b"one", b"\x00two"]


async def test_without_a_connection_messages_are_lost_and_counted() -> None:
    autoscaler = Autoscaler()
    async with autoscaler.running():
        pass
    async with World(autoscaler.port).running() as world:
        world.stream.send(b"nobody hears this")
        assert (world.stream.lost, world.stream.connected) == (1, False)
        async with autoscaler.running():
            await within(world.connects)
            world.stream.send(b"this one")
            assert await within(autoscaler.received) == b"this one"


async def test_it_comes_back_after_the_autoscaler_was_gone() -> None:
    autoscaler = Autoscaler()
    async with autoscaler.running():
        world = World(autoscaler.port)
        async with world.running():
            await within(world.connects)
    async with world.running():
        for count in range(1, 4):
            async with autoscaler.running():
                await within(world.connects)
                world.stream.send(b"%d" % count)
                assert await within(autoscaler.received) == b"%d" % count
    assert world.stream.broken >= 3
    assert not world.stream.connected


async def test_all_that_was_sent_before_the_end_reaches_the_socket() -> None:
    autoscaler = Autoscaler()
    async with autoscaler.running(), World(autoscaler.port).running() as world:
        await within(world.connects)
        for i in range(100):
            world.stream.send(b"%d" % i)
        await world.stream.drained()
        assert [await within(autoscaler.received) for _ in range(100)] == [b"%d" % i for i in range(100)]


async def test_what_the_autoscaler_asks_is_handed_on_and_text_is_not() -> None:
    autoscaler = Autoscaler()
    autoscaler.questions = ["text", *(b"%d" % number for number in range(50))]
    async with autoscaler.running(), World(autoscaler.port).running() as world:
        assert [await within(world.asked) for _ in range(50)] == [b"%d" % number for number in range(50)]


async def test_who_asks_for_the_history_is_known_while_connected() -> None:
    autoscaler = Autoscaler()
    autoscaler.name = "one"
    async with autoscaler.running():
        world = World(autoscaler.port)
        async with world.running():
            await within(world.connects)
            assert world.stream.hearer == "one"
    assert world.stream.hearer == ""


@pytest.mark.parametrize("port", [1])
async def test_nothing_is_waited_for_when_nobody_is_there(port: int) -> None:
    async with World(port).running() as world:
        await world.stream.drained()
