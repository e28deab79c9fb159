"""Requests and responses through real sockets: framing, order, refusals, and what the app gets to see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
World = Any
Line = Any
MakeWorld = Callable[..., World]


async def always_ok(line: Line) -> None:
    while True:
        await line.head()
        line.say(OK)


async def echo(line: Line) -> None:
    """Answers with the request line and the body."""
    while True:
        head = await line.head()
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        body = head.split(b"\r\n")[0] + b"|" + await line.hear(size)
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def echo_head(line: Line) -> None:
    """Answers with the head as it came."""
    while True:
        head = await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))


async def read_chunks(line: Line) -> bytes:
    """A whole chunked body, raw."""
    body = b""
    while not body.endswith(b"0\r\n\r\n"):
        body += await line.until(b"\r\n")
    return body


async def test_a_connection_carries_one_request_after_another_over_one_upstream_connection(world: World) -> None:
    app = await world.app(always_ok)
    line = await world.caller()
    for _ in range(3):
        line.say(GET)
        assert await line.hear(len(OK)) == OK
    assert [exchange.status for exchange in world.done] == [200] * 3
    assert app.connections == 1


REQUEST = (
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    b"\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)


async def test_requests_may_be_cut_into_pieces_anywhere(world: World) -> None:
    await world.app(echo)
    for cut in range(1, len(REQUEST)):
        line = await world.caller()
        line.say(REQUEST[:cut])
        await asyncio.sleep(0)
        line.say(REQUEST[cut:])
        answers = await line.rest()
        assert b"POST /a HTTP/1.1|hello" in answers
        assert answers.endswith(b"GET /b HTTP/1.1|")


async def test_requests_sent_ahead_are_answered_in_order(world: World) -> None:
    await world.app(echo)
    count = 3000
    line = await world.caller()
    line.say(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(count)))
    for number in range(count):
        await line.head()
        body = b"GET /%d HTTP/1.1|" % number
        assert await line.hear(len(body)) == body


async def test_any_number_of_requests_at_once_may_be_answered_by_ourselves(world: World) -> None:
    world.handle = lambda exchange: exchange.reply(404, b"no")
    answers = await world.ask(GET * 5000 + CLOSE)
    assert answers.count(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n") == 5001


RESPONSES = {
    "of known length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "with trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES.keys())
async def test_a_response_arrives_as_it_was_sent_however_it_is_cut(world: World, response: bytes) -> None:
    cut = 0

    async def talk(line: Line) -> None:
        while True:
            await line.head()
            line.say(response[:cut])
            await asyncio.sleep(0)
            line.say(response[cut:])

    app = await world.app(talk)
    line = await world.caller()
    for cut in range(len(response)):  # noqa: B007
        line.say(GET)
        assert await line.hear(len(response)) == response
    assert app.connections == 1


async def test_the_answer_to_head_has_no_body(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await line.head()
        line.say(OK)

    await world.app(talk)
    answers = await world.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + CLOSE)
    assert answers.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK")


async def test_a_response_without_length_goes_on_in_chunks(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 200 OK\r\n\r\nhello")

    await world.app(talk)
    line = await world.caller()
    line.say(GET)
    assert await line.head() == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await read_chunks(line) == b"5\r\nhello\r\n0\r\n\r\n"


async def test_an_old_caller_gets_no_chunks(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(RESPONSES["in chunks"])
        await line.rest()

    await world.app(talk)
    assert await world.ask(b"GET / HTTP/1.0\r\n\r\n") == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"


async def test_an_old_caller_may_keep_its_connection(world: World) -> None:
    await world.app(always_ok)
    line = await world.caller()
    for _ in range(2):
        line.say(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"Connection: keep-alive\r\n" in await line.head()
        assert await line.hear(2) == b"ok"


async def test_a_body_in_chunks_arrives_as_it_was_sent(world: World) -> None:
    got: list[bytes] = []

    async def talk(line: Line) -> None:
        await line.head()
        got.append(await read_chunks(line))
        line.say(OK)
        await line.rest()

    await world.app(talk)
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    await world.until(lambda: bool(world.exchanges))
    line.say(b"lo\r\n0\r\n\r\n")
    assert await line.hear(len(OK)) == OK
    assert got == [b"5\r\nhello\r\n0\r\n\r\n"]


REFUSED = {
    "not HTTP": (b"\x16\x03\x01\x02\x00", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "both lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
    "HTTP/2": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "bad chunks at once": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello", 400),
}


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_read_is_refused_and_the_connection_closed(
    world: World, request_: bytes, status: int
) -> None:
    line = await world.caller()
    line.say(request_ + GET)
    answer = await line.rest()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close\r\n" in answer
    assert world.exchanges == []


async def test_chunks_that_turn_bad_while_held_are_told_so(world: World) -> None:
    world.handle = lambda exchange: None
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await world.until(lambda: bool(world.exchanges))
    line.say(b"zz\r\n")
    assert (await line.rest()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert [exchange.status for exchange in world.done] == [400]


async def test_a_head_that_is_too_long_gets_431_whole_or_not(make_world: MakeWorld) -> None:
    async with make_world(head_bytes_max=1000).running() as world:
        await world.app(always_ok)
        for end in (b"\r\n\r\n", b""):
            answer = await world.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1000 + end)
            assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert (await world.ask(CLOSE)).endswith(b"ok")


async def test_a_head_has_to_come_in_time_but_an_idle_connection_may_stay(make_world: MakeWorld) -> None:
    async with make_world(head_timeout_s=0.05).running() as world:
        await world.app(always_ok)
        idle = await world.caller()
        idle.say(GET)
        assert await idle.hear(len(OK)) == OK
        silent, slow = await world.caller(), await world.caller()
        slow.say(b"GET / HTTP/1.1\r\nHo")
        assert (await silent.rest(), await slow.rest()) == (b"", b"")
        idle.say(GET)
        assert await idle.hear(len(OK)) == OK


async def test_a_reply_leaves_the_connection_usable_when_the_body_is_small(world: World) -> None:
    world.handle = lambda exchange: exchange.reply(404, b"no")
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    assert b"Connection: close" not in await line.head()
    assert await line.hear(2) == b"no"
    line.say(b"world" + CLOSE)
    assert (await line.rest()).startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert len(world.done) == 2


async def test_a_reply_closes_the_connection_when_the_body_is_large(world: World) -> None:
    world.handle = lambda exchange: exchange.reply(404, b"no")
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 100_000)
    answer = await line.rest()
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"no")


async def test_case_38_a_final_status_instead_of_100_is_relayed_without_asking_for_the_body(world: World) -> None:
    async def talk(line: Line) -> None:
        assert b"Expect: 100-continue" in await line.head()
        line.say(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        await line.rest()

    await world.app(talk)
    answer = await world.ask(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    )
    assert answer == b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def test_case_37_interim_responses_are_relayed_and_the_final_status_is_kept(world: World) -> None:
    async def talk(line: Line) -> None:
        await line.head()
        line.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await line.hear(5) == b"hello"
        line.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        await line.rest()

    await world.app(talk)
    line = await world.caller()
    line.say(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert await line.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (world.exchanges[0].status, world.exchanges[0].informed) == (0, True)
    line.say(b"hello")
    assert await line.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert await line.head() == b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n"
    assert await line.hear(2) == b"no"
    await world.until_done()
    assert world.done[0].status == 404


async def test_an_exchange_knows_its_request(world: World) -> None:
    await world.app(always_ok)
    line = await world.caller()
    line.say(b"GET /x?y HTTP/1.1\r\nHost: Hello.Example:80\r\nX-A: 1\r\n\r\n")
    await line.hear(len(OK))
    exchange = world.done[0]
    assert (exchange.method, exchange.target, exchange.host) == (b"GET", b"/x?y", "hello.example")
    assert exchange.headers == [(b"Host", b"Hello.Example:80"), (b"X-A", b"1")]
    assert exchange.peer == line.writer.get_extra_info("sockname")
    assert (exchange.head_bytes, exchange.sent_bytes) == (53, len(OK))


async def test_answers_alike_go_to_callers_that_need_them_otherwise(world: World) -> None:
    """The answer is the same each time; how it is passed on depends on who asks."""
    await world.app(always_ok)
    line = await world.caller()
    line.say(GET)
    assert await line.hear(len(OK)) == OK
    for request in (CLOSE, b"GET / HTTP/1.0\r\n\r\n"):
        assert await world.ask(request) == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    line.say(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"\r\nConnection: keep-alive\r\n" in await line.head()


async def test_an_answer_before_the_end_of_the_body_is_not_taken_for_the_end_of_the_exchange(world: World) -> None:
    await world.app(always_ok)
    line = await world.caller()
    for _ in range(3):
        line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhe")
        assert await line.hear(len(OK)) == OK
        line.say(b"re")
    line.say(GET)
    assert await line.hear(len(OK)) == OK


async def test_two_answers_in_one_piece_are_not_one(world: World) -> None:
    async def talk(line: Line) -> None:
        for answer in (OK, OK + OK, OK):
            await line.head()
            line.say(answer)

    app = await world.app(talk)
    line = await world.caller()
    for _ in range(2):
        line.say(GET)
        assert await line.hear(len(OK)) == OK
    line.say(GET)
    assert await line.hear(len(OK)) == OK
    assert app.connections == 2, "the connection with the answer that nobody asked for is not used again"


async def test_lines_are_added_to_the_head_of_an_answer_beside_those_of_the_app(world: World) -> None:
    async def talk(line: Line) -> None:
        while True:
            await line.head()
            line.say(b"HTTP/1.1 200 OK\r\nServer-Timing: db;dur=5\r\nContent-Length: 2\r\n\r\nok")

    await world.app(talk)

    def handle(exchange: Any) -> None:
        if b"cold" in exchange.target:
            exchange.head_fields = lambda: ((b"server-timing", b"ready;dur=1"),)
        exchange.forward(world.address)

    world.handle = handle
    line = await world.caller()
    for target, count in ((b"/", 1), (b"/cold", 2), (b"/", 1)):
        line.say(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await line.head()
        assert head.lower().count(b"server-timing: ") == count
        assert b"Server-Timing: db;dur=5\r\n" in head
        assert await line.hear(2) == b"ok"


async def test_a_request_may_be_given_a_trace_and_the_next_another(world: World) -> None:
    await world.app(echo_head)
    traces = [b"00-0af7651916cd43dd8448eb211c80319%d-b7ad6b7169203331-00" % number for number in range(3)]
    unused = iter(traces)
    world.handle = lambda exchange: exchange.forward(world.address, trace=next(unused))
    line = await world.caller()
    for trace, request in zip(traces, (GET, GET, GET.replace(b"/", b"http://a/x", 1)), strict=True):
        line.say(request)
        head = await line.head()
        seen = await line.hear(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
        assert seen.endswith(b"\r\ntraceparent: " + trace + b"\r\n\r\n")
        assert seen.count(b"\r\n\r\n") == 1


async def test_an_exchange_knows_of_a_trace_at_the_end_of_its_head(world: World) -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    world.handle = lambda exchange: exchange.reply(204)
    line = await world.caller()
    for head in (GET, GET[:-2] + b"traceparent: " + trace + b"\r\n\r\n", GET):
        line.say(head)
        await line.head()
    assert [exchange.named.get(b"traceparent") for exchange in world.exchanges] == [None, trace, None]
    assert world.exchanges[1].headers == [(b"Host", b"a"), (b"traceparent", trace)]
