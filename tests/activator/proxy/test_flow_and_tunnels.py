"""Back-pressure, tunnels and draining, through real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from activator.proxy.flow import AHEAD, PEER_FULL, Flow

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
MIB = 1024 * 1024
# What the kernel holds for two connections, and we for one, with room to spare: far less than is sent.
HELD_BYTES_MAX = 24 * MIB
LARGE = 128 * MIB
World = Any
Line = Any


class Reading:
    """A transport that only records whether it is read."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


def test_reading_goes_on_when_no_reason_to_hold_it_is_left() -> None:
    transport = Reading()
    flow = Flow(transport)
    flow.release(AHEAD)
    flow.hold(PEER_FULL)
    flow.hold(AHEAD)
    flow.release(PEER_FULL)
    assert transport.calls == ["pause"]
    flow.release(AHEAD)
    assert transport.calls == ["pause", "resume"]


async def pour(line: Line, size: int) -> int:
    """Send `size` bytes as fast as they are taken; how many were, when nothing has moved for a moment."""
    sent = 0
    piece = bytes(MIB)
    while sent < size:
        line.say(piece)
        sent += len(piece)
        try:
            await asyncio.wait_for(line.writer.drain(), 0.3)
        except TimeoutError:
            return sent
    return sent


async def test_a_slow_caller_holds_the_app_and_gets_everything_in_the_end(world: World) -> None:
    poured = asyncio.get_running_loop().create_future()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        sent = await pour(line, LARGE)
        poured.set_result(sent)
        line.say(bytes(LARGE - sent))
        await line.rest()

    await world.app(talk)
    line = await world.caller()
    line.say(GET)
    await line.head()
    line.writer.transport.pause_reading()
    assert await world.soon(poured) < HELD_BYTES_MAX
    exchange = world.exchanges[0]
    assert exchange.upstream.flow.holds == PEER_FULL
    assert line.writer.transport is not None
    line.writer.transport.resume_reading()
    left = LARGE
    while left:
        left -= len(await line.reader.read(4 * MIB))
    await world.until_done()
    assert world.done[0].status == 200


async def test_a_slow_app_holds_the_caller_and_gets_everything_in_the_end(world: World) -> None:
    go_on = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        line.writer.transport.pause_reading()
        await go_on.wait()
        line.writer.transport.resume_reading()
        left = LARGE
        while left:
            left -= len(await line.reader.read(4 * MIB))
        line.say(OK)
        await line.rest()

    await world.app(talk)
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE)
    sent = await pour(line, LARGE)
    assert sent < HELD_BYTES_MAX
    assert line.writer.transport is not None
    go_on.set()
    line.say(bytes(LARGE - sent))
    assert await line.hear(len(OK)) == OK


async def test_a_held_request_is_read_ahead_only_a_little(world: World) -> None:
    world.handle = lambda exchange: None
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE)
    assert await pour(line, LARGE) < HELD_BYTES_MAX
    assert world.exchanges[0].downstream.flow.holds == AHEAD
    world.exchanges[0].reply(503, b"no")
    assert b"Connection: close\r\n" in await line.head()


async def backed_up(full: Callable[[], object]) -> None:
    """Returns once `full()`; there is no event for it, so each turn of the loop looks."""
    async with asyncio.timeout(20):
        while not full():
            await asyncio.sleep(0)


async def test_a_caller_that_takes_no_answers_is_not_read(world: World) -> None:
    world.handle = lambda exchange: exchange.reply(200, bytes(64 * 1024))
    line = await world.caller()
    line.writer.transport.pause_reading()
    line.say(GET * 2000)
    await world.until(lambda: bool(world.exchanges))
    await backed_up(lambda: world.exchanges[0].downstream.full)
    answered = len(world.exchanges)
    assert answered < 500
    line.writer.transport.resume_reading()
    for _ in range(2000):
        await line.head()
        await line.hear(64 * 1024)


async def echo_tunnel(line: Line) -> None:
    assert b"Upgrade: websocket" in await line.head()
    line.say(SWITCHING + b"welcome")
    while data := await line.reader.read(MIB):
        line.say(data)


async def test_after_101_bytes_pass_both_ways(world: World) -> None:
    await world.app(echo_tunnel)
    line = await world.caller()
    line.say(UPGRADE + b"early")
    assert await line.head() == SWITCHING
    assert await line.hear(12) == b"welcomeearly"
    for word in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff"):
        line.say(word)
        assert await line.hear(len(word)) == word
    exchange = world.exchanges[0]
    assert (exchange.upgrade, exchange.status, world.done) == (True, 101, [])
    line.close()
    await world.until_done()
    assert not exchange.gone
    assert exchange.sent_bytes == len(SWITCHING) + 12 + 20


