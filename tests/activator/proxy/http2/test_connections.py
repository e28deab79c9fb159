"""What concerns a whole connection: the preface, windows, going away, and peers that break the rules, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import h2.events
import h2.settings
import pytest
from h2.errors import ErrorCodes

from activator.proxy.http2 import frames
from activator.proxy.http2.compression import encode
from activator.proxy.http2.connection import CONNECTION_WINDOW
from activator.proxy.http2.downstream import STREAMS_MAX
from activator.proxy.http2.frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    frame,
)
from activator.proxy.http2.reader import CONTINUATIONS_MAX, IDLE_FRAMES_MAX, Budget
from tests.activator.proxy.http2.conftest import OK, Peers, request

Line = Any
World = Any
Speaker = Any
MIB = 1024 * 1024
# What the kernel holds for two connections, and we for one, with room to spare: far less than is sent.
HELD_BYTES_MAX = 24 * MIB
LARGE = 128 * MIB
OPENING = PREFACE + frames.settings(())
HEAD = encode(request())
POST = encode(request("/", "POST"))


def asked(number: int = 1, block: bytes = HEAD, flags: int = END_STREAM) -> bytes:
    return frames.headers(number, block, flags)


async def next_frame(line: Line) -> tuple[int, int, int, bytes]:
    """Kind, flags, stream and payload."""
    high, low, kind, flags, number = frames.read_head(await line.hear(9), 0)
    return kind, flags, number, await line.hear(high << 8 | low)


async def until(line: Line, *kinds: int) -> tuple[int, int, int, bytes]:
    """The next frame of one of these kinds."""
    while True:
        found = await next_frame(line)
        if found[0] in kinds:
            return found


def hold(world: World) -> None:
    world.handle = lambda exchange: None


# The preface.


async def test_the_preface_may_come_in_any_two_parts(world: World) -> None:
    world.handle = lambda exchange: exchange.reply(204)
    whole = OPENING + asked()
    other = await world.caller()
    for cut in range(1, len(whole)):
        line = await world.caller()
        line.say(whole[:cut])
        # The other half comes in a read of its own: what was said before this has been read when it is answered.
        other.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await other.head()
        line.say(whole[cut:])
        assert (await until(line, HEADERS, GOAWAY))[:3] == (HEADERS, END_STREAM | END_HEADERS, 1)
        line.close()


async def test_a_preface_that_goes_wrong_is_not_answered(world: World) -> None:
    line = await world.caller()
    line.say(b"PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert HEAD not in await line.rest()
    assert not world.exchanges


async def test_a_preface_behind_a_request_is_refused(world: World) -> None:
    world.handle = lambda exchange: exchange.reply(204)
    line = await world.caller()
    line.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + PREFACE)
    assert (await line.rest()).count(b"HTTP/1.1 505 ") == 1


async def test_what_we_allow_is_told_at_once(world: World) -> None:
    line = await world.caller()
    line.say(OPENING)
    kind, _, _, payload = await next_frame(line)
    assert kind == SETTINGS
    assert dict(frames.read_settings(payload))[frames.MAX_CONCURRENT_STREAMS] == STREAMS_MAX == 250


async def test_a_head_that_does_not_come_whole_in_time_closes_the_connection(make_world: Any) -> None:
    async with make_world(head_timeout_s=0.2).running() as world:
        idle = await world.caller()
        idle.say(OPENING)
        await until(idle, SETTINGS)
        line = await world.caller()
        line.say(OPENING + frame(HEADERS, 0, 1, HEAD))
        await line.rest()
        # As long as that one was waited for, and this one longer.
        idle.say(asked())
        await world.until(lambda: len(world.exchanges) == 1)


# Peers that break the rules.

BIG_BLOCK = encode([*request(), *((b"x-%d" % number, b"y" * 8000) for number in range(200))])
GOES_AWAY: dict[str, tuple[bytes, int]] = {
    "a first frame that is not SETTINGS": (PREFACE + asked(), PROTOCOL_ERROR),
    "a frame that is too large": (OPENING + frame(DATA, 0, 1, bytes(16385)), FRAME_SIZE_ERROR),
    "data without a stream": (OPENING + frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    "data of a stream that never was": (OPENING + frame(DATA, 0, 1, b"x"), PROTOCOL_ERROR),
    "more padding than data": (OPENING + asked(flags=0) + frame(DATA, PADDED, 1, b"\x02x"), PROTOCOL_ERROR),
    "headers without a stream": (OPENING + asked(0), PROTOCOL_ERROR),
    "an even stream": (OPENING + asked(2), PROTOCOL_ERROR),
    "a stream that depends on itself": (
        OPENING + frame(HEADERS, WITH_PRIORITY | END_HEADERS, 1, b"\0\0\0\x01\0" + HEAD),
        PROTOCOL_ERROR,
    ),
    "a malformed block": (OPENING + asked(1, b"\x80"), COMPRESSION_ERROR),
    "a block broken off by another frame": (OPENING + frame(HEADERS, 0, 1, HEAD) + frame(PING, 0, 0, bytes(8)), 1),
    "a block broken off by another stream's": (OPENING + frame(HEADERS, 0, 1, HEAD) + frame(CONTINUATION, 4, 3), 1),
    "a continuation of nothing": (OPENING + frame(CONTINUATION, END_HEADERS, 1, HEAD), PROTOCOL_ERROR),
    "continuations without end": (
        OPENING + frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1) * (CONTINUATIONS_MAX + 1),
        ENHANCE_YOUR_CALM,
    ),
    "a block that is too large": (OPENING + frames.headers(1, BIG_BLOCK, 0), ENHANCE_YOUR_CALM),
    "a list of fields that is far too large": (
        OPENING + asked(1, HEAD + b"\x40\x01a\x7f\x80\x1d" + bytes(3839) + b"\xbe" * 10_000),
        ENHANCE_YOUR_CALM,
    ),
    "a push": (OPENING + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02" + HEAD), PROTOCOL_ERROR),
    "a reset without a stream": (OPENING + frame(RST_STREAM, 0, 0, bytes(4)), PROTOCOL_ERROR),
    "a reset of a stream that never was": (OPENING + frame(RST_STREAM, 0, 1, bytes(4)), PROTOCOL_ERROR),
    "a reset of another size": (OPENING + asked() + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE_ERROR),
    "settings of a stream": (OPENING + frame(SETTINGS, 0, 1), PROTOCOL_ERROR),
    "settings of another size": (OPENING + frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
    "an acknowledgement that says something": (OPENING + frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR),
    "push that is neither on nor off": (OPENING + frames.settings([(2, 2)]), PROTOCOL_ERROR),
    "a window that is too large": (OPENING + frames.settings([(4, 2**31)]), FLOW_CONTROL_ERROR),
    "frames that are too small": (OPENING + frames.settings([(5, 16383)]), PROTOCOL_ERROR),
    "frames that are too large": (OPENING + frames.settings([(5, 2**24)]), PROTOCOL_ERROR),
    "a ping of a stream": (OPENING + frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR),
    "a ping of another size": (OPENING + frame(PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "a goaway of a stream": (OPENING + frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR),
    "a goaway of another size": (OPENING + frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "a priority without a stream": (OPENING + frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL_ERROR),
    "a priority of another size": (OPENING + frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE_ERROR),
    "a window update of another size": (OPENING + frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR),
    "a window update of 0": (OPENING + frames.window_update(0, 0), PROTOCOL_ERROR),
    "a window beyond all": (OPENING + frames.window_update(0, 2**31 - 1), FLOW_CONTROL_ERROR),
    "a flood of pings": (OPENING + frame(PING, 0, 0, bytes(8)) * (3 * IDLE_FRAMES_MAX), ENHANCE_YOUR_CALM),
    "a flood of settings": (OPENING + frames.settings(()) * (3 * IDLE_FRAMES_MAX), ENHANCE_YOUR_CALM),
    "a flood of frames unknown to us": (OPENING + frame(0xF0, 0, 0) * (3 * IDLE_FRAMES_MAX), ENHANCE_YOUR_CALM),
    "a flood of priorities": (OPENING + frame(PRIORITY, 0, 1, bytes(5)) * (3 * IDLE_FRAMES_MAX), ENHANCE_YOUR_CALM),
    "a flood of empty data": (OPENING + asked(flags=0) + frame(DATA, 0, 1) * (3 * IDLE_FRAMES_MAX), ENHANCE_YOUR_CALM),
    "rapid resets": (
        OPENING + b"".join(asked(n) + frames.rst_stream(n, frames.CANCEL) for n in range(1, 6 * IDLE_FRAMES_MAX, 2)),
        ENHANCE_YOUR_CALM,
    ),
}


@pytest.mark.parametrize(("data", "code"), GOES_AWAY.values(), ids=GOES_AWAY.keys())
async def test_who_breaks_the_connections_rules_is_told_and_closed(world: World, data: bytes, code: int) -> None:
    hold(world)
    line = await world.caller()
    line.say(data)
    _, _, _, payload = await until(line, GOAWAY)
    assert frames.read_pair(payload)[1] == code
    await line.rest()
    await world.until_done(len(world.exchanges))


IS_RESET: dict[str, tuple[bytes, int]] = {
    "a malformed request": (asked(1, encode(request(method=""))), PROTOCOL_ERROR),
    "data behind the end": (asked() + frame(DATA, 0, 1, b"x"), STREAM_CLOSED),
    "headers behind the end": (asked() + asked(), STREAM_CLOSED),
    "headers within a body": (asked(1, POST, 0) + asked(1, POST, 0), PROTOCOL_ERROR),
    "trailers with a pseudo-header": (asked(1, POST, 0) + asked(1, POST), PROTOCOL_ERROR),
    "more than the window allows": (asked(1, POST, 0) + frame(DATA, 0, 1, bytes(16384)) * 16, FLOW_CONTROL_ERROR),
    "a window update of 0": (asked(1, POST, 0) + frames.window_update(1, 0), PROTOCOL_ERROR),
    "a window beyond all": (asked(1, POST, 0) + frames.window_update(1, 2**31 - 1), FLOW_CONTROL_ERROR),
    "more than the length": (
        asked(1, encode(request("/", "POST", (b"content-length", b"1"))), 0) + frame(DATA, 0, 1, b"xy"),
        PROTOCOL_ERROR,
    ),
    "less than the length": (
        asked(1, encode(request("/", "POST", (b"content-length", b"3"))), 0) + frame(DATA, END_STREAM, 1, b"xy"),
        PROTOCOL_ERROR,
    ),
    "less than the length, with trailers": (
        asked(1, encode(request("/", "POST", (b"content-length", b"3"))), 0) + asked(1, encode([(b"a", b"b")])),
        PROTOCOL_ERROR,
    ),
}


@pytest.mark.parametrize(("data", "code"), IS_RESET.values(), ids=IS_RESET.keys())
async def test_who_breaks_a_streams_rules_loses_that_stream_alone(world: World, data: bytes, code: int) -> None:
    world.handle = lambda exchange: exchange.reply(204) if exchange.target == b"/next" else None
    line = await world.caller()
    line.say(OPENING + data)
    _, _, number, payload = await until(line, RST_STREAM, GOAWAY)
    assert (number, frames.read_number(payload)[0]) == (1, code)
    line.say(asked(3, encode(request("/next"))))
    assert (await until(line, HEADERS, GOAWAY))[2] == 3
    await world.until(lambda: len(world.done) == len(world.exchanges))


@pytest.mark.parametrize(
    "data",
    [
        frame(HEADERS, PADDED | END_HEADERS | END_STREAM, 1, b"\x03" + HEAD + bytes(3)),
        frame(HEADERS, WITH_PRIORITY | END_HEADERS | END_STREAM, 1, bytes(5) + HEAD),
        frame(HEADERS, END_STREAM, 1, HEAD[:3]) + frame(CONTINUATION, END_HEADERS, 1, HEAD[3:]),
        frame(HEADERS, END_HEADERS, 1, HEAD) + frame(DATA, PADDED | END_STREAM, 1, b"\x02" + bytes(2)),
        frame(0xF0, 0xFF, 1, b"unknown") + asked(),
        frames.settings([(0xF0, 1), (frames.HEADER_TABLE_SIZE, 0)]) + asked(),
        frame(PRIORITY, 0, 3, bytes(5)) + asked(),
        frame(GOAWAY, 0, 0, bytes(8)) + asked(),
    ],
    ids=["padding", "priority", "continuation", "padded data", "unknown frame", "settings", "priority frame", "goaway"],
)
async def test_what_is_allowed_is_served(world: World, data: bytes) -> None:
    world.handle = lambda exchange: exchange.reply(204)
    line = await world.caller()
    line.say(OPENING + data)
    assert (await until(line, HEADERS, RST_STREAM, GOAWAY))[2] == 1
    line.say(frame(PING, 0, 0, b"12345678"))
    assert await until(line, PING) == (PING, ACK, 0, b"12345678")


async def test_too_large_a_head_is_a_431_and_the_connection_goes_on(make_world: Any) -> None:
    async with make_world(head_bytes_max=2000).running() as world:
        world.handle = lambda exchange: exchange.reply(204)
        caller = await Peers(world).caller()
        answer = await caller.message(caller.ask(request("/", "GET", (b"x-a", b"y" * 3000))))
        assert answer.status == 431
        assert (await caller.message(caller.ask(request()))).status == 204


async def test_frames_of_a_stream_that_was_reset_are_passed_over(world: World) -> None:
    hold(world)
    line = await world.caller()
    line.say(OPENING + asked(1, POST, 0) + frames.rst_stream(1, frames.CANCEL))
    line.say(frame(DATA, 0, 1, b"late") + frames.window_update(1, 5) + asked(1, encode([(b"a", b"b")])))
    line.say(frame(PING, 0, 0, bytes(8)))
    assert (await until(line, PING, GOAWAY, RST_STREAM))[0] == PING


async def test_there_are_250_streams_at_a_time_at_the_most(world: World) -> None:
    hold(world)
    line = await world.caller()
    line.say(OPENING + b"".join(asked(number) for number in range(1, 2 * STREAMS_MAX + 2, 2)))
    _, _, number, payload = await until(line, RST_STREAM)
    assert (number, frames.read_number(payload)[0]) == (2 * STREAMS_MAX + 1, REFUSED_STREAM)
    assert len(world.exchanges) == STREAMS_MAX
    world.exchanges[0].reply(204)
    line.say(asked(2 * STREAMS_MAX + 3))
    await world.until(lambda: len(world.exchanges) == STREAMS_MAX + 1)


def test_a_budget_comes_back_with_time() -> None:
    budget = Budget(2, 1)
    assert [budget.spend(100.0) for _ in range(3)] == [True, True, False]
    assert not budget.spend(100.5)
    budget = Budget(2, 1)
    assert [budget.spend(float(second)) for second in range(10)] == [True] * 10


# Windows.


async def test_an_answer_waits_for_windows_and_goes_on_in_turns(world: World, peers: Any) -> None:
    async def talk(line: Line) -> None:
        while True:
            await line.head()
            line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000))

    await world.app(talk)
    caller = await peers.caller()
    caller.credit = False
    streams = [caller.ask(request()) for _ in range(2)]
    for stream in streams:
        await caller.event(h2.events.ResponseReceived, stream)
    received = dict.fromkeys(streams, 0)
    while sum(received.values()) < frames.WINDOW_DEFAULT:
        event = await caller.event(h2.events.DataReceived)
        received[event.stream_id] += len(event.data)
    assert sum(received.values()) == frames.WINDOW_DEFAULT, "the connection's window is all used"
    for stream in streams:
        caller.h2.increment_flow_control_window(400_000, stream)
    caller.h2.increment_flow_control_window(400_000)
    caller.flush()
    turns = []
    while sum(received.values()) < 200_000:
        event = await caller.event(h2.events.DataReceived)
        received[event.stream_id] += len(event.data)
        turns.append(event.stream_id)
    assert set(turns[:2]) == set(streams)
    for stream in streams:
        await caller.event(h2.events.StreamEnded, stream)


async def test_a_smaller_initial_window_holds_for_open_streams_too(world: World, peers: Any) -> None:
    hold(world)
    caller = await peers.caller()
    caller.credit = False
    stream = caller.ask(request())
    await world.until(lambda: len(world.exchanges) == 1)
    caller.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    caller.flush()
    await caller.event(h2.events.SettingsAcknowledged)
    await caller.event(h2.events.SettingsAcknowledged)
    world.exchanges[0].reply(200, b"x" * 30)
    assert len((await caller.event(h2.events.DataReceived)).data) == 10
    caller.h2.increment_flow_control_window(20, stream)
    caller.flush()
    assert len((await caller.event(h2.events.DataReceived)).data) == 20


async def pour(line: Line, make: Callable[[bytes], bytes], size: int) -> int:
    """Send `size` bytes as fast as they are taken; how many were, when nothing has moved for a moment."""
    sent = 0
    while sent < size:
        line.say(make(bytes(16384)) * 64)
        sent += 16384 * 64
        try:
            await asyncio.wait_for(line.writer.drain(), 0.3)
        except TimeoutError:
            break
    return sent


async def test_a_caller_that_does_not_read_stops_an_http1_app(world: World, peers: Any) -> None:
    sent = asyncio.get_running_loop().create_future()

    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        sent.set_result(await pour(line, lambda piece: piece, LARGE))

    await world.app(talk)
    caller = await peers.caller()
    caller.credit = False
    caller.ask(request())
    await caller.event(h2.events.ResponseReceived)
    assert await world.soon(sent) < HELD_BYTES_MAX


async def test_an_app_that_does_not_read_stops_the_upload(world: World, peers: Any) -> None:
    async def talk(line: Line) -> None:
        line.writer.transport.pause_reading()
        await asyncio.Event().wait()

    await world.app(talk)
    caller = await peers.caller()
    stream = caller.ask(request("/", "POST"), ended=False)
    sent, updates = 0, 0
    while True:
        room = min(caller.h2.local_flow_control_window(stream), 16384)
        if room:
            caller.say(stream, bytes(room))
            sent += room
            continue
        try:
            await asyncio.wait_for(caller.event(h2.events.WindowUpdated), 0.5)
            updates += 1
        except TimeoutError:
            break
    assert updates
    assert sent < HELD_BYTES_MAX


async def test_a_stream_whose_data_nobody_takes_does_not_stop_others(world: World, peers: Any) -> None:
    await peers.echo()
    echo = world.handle
    world.handle = lambda exchange: None if exchange.target == b"/held" else echo(exchange)
    caller = await peers.caller()
    for _ in range(20):
        held = caller.ask(request("/held", "POST"), ended=False)
        for size in (16384, 16384, 16384, 16383):
            while caller.h2.local_flow_control_window(held) < size:
                await caller.read()
            caller.say(held, bytes(size))
    assert CONNECTION_WINDOW < 20 * 65535, "more than the connection's window is held"
    assert (await caller.message(caller.ask(request("/", "POST"), b"hello"))).body == b"hello"


# Going away.


async def test_a_drain_tells_the_last_stream_and_lets_it_finish(world: World) -> None:
    hold(world)
    line = await world.caller()
    line.say(OPENING + asked())
    await world.until(lambda: len(world.exchanges) == 1)
    draining = asyncio.create_task(world.server.drain(20))
    told = [await until(line, GOAWAY) for _ in range(2)]
    assert [frames.read_pair(payload)[0] for *_, payload in told] == [2**31 - 1, 1]
    world.exchanges[0].reply(200, b"done")
    assert (await until(line, DATA))[1:] == (END_STREAM, 1, b"done")
    assert await line.rest() == b""
    line.close()
    await world.soon(draining)
    assert not world.server.connections


async def test_a_stream_behind_the_last_is_not_served(world: World) -> None:
    hold(world)
    line = await world.caller()
    line.say(OPENING + asked(1))
    await world.until(lambda: len(world.exchanges) == 1)
    draining = asyncio.create_task(world.server.drain(20))
    await until(line, GOAWAY)
    await until(line, GOAWAY)
    line.say(asked(3) + frame(PING, 0, 0, bytes(8)))
    await until(line, PING)
    assert len(world.exchanges) == 1
    world.exchanges[0].reply(204)
    await world.soon(draining)


async def test_an_idle_connection_is_told_and_closed_by_a_drain(world: World, peers: Any) -> None:
    caller = await peers.caller()
    await caller.event(h2.events.RemoteSettingsChanged)
    await asyncio.gather(world.server.drain(20), caller.line.rest())


@pytest.mark.parametrize("how", ["goaway", "refused"])
@pytest.mark.parametrize("http2", [True, False])
async def test_a_request_that_the_app_has_not_looked_at_goes_again(
    world: World, peers: Any, how: str, http2: bool
) -> None:
    asked = set()

    async def talk(app: Speaker) -> None:
        stream = (await app.event(h2.events.RequestReceived)).stream_id
        asked.add(app)
        await app.event(h2.events.StreamEnded)
        if world.apps_asked:
            app.head(stream, OK)
            app.say(stream, b"second", ended=True)
            await app.event(h2.events.ConnectionTerminated)
        world.apps_asked += 1
        if how == "goaway":
            app.h2.close_connection(last_stream_id=0)
        else:
            app.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        app.flush()
        await talk(app)

    world.apps_asked = 0
    await peers.app(talk)
    if http2:
        caller = await peers.caller()
        answer = await caller.message(caller.ask(request("/", "POST"), b"hello"))
        assert answer.body == b"second"
    else:
        answer = await world.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        assert b"6\r\nsecond\r\n" in answer
    assert len(asked) == (2 if how == "goaway" else 1)


async def test_a_request_that_is_always_refused_goes_to_the_dispatcher(world: World, peers: Any) -> None:
    async def talk(app: Speaker) -> None:
        while True:
            stream = (await app.event(h2.events.RequestReceived)).stream_id
            app.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            app.flush()

    await peers.app(talk)
    caller = await peers.caller()
    assert (await caller.message(caller.ask(request("/", "POST"), b"hello"))).status == 502
    assert world.unsent == ["http2: request refused"]


async def test_connections_to_an_address_that_is_dropped_finish_what_they_have(world: World, peers: Any) -> None:
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def talk(app: Speaker) -> None:
        stream = (await app.event(h2.events.RequestReceived)).stream_id
        begun.set()
        await go_on.wait()
        app.head(stream, OK, ended=True)
        await app.read()

    app = await peers.app(talk)
    caller = await peers.caller()
    first = caller.ask(request())
    await world.soon(begun.wait())
    world.server.drop(app.address)
    go_on.set()
    assert (await caller.message(first)).status == 200
    assert (await caller.message(caller.ask(request()))).status == 200
    assert app.connections == 2
