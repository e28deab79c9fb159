"""What a request may be, and how long a connection may lie idle: beyond it a status of its own, or the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
World = Any
Line = Any
MakeWorld = Callable[..., World]


async def always_ok(line: Line) -> None:
    while True:
        await line.head()
        line.say(OK)


async def test_too_many_headers_get_431_and_as_many_as_allowed_pass(make_world: MakeWorld) -> None:
    async with make_world(headers_max=5).running() as world:
        await world.app(always_ok)
        for count, status in ((3, 200), (4, 431)):
            lines = b"".join(b"X-%d: 1\r\n" % number for number in range(count))
            answer = await world.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"more than 5 header lines" in answer


@pytest.mark.parametrize("prefix", [b"/", b"http://a/"])
async def test_a_target_that_is_too_long_gets_414(make_world: MakeWorld, prefix: bytes) -> None:
    async with make_world(target_bytes_max=100).running() as world:
        await world.app(always_ok)
        for size, status in ((100, 200), (101, 414)):
            target = prefix + b"x" * (size - len(prefix))
            answer = await world.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 %d " % status)


async def test_a_target_that_never_ends_gets_414(make_world: MakeWorld) -> None:
    async with make_world(head_bytes_max=1000).running() as world:
        answer = await world.ask(b"GET /" + b"x" * 1000)
        assert answer.startswith(b"HTTP/1.1 414 ")


def limiting(bytes_max: int) -> Callable[[Any], None]:
    """A dispatcher that turns large bodies away, and holds the others."""

    def handle(exchange: Any) -> None:
        if exchange.limit_body(bytes_max):
            exchange.reply(413)

    return handle


POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
LARGE = {
    "known length": POST + b"Content-Length: 11\r\n\r\n",
    "to be asked for": POST + b"Expect: 100-continue\r\nContent-Length: 11\r\n\r\n",
    "in chunks, at once": POST + b"Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n",
    "in one chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nb\r\n",
}


@pytest.mark.parametrize("request_", LARGE.values(), ids=LARGE.keys())
async def test_a_body_that_is_too_large_gets_413_before_an_app_sees_it(world: World, request_: bytes) -> None:
    world.handle = limiting(10)
    line = await world.caller()
    line.say(request_)
    assert (await line.head()).startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_becomes_too_large_gets_413_and_the_app_is_cut_off(world: World) -> None:
    began, cut = asyncio.Event(), asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        began.set()
        await line.rest()
        cut.set()

    await world.app(talk)

    def handle(exchange: Any) -> None:
        assert not exchange.limit_body(10)
        exchange.forward(world.address)

    world.handle = handle
    line = await world.caller()
    line.say(POST + b"Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n")
    await world.soon(began.wait())
    line.say(b"5\r\n")
    answer = await line.rest()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"request body larger than 10 bytes" in answer
    await world.soon(cut.wait())
    assert [exchange.status for exchange in world.done] == [413]


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 10\r\n\r\n1234567890",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n",
        POST + b"\r\n",
    ],
)
async def test_a_body_as_large_as_allowed_passes(world: World, request_: bytes) -> None:
    world.handle = lambda exchange: exchange.reply(413 if exchange.limit_body(10) else 204)
    line = await world.caller()
    line.say(request_)
    assert (await line.head()).startswith(b"HTTP/1.1 204 ")


async def test_a_connection_without_requests_is_closed_in_the_end(make_world: MakeWorld) -> None:
    async with make_world(idle_timeout_s=0.1).running() as world:
        held: list[Any] = []
        world.handle = held.append
        busy, idle = await world.caller(), await world.caller()
        busy.say(GET)
        idle.say(POST + b"\r\n")
        await world.until(lambda: len(held) == 2)
        held[1].reply(204)
        await idle.head()
        assert await idle.rest() == b""
        held[0].reply(204)
        assert (await busy.head()).startswith(b"HTTP/1.1 204 ")
        assert await busy.rest() == b""


async def test_a_caller_that_goes_on_sending_gets_the_413_all_the_same(world: World) -> None:
    world.handle = limiting(1000)
    line = await world.caller()
    line.say(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    await world.until(lambda: bool(world.exchanges))
    for _ in range(50):
        line.say(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
    answer = await line.rest()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close\r\n" in answer
