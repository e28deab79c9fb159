"""What breaks on either side, and what the other side sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from activator.proxy.flow import Flow
from activator.proxy.hangups import Hangups
from activator.proxy.pool import Pool
from activator.proxy.upstream import Upstream
from swell.testing.peers import free_port

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
World = Any
Line = Any


def refusing_address() -> tuple[str, int]:
    """Where nobody listens."""
    return "127.0.0.1", free_port()


async def always_ok(line: Line) -> None:
    while True:
        await line.head()
        line.say(OK)


async def test_case_41_an_app_that_does_not_listen_is_a_502_in_gos_words(world: World) -> None:
    world.address = host, port = refusing_address()
    answer = await world.ask(CLOSE)
    text = f"dial tcp {host}:{port}: connect: connection refused"
    assert world.unsent == [text]
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert answer.endswith(b"\r\n\r\n" + text.encode() + b"\n")


async def test_a_request_that_was_refused_may_go_elsewhere_with_its_body(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + await line.hear(2))

    app = await world.app(talk)
    world.address = refusing_address()
    world.handle_unsent = lambda exchange, error: exchange.forward(app.address)
    assert (await world.ask(POST)).endswith(b"hi")
    assert len(world.unsent) == 1


async def test_case_43_a_stale_connection_is_replaced_for_get_but_not_for_post(world: World) -> None:
    async def talk(line: Line) -> None:
        # Answers once, and closes when it is asked again.
        await line.head()
        line.say(OK)
        await line.head()

    app = await world.app(talk)
    assert (await world.ask(CLOSE)).endswith(b"ok")
    assert (await world.ask(CLOSE)).endswith(b"ok")
    assert app.connections == 2
    answer = await world.ask(POST)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert answer.endswith(b"\r\n\r\nEOF\n")
    assert app.connections == 2
    assert [exchange.hung_up for exchange in world.exchanges] == [False, False, True]


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200", OK[:-1]])
async def test_who_closes_the_connection_before_it_says_a_word_has_hung_up(world: World, begun: bytes) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(begun)

    await world.app(talk)
    await world.ask(POST)
    assert world.exchanges[0].hung_up == (not begun)


async def test_a_stale_connection_of_an_app_that_has_gone_is_unsent(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(OK)
        await line.head()

    app = await world.app(talk)
    await world.ask(CLOSE)
    app._server.close()
    assert (await world.ask(CLOSE)).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert [error.endswith("connection refused") for error in world.unsent] == [True]


async def test_a_connection_that_the_app_closed_while_idle_is_not_used(world: World) -> None:
    closed, noticed = asyncio.Event(), asyncio.Event()

    class Told(Pool[Upstream]):
        def discard(self, connection: Upstream) -> None:
            super().discard(connection)
            noticed.set()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(OK)
        await closed.wait()

    world.server.upstreams.pool = Told()
    app = await world.app(talk)
    await world.ask(CLOSE)
    assert len(world.server.upstreams.pool) == 1
    closed.set()
    await world.soon(noticed.wait())
    assert (await world.ask(POST)).endswith(b"ok")
    assert app.connections == 2


BEFORE_THE_HEAD = {
    "nothing": (b"", b"EOF\n"),
    "half a head": (b"HTTP/1.1 200 OK\r\nConte", b"EOF\n"),
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", b"\n"),
    "an unasked 101": (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        b"unexpected 101 response\n",
    ),
}


@pytest.mark.parametrize(("said", "told"), BEFORE_THE_HEAD.values(), ids=BEFORE_THE_HEAD.keys())
async def test_an_app_that_fails_before_its_head_is_a_502(world: World, said: bytes, told: bytes) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(said)

    await world.app(talk)
    answer = await world.ask(CLOSE)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert answer.endswith(told)
    assert world.done[0].status == 502


PARTS = {
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "known length": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
async def test_case_42_a_response_that_breaks_off_is_seen_to_break_off(world: World, part: bytes) -> None:
    go_on = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(part[: part.index(b"hello") + 5])
        await go_on.wait()
        line.say(part[part.index(b"hello") + 5 :])

    await world.app(talk)
    line = await world.caller()
    line.say(GET)
    await line.until(b"hello")
    go_on.set()
    try:
        rest = await line.rest()
    except ConnectionResetError:
        rest = b""
    assert b"0\r\n\r\n" not in rest
    await world.until_done()
    assert (world.done[0].status, world.done[0].gone) == (200, False)


async def test_case_11_a_caller_that_leaves_while_held_is_gone(world: World) -> None:
    world.handle = lambda exchange: None
    line = await world.caller()
    line.say(GET)
    await world.until(lambda: bool(world.exchanges))
    line.close()
    await world.until_done()
    assert (world.done[0].gone, world.done[0].status) == (True, 0)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"])
async def test_when_the_caller_leaves_the_app_is_cut_off(world: World, begun: bytes) -> None:
    asked, cut = asyncio.Event(), asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        asked.set()
        line.say(begun)
        try:
            await line.rest()
        finally:
            cut.set()

    await world.app(talk)
    line = await world.caller()
    line.say(GET)
    await world.soon(asked.wait())
    if begun:
        await line.until(b"hello")
    line.reset()
    await world.soon(cut.wait())
    await world.until_done()
    assert world.done[0].gone
    assert len(world.server.upstreams.pool) == 0


async def test_a_caller_that_leaves_does_not_have_what_it_sent_ahead_done(world: World) -> None:
    world.handle = lambda exchange: None
    line = await world.caller()
    line.say(GET * 5)
    await world.until(lambda: bool(world.exchanges))
    line.close()
    await world.until_done()
    assert len(world.exchanges) == 1


async def test_a_reply_while_the_app_works_cuts_it_off_and_keeps_the_caller(world: World) -> None:
    asked = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        asked.set()
        await line.rest()

    await world.app(talk)
    line = await world.caller()
    line.say(GET)
    await world.soon(asked.wait())
    world.exchanges[0].reply(504, b"request timeout")
    assert (await line.head()).startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert await line.hear(15) == b"request timeout"
    await world.app(always_ok)
    line.say(GET)
    assert await line.hear(len(OK)) == OK
    assert [exchange.status for exchange in world.done] == [504, 200]


async def test_an_abort_cuts_both_sides(world: World) -> None:
    cut = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
        try:
            await line.rest()
        finally:
            cut.set()

    await world.app(talk)
    line = await world.caller()
    line.say(GET)
    await line.until(b"hello")
    world.exchanges[0].abort()
    await world.soon(cut.wait())
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await line.hear(1)
    assert not world.done[0].gone


async def test_an_app_that_answers_early_loses_its_connection_not_the_caller_its_answer(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(OK)
        await line.rest()

    app = await world.app(talk)
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    assert await line.hear(len(OK)) == OK
    line.say(b"world" + GET)
    assert await line.hear(len(OK)) == OK
    assert app.connections == 2


async def test_an_app_that_says_more_than_it_should_is_not_asked_again(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        await line.rest()

    app = await world.app(talk)
    for _ in range(2):
        assert (await world.ask(CLOSE)).endswith(b"ok")
    assert app.connections == 2


async def test_dropping_an_address_closes_its_idle_connections(world: World) -> None:
    closed = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(OK)
        await line.rest()
        closed.set()

    app = await world.app(talk)
    await world.ask(CLOSE)
    world.server.drop(("127.0.0.1", 1))
    assert len(world.server.upstreams.pool) == 1
    world.server.drop(app.address)
    await world.soon(closed.wait())


async def test_idle_connections_are_swept_out(make_world: Callable[..., World]) -> None:
    closed = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(OK)
        await line.rest()
        closed.set()

    async with make_world(idle_s=0.05).running() as world:
        await world.app(talk)
        await world.ask(CLOSE)
        await world.soon(closed.wait())
        assert len(world.server.upstreams.pool) == 0


async def test_a_request_that_is_reset_unanswered_is_sent_twice_more_and_no_oftener(world: World) -> None:
    asked = 0

    async def talk(line: Line) -> None:
        nonlocal asked
        await line.head()
        asked += 1
        # An end with unsent data pending is a reset.
        line.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.reset()

    app = await world.app(talk)
    world.address = app.address
    world.handle_unsent = lambda exchange, error: exchange.forward(app.address)
    answer = await world.ask(CLOSE)
    host, port = app.address
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert f"read tcp {host}:{port}: connection reset by peer\n".encode() in answer
    assert asked == 3


async def test_an_app_that_only_ever_announces_an_answer_is_a_502(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3000)

    app = await world.app(talk)
    world.address = app.address
    answer = await world.ask(CLOSE)
    assert b"HTTP/1.1 502 " in answer
    assert answer.endswith(b"too many 1xx informational responses\n")


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
async def test_a_caller_that_leaves_while_its_body_is_held_back_is_noticed(world: World, reset: bool) -> None:
    """It is not read then, so that its end is not seen; the system knows of it."""

    async def deaf(line: Line) -> None:
        await line.head()
        line.writer.transport.pause_reading()
        await asyncio.Event().wait()

    await world.app(deaf)
    with socket.create_connection(("127.0.0.1", world.server.listening_port)) as caller:
        caller.setblocking(False)
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        await world.until(lambda: bool(world.exchanges))
        exchange, piece = world.exchanges[0], bytes(1024 * 1024)
        loop = asyncio.get_running_loop()
        while not exchange.downstream.flow.holds:
            with contextlib.suppress(TimeoutError):  # as much is on its way as there is room for
                await asyncio.wait_for(loop.sock_sendall(caller, piece), 0.1)
        if reset:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await world.until_done()
    assert exchange.gone


async def test_a_caller_that_waits_while_its_body_is_held_back_is_left_alone(world: World) -> None:
    go_on, held = asyncio.Event(), asyncio.Event()

    class Told(Hangups):
        def watch(self, flow: Flow) -> None:
            super().watch(flow)
            held.set()

    async def slow(line: Line) -> None:
        await line.head()
        await go_on.wait()
        await line.hear(1_000_000)
        line.say(OK)

    await world.app(slow)
    world.handle = lambda exchange: None
    world.server.hangups = Told()
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000))
    await world.until(lambda: bool(world.exchanges))
    exchange = world.exchanges[0]
    await world.soon(held.wait())
    world.server.hangups._look()
    exchange.forward(world.address)
    go_on.set()
    assert (await line.head()).startswith(b"HTTP/1.1 200 OK\r\n")