async def test_a_side_that_ends_its_sending_still_receives(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(SWITCHING)
        line.say(b"you said " + await line.rest())

    await world.app(talk)
    line = await world.caller()
    line.say(UPGRADE + b"hello")
    await line.head()
    line.writer.write_eof()
    assert await line.rest() == b"you said hello"
    await world.until_done()


async def test_a_large_message_through_a_slow_tunnel_arrives_whole(world: World) -> None:
    await world.app(echo_tunnel)
    line = await world.caller()
    line.say(UPGRADE)
    await line.head()
    await line.hear(7)
    message = bytes(range(256)) * (32 * MIB // 256)
    line.writer.transport.pause_reading()
    line.say(message)
    await backed_up(lambda: world.exchanges[0].tunnel.app.flow.holds)
    line.writer.transport.resume_reading()
    assert await line.hear(len(message)) == message


async def test_an_app_that_breaks_off_a_tunnel_ends_it(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(SWITCHING)
        await line.hear(1)
        line.reset()

    await world.app(talk)
    line = await world.caller()
    line.say(UPGRADE)
    await line.head()
    line.say(b"x")
    assert await line.rest() == b""
    await world.until_done()


async def test_an_upgrade_that_the_app_declines_is_an_ordinary_answer(world: World) -> None:
    async def talk(line: Line) -> None:
        while True:
            await line.head()
            line.say(OK)

    await world.app(talk)
    line = await world.caller()
    for _ in range(2):
        line.say(UPGRADE)
        assert await line.hear(len(OK)) == OK


async def test_an_aborted_tunnel_is_done_at_once(world: World) -> None:
    await world.app(echo_tunnel)
    line = await world.caller()
    line.say(UPGRADE)
    await line.head()
    world.exchanges[0].abort()
    assert world.done == world.exchanges
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await line.hear(100)


async def test_a_drain_waits_for_what_is_in_progress_and_closes_what_is_idle(world: World) -> None:
    go_on = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        await go_on.wait()
        line.say(OK)
        await line.rest()

    await world.app(talk)
    idle, busy = await world.caller(), await world.caller()
    busy.say(GET)
    await world.until(lambda: bool(world.exchanges))
    world.server.stop_accepting()
    drained = asyncio.ensure_future(world.server.drain(20))
    assert await idle.rest() == b""
    assert not drained.done()
    with pytest.raises(ConnectionRefusedError):
        await world.caller()
    go_on.set()
    assert await busy.rest() == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    await world.soon(drained)
    assert world.server.connections == 0


async def test_a_server_that_retires_serves_on_and_says_with_each_answer_that_it_is_the_last(world: World) -> None:
    async def talk(line: Line) -> None:
        while await line.head():
            line.say(OK)

    await world.app(talk)
    early, late, ours = [await world.caller() for _ in range(3)]
    early.say(GET)
    assert await early.hear(len(OK)) == OK
    world.server.retire()
    for line in (early, late, await world.caller()):
        line.say(GET)
        assert b"\r\nConnection: close\r\n" in await line.rest()
    world.handle = lambda exchange: exchange.reply(404, b"no\n")
    ours.say(GET)
    assert b"\r\nConnection: close\r\n" in await ours.rest()


async def test_a_server_that_retires_does_not_close_a_connection_that_it_has_not_said_it_would(world: World) -> None:
    go_on = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(OK[:-1])
        await go_on.wait()
        line.say(OK[-1:])
        await line.rest()

    await world.app(talk)
    idle, busy = await world.caller(), await world.caller()
    busy.say(GET)
    await busy.hear(len(OK) - 1)
    world.server.retire()
    go_on.set()
    await busy.hear(1)
    world.handle = lambda exchange: exchange.reply(200, b"x\n")
    for line in (busy, idle):
        line.say(GET)
        assert b"\r\nConnection: close\r\n" in await line.rest()


async def test_a_drain_cuts_what_is_left_at_its_deadline(world: World) -> None:
    world.handle = lambda exchange: None
    line = await world.caller()
    line.say(GET)
    await world.until(lambda: bool(world.exchanges))
    await world.server.drain(0.05)
    assert world.done == world.exchanges


async def test_case_24_a_drain_cuts_tunnels_long_before_its_deadline(world: World) -> None:
    await world.app(echo_tunnel)
    line = await world.caller()
    line.say(UPGRADE)
    await line.head()
    await world.soon(world.server.drain(600, tunnels_s=0.05))
    assert world.done == world.exchanges


async def test_a_drain_does_not_wait_for_a_body_that_nobody_wants_any_more(world: World) -> None:
    world.handle = lambda exchange: exchange.reply(404, b"no\n")
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
    await line.until(b"no\n")
    await world.soon(world.server.drain(600))
    assert world.server.connections == 0
