"""Requests and answers between HTTP/2 and HTTP/1.1 peers, in all four ways, by the `h2` library and real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import h2.events
import h2.exceptions
import pytest
from h2.errors import ErrorCodes

from activator.proxy.http2 import frames
from activator.proxy.http2.compression import encode
from swell.testing.peers import free_port
from tests.activator.proxy.http2.conftest import OK, request

Line = Any
World = Any
Peers = Any
Speaker = Any
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def refusing_address() -> tuple[str, int]:
    return "127.0.0.1", free_port()


async def test_a_request_with_body_and_trailers_from_end_to_end(world: World, peers: Peers) -> None:
    await peers.echo()
    caller = await peers.caller()
    answer = await caller.message(caller.ask(request("/", "POST"), b"hello"))
    assert (answer.status, answer.body, answer.trailers) == (200, b"hello", {b"x-size": b"5"})
    await world.until_done()
    assert (world.done[0].status, world.done[0].gone) == (200, False)


async def test_a_requests_own_trailers_go_on(peers: Peers) -> None:
    async def talk(app: Speaker) -> None:
        message = await app.message((await app.event(h2.events.RequestReceived)).stream_id)
        app.head(1, [*OK, (b"x-sum", message.trailers[b"x-sum"])], ended=True)

    await peers.app(talk)
    caller = await peers.caller()
    stream = caller.ask(request("/", "POST"), b"hello", ended=False)
    caller.head(stream, [(b"x-sum", b"42")], ended=True)
    assert (await caller.message(stream)).headers[b"x-sum"] == b"42"


async def test_many_requests_share_one_connection(peers: Peers) -> None:
    app = await peers.echo()
    caller = await peers.caller()
    streams = [caller.ask(request(f"/{number}", "POST"), b"%d" % number) for number in range(50)]
    answers = [await caller.message(stream) for stream in streams]
    assert [answer.body for answer in answers] == [b"%d" % number for number in range(50)]
    assert app.connections == 1


async def test_another_connection_is_made_when_streams_run_out(peers: Peers) -> None:
    waiting: list[tuple[Speaker, int]] = []

    async def talk(app: Speaker) -> None:
        while True:
            asked = await app.event(h2.events.RequestReceived)
            waiting.append((app, asked.stream_id))
            if len(waiting) == 6:
                for speaker, stream in waiting:
                    speaker.head(stream, OK, ended=True)

    await peers.app(talk, max_concurrent_streams=2)
    caller = await peers.caller()
    streams = [caller.ask(request()) for _ in range(6)]
    for stream in streams:
        assert (await caller.message(stream)).status == 200
    # Not those accepted: a dial that takes long is given up, and made again.
    assert len({speaker for speaker, _ in waiting}) == 3


async def test_an_http1_app_answers_an_http2_caller(world: World, peers: Peers) -> None:
    heads = []

    async def talk(line: Line) -> None:
        while True:
            heads.append(await line.head())
            body = await line.until(b"0\r\n\r\n")
            line.say(
                b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )

    app = await world.app(talk)
    caller = await peers.caller()
    for _ in range(2):
        answer = await caller.message(caller.ask(request("/x", "POST"), b"hello"))
        assert answer.headers == {b":status": b"200", b"x-a": b"1", b"content-length": b"15"}
        assert answer.body == b"5\r\nhello\r\n0\r\n\r\n"
    assert heads[0].startswith(b"POST /x HTTP/1.1\r\nhost: a.example\r\n")
    assert app.connections == 1


async def test_a_body_of_known_length_goes_to_an_http1_app_as_it_is(world: World, peers: Peers) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + await line.hear(5))

    await world.app(talk)
    caller = await peers.caller()
    stream = caller.ask(request("/", "POST", (b"content-length", b"5")), b"he", ended=False)
    caller.say(stream, b"llo", ended=True)
    assert (await caller.message(stream)).body == b"hello"


async def test_chunks_and_trailers_of_an_http1_app_reach_an_http2_caller(world: World, peers: Peers) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n")
        line.say(b"0\r\nX-Sum: 42\r\n\r\n")

    await world.app(talk)
    caller = await peers.caller()
    answer = await caller.message(caller.ask(request()))
    assert (answer.headers, answer.body, answer.trailers) == ({b":status": b"200"}, b"hello", {b"x-sum": b"42"})


async def test_a_body_that_ends_with_its_connection_reaches_an_http2_caller(world: World, peers: Peers) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\n\r\nhello")

    await world.app(talk)
    caller = await peers.caller()
    assert (await caller.message(caller.ask(request()))).body == b"hello"


@pytest.mark.parametrize("status", [200, 204, 304])
async def test_answers_without_body(world: World, peers: Peers, status: int) -> None:
    async def talk(line: Line) -> None:
        while True:
            await line.head()
            line.say(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, b"Content-Length: 9\r\n" if status == 200 else b""))

    app = await world.app(talk)
    caller = await peers.caller()
    for _ in range(2):
        answer = await caller.message(caller.ask(request("/", "HEAD")))
        assert (answer.status, answer.body) == (status, b"")
    assert app.connections == 1


async def test_an_http1_caller_of_an_http2_app(world: World, peers: Peers) -> None:
    await peers.echo()
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    line.say(b"llo")
    assert await line.until(b"0\r\nx-size: 5\r\n\r\n") == (
        b"HTTP/1.1 200 OK\r\nx-method: POST\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-size: 5\r\n\r\n"
    )
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
    line.say(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    rest = await line.rest()
    assert rest.endswith(b"5\r\nhello\r\n0\r\nx-size: 5\r\n\r\n")
    assert world.exchanges[1].sent_bytes > 0


async def test_an_http1_0_caller_gets_neither_chunks_nor_trailers(world: World, peers: Peers) -> None:
    await peers.echo()
    answer = await world.ask(b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    assert answer == b"HTTP/1.1 200 OK\r\nx-method: POST\r\nConnection: close\r\n\r\nhello"


async def test_interim_answers_go_through(peers: Peers, world: World) -> None:
    async def talk(app: Speaker) -> None:
        while True:
            asked = await app.event(h2.events.RequestReceived)
            app.head(asked.stream_id, [(b":status", b"103"), (b"link", b"</a.css>")])
            app.head(asked.stream_id, OK, ended=True)

    await peers.app(talk)
    caller = await peers.caller()
    answer = await caller.message(caller.ask(request()))
    assert answer.interim == [{b":status": b"103", b"link": b"</a.css>"}]
    assert answer.status == 200
    line = await world.caller()
    line.say(GET)
    assert await line.head() == b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n"
    assert await line.head() == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_case_38_a_body_that_waits_for_100_is_asked_for_by_the_app(world: World, peers: Peers) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + await line.hear(2))

    await world.app(talk)
    caller = await peers.caller()
    stream = caller.ask(request("/", "PUT", (b"expect", b"100-continue"), (b"content-length", b"2")), ended=False)
    interim = await caller.event(h2.events.InformationalResponseReceived)
    assert dict(interim.headers)[b":status"] == b"100"
    caller.say(stream, b"hi", ended=True)
    assert (await caller.message(stream)).body == b"hi"


async def test_each_piece_of_a_stream_comes_at_once_in_both_directions(peers: Peers) -> None:
    async def talk(app: Speaker) -> None:
        stream = (await app.event(h2.events.RequestReceived)).stream_id
        app.head(stream, [*OK, (b"content-type", b"text/event-stream")])
        for number in range(5):
            assert (await app.event(h2.events.DataReceived)).data == b"ask %d" % number
            app.say(stream, b"answer %d" % number)
        await app.event(h2.events.StreamEnded)
        app.say(stream, b"", ended=True)

    await peers.app(talk)
    caller = await peers.caller()
    stream = caller.ask(request("/", "POST"), ended=False)
    await caller.event(h2.events.ResponseReceived)
    for number in range(5):
        caller.say(stream, b"ask %d" % number)
        assert (await caller.event(h2.events.DataReceived)).data == b"answer %d" % number
    caller.say(stream, b"", ended=True)
    await caller.event(h2.events.StreamEnded)


async def test_our_own_answers_are_plain_statuses(world: World, peers: Peers) -> None:
    world.handle = lambda exchange: exchange.reply(503, b"full\n", ((b"Retry-After", b"1"),))
    caller = await peers.caller()
    answer = await caller.message(caller.ask(request("/", "POST"), b"hello"))
    assert answer.headers == {b":status": b"503", b"retry-after": b"1", b"content-length": b"5"}
    assert answer.body == b"full\n"
    head = await caller.message(caller.ask(request("/", "HEAD")))
    assert (head.status, head.headers[b"content-length"], head.body) == (503, b"5", b"")


async def test_an_answer_before_the_request_is_complete_asks_for_no_more_of_it(world: World, peers: Peers) -> None:
    world.handle = lambda exchange: exchange.reply(413, b"large\n")
    caller = await peers.caller()
    stream = caller.ask(request("/", "POST"), b"he", ended=False)
    assert (await caller.message(stream)).status == 413
    assert (await caller.event(h2.events.StreamReset)).error_code is ErrorCodes.NO_ERROR


async def test_a_request_waits_with_its_body_until_it_can_go(world: World, peers: Peers) -> None:
    world.handle = lambda exchange: None
    caller = await peers.caller()
    stream = caller.ask(request("/", "POST"), b"hello")
    await world.until(lambda: len(world.exchanges) == 1)
    await peers.echo()
    world.exchanges[0].forward(world.address, http2=True)
    assert (await caller.message(stream)).body == b"hello"


async def test_case_41_an_app_that_does_not_listen_is_a_502_in_gos_words(world: World, peers: Peers) -> None:
    world.address, world.http2 = refusing_address(), True
    host, port = world.address
    caller = await peers.caller()
    answer = await caller.message(caller.ask(request()))
    text = f"dial tcp {host}:{port}: connect: connection refused"
    assert (answer.status, answer.body, world.unsent) == (502, text.encode() + b"\n", [text])


async def test_an_app_that_does_not_speak_http2_is_a_502(world: World, peers: Peers) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    await world.app(talk)
    world.http2 = True
    caller = await peers.caller()
    assert (await caller.message(caller.ask(request()))).status == 502


async def test_case_42_an_app_that_breaks_off_resets_the_callers_stream_and_no_other(peers: Peers) -> None:
    async def talk(app: Speaker) -> None:
        while True:
            asked = await app.event(h2.events.RequestReceived)
            app.head(asked.stream_id, OK)
            if dict(asked.headers)[b":path"] == b"/broken":
                app.say(asked.stream_id, b"half")
                app.h2.reset_stream(asked.stream_id, ErrorCodes.INTERNAL_ERROR)
                app.flush()
            else:
                app.say(asked.stream_id, b"whole", ended=True)

    await peers.app(talk)
    caller = await peers.caller()
    broken, whole = caller.ask(request("/broken")), caller.ask(request("/whole"))
    assert (await caller.message(broken)).reset is ErrorCodes.INTERNAL_ERROR
    assert (await caller.message(whole)).body == b"whole"


async def test_case_42_an_http1_caller_sees_that_its_answer_is_not_complete(world: World, peers: Peers) -> None:
    async def talk(app: Speaker) -> None:
        await app.event(h2.events.RequestReceived)
        app.head(1, OK)
        app.say(1, b"half")
        app.h2.reset_stream(1, ErrorCodes.INTERNAL_ERROR)
        app.flush()

    await peers.app(talk)
    line = await world.caller()
    line.say(GET)
    with contextlib.suppress(ConnectionResetError):
        assert not (await line.rest()).endswith(b"0\r\n\r\n")


async def test_an_app_that_resets_before_its_head_is_a_502_in_gos_words(peers: Peers) -> None:
    async def talk(app: Speaker) -> None:
        await app.event(h2.events.RequestReceived)
        app.h2.reset_stream(1, ErrorCodes.INTERNAL_ERROR)
        app.flush()

    await peers.app(talk)
    caller = await peers.caller()
    answer = await caller.message(caller.ask(request()))
    assert (answer.status, answer.body) == (502, b"stream error: stream ID 1; INTERNAL_ERROR; received from peer\n")


async def test_an_app_that_closes_the_connection_has_hung_up_on_whom_it_has_not_answered(
    world: World, peers: Peers
) -> None:
    async def talk(app: Speaker) -> None:
        first = await app.event(h2.events.RequestReceived)
        app.head(first.stream_id, OK)
        await app.event(h2.events.RequestReceived)

    await peers.app(talk)
    caller = await peers.caller()
    streams = [caller.ask(request("/", "POST")) for _ in range(2)]
    assert (await caller.message(streams[0])).reset is not None
    assert (await caller.message(streams[1])).status == 502
    assert [exchange.hung_up for exchange in world.exchanges] == [False, True]


async def test_a_body_shorter_than_its_length_is_broken_off(peers: Peers) -> None:
    async def talk(app: Speaker) -> None:
        await app.event(h2.events.RequestReceived)
        app.line.say(frames.headers(1, encode([*OK, (b"content-length", b"9")]), 0))
        app.line.say(frames.frame(frames.DATA, frames.END_STREAM, 1, b"hi"))

    await peers.app(talk)
    caller = await peers.caller()
    answer = await caller.message(caller.ask(request()))
    assert answer.reset is not None


@pytest.mark.parametrize("http2", [True, False])
async def test_a_caller_that_resets_its_stream_cancels_it_at_the_app(world: World, peers: Peers, http2: bool) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def talk(app: Speaker) -> None:
        await app.event(h2.events.RequestReceived)
        begun.set()
        assert (await app.event(h2.events.StreamReset)).error_code is ErrorCodes.CANCEL
        cancelled.set()

    async def talk1(line: Line) -> None:
        await line.head()
        begun.set()
        assert await line.rest() == b""
        cancelled.set()

    await (peers.app(talk) if http2 else world.app(talk1))
    caller = await peers.caller()
    stream = caller.ask(request())
    await world.soon(begun.wait())
    caller.h2.reset_stream(stream, ErrorCodes.CANCEL)
    caller.flush()
    await world.soon(cancelled.wait())
    await world.until_done()
    assert world.done[0].gone


async def test_a_caller_that_closes_its_connection_cancels_all_it_asked(world: World, peers: Peers) -> None:
    begun, reset = asyncio.Event(), asyncio.Event()

    async def talk(app: Speaker) -> None:
        for _ in range(3):
            await app.event(h2.events.RequestReceived)
        begun.set()
        for _ in range(3):
            await app.event(h2.events.StreamReset)
        reset.set()

    await peers.app(talk)
    caller = await peers.caller()
    for _ in range(3):
        caller.ask(request())
    await world.soon(begun.wait())
    caller.line.close()
    await world.soon(reset.wait())
    await world.until_done(3)
    assert all(exchange.gone for exchange in world.done)
