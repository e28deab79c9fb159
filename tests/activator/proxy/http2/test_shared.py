"""Connections whose first words are read before the dial knows of them, as uvloop may have it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h2.events
import pytest

from activator.proxy.http2.upstream import AppConnection
from tests.activator.proxy.http2.conftest import OK, request

Line = Any
World = Any
Peers = Any
Speaker = Any


@pytest.fixture
def slow_dials(world: World) -> None:
    """Each dial ends only once the app has said something, or has left."""
    shared = world.server.upstreams.shared
    connect = shared._connect

    async def late(address: Any, protocol: Callable[[], AppConnection]) -> AppConnection:
        connection: AppConnection = await connect(address, protocol)
        while not (connection.settled or connection.transport.is_closing()):
            await asyncio.sleep(0.001)
        return connection

    shared._connect = late


@pytest.mark.usefixtures("slow_dials")
async def test_who_finds_no_stream_gets_another_connection(world: World, peers: Peers) -> None:
    asked, both = [], asyncio.Event()

    async def talk(app: Speaker) -> None:
        stream = (await app.event(h2.events.RequestReceived)).stream_id
        asked.append(app)
        if len(asked) == 2:
            both.set()
        await both.wait()
        app.head(stream, OK, ended=True)
        await app.read()

    app = await peers.app(talk, max_concurrent_streams=1)
    caller = await peers.caller()
    streams = [caller.ask(request()), caller.ask(request())]
    assert [(await caller.message(stream)).status for stream in streams] == [200, 200]
    assert app.connections == 2


@pytest.mark.usefixtures("slow_dials")
@pytest.mark.parametrize("how", ["closes", "goes away", "takes no streams"])
async def test_an_app_that_takes_nothing_is_told_of_once(world: World, peers: Peers, how: str) -> None:
    async def talk(line: Line) -> None:
        if how == "closes":
            return
        app = peers.Speaker(line, client=False, max_concurrent_streams=0 if how == "takes no streams" else 1)
        if how == "goes away":
            app.h2.close_connection()
            app.flush()
        await line.rest()

    world.http2 = True
    app = await world.app(talk)
    caller = await peers.caller()
    assert (await caller.message(caller.ask(request()))).status == 502
    assert world.unsent == [f"http2: 127.0.0.1:{app.address[1]} takes no streams"]
    assert app.connections == 1
