"""The limits for requests and idle connections, and the headers that the front door adds, over HTTP/2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h2.events
import pytest

from tests.activator.proxy.http2.conftest import OK, request

World = Any
Peers = Any
Speaker = Any
MakeWorld = Callable[..., World]
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_too_many_headers_are_431_and_long_targets_414(make_world: MakeWorld, peers: Peers) -> None:
    async with make_world(headers_max=3, target_bytes_max=10).running() as world:
        world.handle = lambda exchange: exchange.reply(204)
        caller = await type(peers)(world).caller()
        few = [(b"x-%d" % number, b"1") for number in range(3)]
        asked = (request("/", "GET", *few), request("/", "GET", *few, (b"x-3", b"1")), request("/" + "x" * 10))
        assert [(await caller.message(caller.ask(fields))).status for fields in asked] == [204, 431, 414]


@pytest.mark.parametrize("length", [(), ((b"content-length", b"11"),)])
async def test_a_body_that_is_too_large_is_413(world: World, peers: Peers, length: tuple[Any, ...]) -> None:
    world.handle = lambda exchange: exchange.reply(413) if exchange.limit_body(10) else None
    caller = await peers.caller()
    stream = caller.ask(request("/", "POST", *length), b"hello", ended=False)
    if not length:
        caller.say(stream, b"world!")
    assert (await caller.message(stream)).status == 413


async def test_a_connection_without_requests_is_closed_in_the_end(make_world: MakeWorld, peers: Peers) -> None:
    async with make_world(idle_timeout_s=0.1).running() as world:
        world.handle = lambda exchange: exchange.reply(204)
        caller = await type(peers)(world).caller()
        assert (await caller.message(caller.ask(request()))).status == 204
        await caller.event(h2.events.ConnectionTerminated)


async def test_traces_go_to_apps_and_headers_that_are_added_to_callers(world: World, peers: Peers) -> None:
    seen: list[dict[bytes, bytes]] = []

    async def talk(app: Speaker) -> None:
        while True:
            asked = await app.event(h2.events.RequestReceived)
            seen.append(dict(asked.headers))
            app.head(asked.stream_id, OK, ended=True)

    await peers.app(talk)

    def handle(exchange: Any) -> None:
        exchange.head_fields = lambda: ((b"server-timing", b"ready;dur=1"),)
        exchange.forward(world.address, trace=TRACE.replace(b"0af", b"fff"), http2=True)

    world.handle = handle
    caller = await peers.caller()
    for more in ((), ((b"traceparent", TRACE),)):
        answer = await caller.message(caller.ask(request("/", "GET", *more)))
        assert answer.headers[b"server-timing"] == b"ready;dur=1"
    assert [headers[b"traceparent"] for headers in seen] == [TRACE.replace(b"0af", b"fff"), TRACE]
