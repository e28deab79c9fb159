"""Random requests and answers, put together from what is good and what is not, and cut anywhere.

Whatever comes: nothing is raised, any cut reads alike, and what goes on is read by another reader in one way.
"""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any, cast

import httptools
from hypothesis import given, settings
from hypothesis import strategies as st

from activator.proxy.downstream import Downstream
from activator.proxy.errors import RemoteProtocolError
from activator.proxy.exchange import Exchange
from activator.proxy.framing import GOES_ON, Chunked, Spans
from activator.proxy.server import ProxyServer
from activator.proxy.upstream import Upstream
from tests.activator.proxy.test_splits import Transport

ADDRESS = ("127.0.0.9", 80)
# About ten seconds for each test; look for longer with a larger number.
EXAMPLES = settings(max_examples=600, deadline=None)


def one_of(*tokens: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from(tokens)


# Mostly good: of what is bad in one place only, most is learned.
line_end = st.one_of(*[st.just(b"\r\n")] * 12, one_of(b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\n\r\n", b""))
colon = st.one_of(*[st.just(b": ")] * 12, one_of(b":", b" :", b"\t: ", b"", b":\0", b":\t "))
number = st.one_of(
    *[one_of(b"0", b"5", b"11")] * 6,
    one_of(b"+5", b"-1", b"0x5", b"5,5", b"05", b"5 ", b"", b"9" * 19, b"\xb25", b"1_0"),
)
any_line = st.one_of(
    st.tuples(one_of(b"X", b"x-y", b"Cookie", b"Accept", b"TE", b"!#$", b"X_Y"), colon, st.binary(max_size=12)),
    st.tuples(one_of(b"Content-Length", b"content-length"), colon, number),
    st.tuples(
        one_of(b"Transfer-Encoding"), colon, one_of(b"chunked", b"chunked", b"Chunked", b"gzip", b"chunked, chunked")
    ),
    st.tuples(
        one_of(b"Connection"), colon, one_of(b"close", b"keep-alive", b"Upgrade", b"X", b"Content-Length, TE", b",")
    ),
    st.tuples(one_of(b"Host", b"hOST"), colon, one_of(b"a", b"a:80", b"a b", b"[::1]", b"")),
    st.tuples(
        one_of(b"Upgrade", b"Trailer", b"Expect", b"Keep-Alive", b"X-Forwarded-For"), colon, one_of(b"a", b"h2c")
    ),
).map(b"".join)
ended = st.tuples(any_line, line_end).map(b"".join)
size = st.one_of(
    *[one_of(b"5", b"5", b"005", b"5;a=b")] * 5, one_of(b"+5", b"0x5", b" 5", b"", b"6", b"fffffffffffffffff", b"5;\0")
)
chunk = st.tuples(size, line_end, st.just(b"hello"), line_end).map(b"".join)
chunks = st.tuples(
    st.lists(chunk, max_size=3).map(b"".join),
    st.one_of(*[st.just(b"0\r\n")] * 5, one_of(b"0\n", b"00\r\n", b"0;x\r\n", b"")),
    st.one_of(*[st.just(b"")] * 3, ended),
    line_end,
).map(b"".join)
body = st.one_of(st.just(b""), st.just(b"hello"), chunks, chunks, st.binary(max_size=20))
request_line = st.one_of(
    *[one_of(b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"HEAD /%00 HTTP/1.1", b"PUT http://b/c HTTP/1.1")] * 5,
    one_of(
        b"GET / HTTP/1.0",
        b"GET  / HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT a:1 HTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET /\r",
    ),
)
status_line = st.one_of(
    *[one_of(b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 404 ", b"HTTP/1.1 100 Continue")] * 5,
    one_of(
        b"HTTP/1.0 200 OK", b"HTTP/1.1 304", b"HTTP/1.1 101 X", b"HTTP/2 200", b"HTTP/1.1  200", b"HTTP/1.1 999 \xff"
    ),
)
host = one_of(b"Host: a\r\n", b"Host: a\r\n", b"Host: a\r\n", b"")
lines = st.lists(ended, max_size=4).map(b"".join)
good = one_of(
    b"GET /g HTTP/1.1\r\nHost: g\r\n\r\n",
    b"POST /g HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /g HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n",
)
request = st.one_of(good, st.tuples(request_line, line_end, host, lines, line_end, body).map(b"".join))
# What a head lacks is learned at its end, or before.
requests = st.lists(request, min_size=1, max_size=4).map(lambda parts: b"".join(parts) + b"\r\n\r\n")
answer = st.tuples(status_line, line_end, lines, line_end, body).map(b"".join)
answers = st.lists(answer, min_size=1, max_size=3).map(b"".join)
cutting = st.randoms(use_true_random=False)


class Place:
    """A proxy between a caller's connection and an app's, both without a network."""

    def __init__(self, answers: bytes | None = None) -> None:
        self.answers = answers
        self.server = ProxyServer(self)
        self.caller = Transport()
        self.apps: list[Transport] = []
        self.upstreams: list[Upstream] = []
        self.exchanges: list[Exchange] = []
        self.done: list[Exchange] = []
        self.connection = Downstream(self.server)
        self.connection.connection_made(cast(asyncio.BaseTransport, self.caller))

    # The dispatcher.

    def on_request(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        app = Transport()
        upstream = Upstream(self.server.upstreams, ADDRESS)
        upstream.connection_made(cast(asyncio.BaseTransport, app))
        self.apps.append(app)
        self.upstreams.append(upstream)
        self.server.upstreams.pool.clear()
        assert self.server.upstreams.put(upstream)
        exchange.forward(ADDRESS)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        raise AssertionError(error)

    def on_done(self, exchange: Exchange) -> None:
        assert exchange not in self.done, "each exchange is done exactly once"
        self.done.append(exchange)

    # The two ends.

    def hear(self, pieces: list[bytes]) -> None:
        """The caller says these; each request is answered once it has come whole."""
        for piece in pieces:
            if not self.caller.closed:
                self.connection.data_received(piece)
                self.answer()

    def answer(self) -> None:
        while (exchange := self.connection.exchange) is not None and self.connection.body is None:
            upstream = exchange.upstream
            assert isinstance(upstream, Upstream)
            upstream.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self.caller.closed = True
        self.connection.connection_lost(None)
        for app, upstream in zip(self.apps, self.upstreams, strict=True):
            app.closed = True
            upstream.connection_lost(None)
        self.server.close()
        assert len(self.done) == len(self.exchanges)


def cut(data: bytes, choose: random.Random) -> list[bytes]:
    """In up to eight pieces, or byte by byte."""
    if choose.random() < 0.2:
        return [data[at : at + 1] for at in range(len(data))]
    ends = sorted(choose.randrange(len(data) + 1) for _ in range(choose.randrange(8)))
    return [piece for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if (piece := data[start:end])]


class Reader:
    """What httptools reads of a connection: all messages, in its way."""

    def __init__(self, data: bytes, *, response: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self.whole = 0
        parser = httptools.HttpResponseParser(self) if response else httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.whole += 1

    def on_message_begin(self) -> None:
        self.messages.append({"target": b"", "body": b"", "headers": []})

    def on_url(self, url: bytes) -> None:
        self.messages[-1]["target"] += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.messages[-1]["headers"].append((name, value))

    def on_body(self, body: bytes) -> None:
        self.messages[-1]["body"] += body

    def on_message_complete(self) -> None:
        self.whole += 1


def heard(data: list[bytes]) -> tuple[list[bool], list[bytes]]:
    """Which answers of the caller's are good, and what each app gets of a request that came whole."""
    place = Place()
    place.hear(data)
    # Why it is refused may be learned before all of it has come, and then be told otherwise.
    answered = [part.startswith(b"200") for part in place.caller.written.split(b"HTTP/1.1 ")[1:]]
    served = [app.written for app, exchange in zip(place.apps, place.exchanges, strict=True) if exchange.status == 200]
    place.close()
    return answered, served


# Any token is a method, but not to the other reader.
KNOWN = (b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS")


@given(requests, cutting)
@EXAMPLES
def test_requests_that_may_be_bad_are_read_alike_in_any_pieces_and_go_on_in_one_way(data: bytes, choose: Any) -> None:
    async def run() -> None:
        answered, served = heard([data])
        assert heard(cut(data, choose)) == (answered, served)
        assert all(answered[:-1]), "what follows something bad is not read"
        for sent in served:
            if sent.partition(b" ")[0] not in KNOWN:
                continue
            reader = Reader(sent)
            assert len(reader.messages) == 1, "an app that reads in another way sees another request"
            names = [name.lower() for name, _ in reader.messages[0]["headers"]]
            assert names.count(b"host") == 1
            assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
            assert reader.whole == 1

    asyncio.run(run())


def passed_on(data: bytes, pieces: list[bytes]) -> tuple[bytes, bool, int]:
    """What a caller gets of an app's answer, whether it was cut off, and the status of the exchange."""
    place = Place()
    place.connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    (app,), (upstream,), (exchange,) = place.apps, place.upstreams, place.exchanges
    for piece in pieces:
        if not app.closed and upstream.exchange is not None:
            upstream.data_received(piece)
    if upstream.exchange is not None:
        app.closed = True
        upstream.connection_lost(None)
    result = place.caller.written, exchange.aborted, exchange.status
    place.close()
    return result


@given(answers, cutting)
@EXAMPLES
def test_answers_that_may_be_bad_reach_the_caller_alike_in_any_pieces_and_in_one_way(data: bytes, choose: Any) -> None:
    async def run() -> None:
        written, aborted, status = passed_on(data, [data])
        again, cut_off, same = passed_on(data, cut(data, choose))
        assert (cut_off, same) == (aborted, status)
        if not aborted:
            reader = Reader(written, response=True)
            # Chunks that we have made ourselves may be others, depending on what came at once.
            assert Reader(again, response=True).messages == reader.messages
            assert reader.messages

    asyncio.run(run())


# One chunk, and all that follows the last, as RFC 9112 section 7.1 has them.
CHUNK = re.compile(rb"0*([1-9A-Fa-f][0-9A-Fa-f]*)[ \t]*(?:;[^\r\n\0]*)?\r\n")
LAST = re.compile(rb"0+[ \t]*(?:;[^\r\n\0]*)?\r\n((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n)*)\r\n")


def strictly(data: bytes) -> tuple[bytes, bytes] | None:
    """Payload and what is behind the body, read by the letter; None if it is malformed or does not end."""
    found, at = b"", 0
    while (chunk := CHUNK.match(data, at)) is not None:
        end = chunk.end() + int(chunk[1], 16)
        if data[end : end + 2] != b"\r\n":
            return None
        found, at = found + data[chunk.end() : end], end + 2
    last = LAST.match(data, at)
    return None if last is None else (found, data[last.end() :])


def followed(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """The same as we follow it."""
    body, found = Chunked(), b""
    for number, piece in enumerate(pieces):
        spans: Spans = []
        try:
            end = body.feed(piece, 0, spans)
        except RemoteProtocolError:
            return None
        found += b"".join(piece[start:stop] for start, stop in spans)
        if end != GOES_ON:
            return found, piece[end:] + b"".join(pieces[number + 1 :])
    return None


@given(st.tuples(chunks, st.binary(max_size=6)).map(b"".join), cutting)
@EXAMPLES
def test_chunks_that_may_be_bad_are_followed_in_any_pieces_as_they_are_read_by_the_letter(
    data: bytes, choose: Any
) -> None:
    assert followed([data]) == followed(cut(data, choose)) == strictly(data)
