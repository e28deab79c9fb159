"""Messages cut at every position: whatever the pieces, what is read is the same, and so is what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

import pytest

from activator.proxy.downstream import Downstream
from activator.proxy.exchange import Exchange
from activator.proxy.server import ProxyServer


class Transport:
    """A connection without a network: what was written to it, and whether it was closed."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 5)

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def writelines(self, parts: Iterable[bytes]) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    abort = close


class Dispatcher:
    """Answers each request once its body has come whole, with all that was read of it."""

    def __init__(self) -> None:
        self.read: list[tuple[bytes, bytes]] = []
        self.held: list[Exchange] = []

    def on_request(self, exchange: Exchange) -> None:
        self.held.append(exchange)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        raise AssertionError(error)

    def on_done(self, exchange: Exchange) -> None: ...

    def answer(self) -> None:
        """Answer those that are whole, one after another: the next may be waiting behind."""
        while self.held and self.held[0].downstream.body is None:
            exchange = self.held.pop(0)
            if exchange.status:
                continue  # it was refused meanwhile
            self.read.append((exchange.method + b" " + exchange.target, bytes(exchange._ahead or b"")))
            exchange.reply(200, b"ok")


class Caller:
    """A connection that says things in pieces."""

    def __init__(self) -> None:
        self.dispatcher = Dispatcher()
        self.server = ProxyServer(self.dispatcher)
        self.transport = Transport()
        self.connection = Downstream(self.server)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def say(self, *pieces: bytes) -> Caller:
        for piece in pieces:
            if piece and not self.transport.closed:
                self.connection.data_received(piece)
                self.dispatcher.answer()
        return self

    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.transport.written.split(b"HTTP/1.1 ")[1:]]

    def end(self) -> None:
        self.transport.closed = True
        self.connection.connection_lost(None)
        self.server.close()


@pytest.fixture
async def loop() -> AsyncIterator[None]:
    """Timers need one that runs."""
    yield


def cuts(message: bytes) -> Iterator[tuple[bytes, ...]]:
    """In two pieces at every position, in threes, and byte by byte."""
    for at in range(len(message) + 1):
        yield message[:at], message[at:]
    yield tuple(message[at : at + 3] for at in range(0, len(message), 3))
    yield tuple(message[at : at + 1] for at in range(len(message)))


WELL_FORMED = (
    b"\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello\r\n\r\n12"
    b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n"
    b"5;x=y\r\nhello\r\n0A\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"
    b"HEAD /d HTTP/1.1\r\nhost:a\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
    b"GET /e HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)
READ = [
    (b"GET /a?b", b""),
    (b"POST /b", b"hello\r\n\r\n12"),
    (b"PUT /c", b"5;x=y\r\nhello\r\n0A\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"),
    (b"HEAD /d", b""),
    (b"GET /e", b""),
]


async def test_requests_in_any_pieces_are_the_same_requests(loop: None) -> None:
    for pieces in cuts(WELL_FORMED):
        caller = Caller().say(*pieces)
        assert caller.dispatcher.read == READ, pieces
        assert caller.statuses() == [200] * 5
        assert caller.transport.closed
        caller.end()


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED: dict[str, tuple[bytes, int]] = {
    "length and chunks": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "chunks and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n", 400),
    "the same length twice": (POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\n", 400),
    "a list of lengths": (POST + b"Content-Length: 4, 4\r\n\r\n", 400),
    "a signed length": (POST + b"Content-Length: +4\r\n\r\n", 400),
    "a length in hex": (POST + b"Content-Length: 0x4\r\n\r\n", 400),
    "no length": (POST + b"Content-Length:\r\n\r\n", 400),
    "a huge length": (POST + b"Content-Length: 9999999999999999999\r\n\r\n", 400),
    "two codings": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "another coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "a bare LF behind the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "a bare LF behind a header": (b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400),
    "a bare CR in a value": (GET + b"X: 1\r2\r\n\r\n", 400),
    "a folded line": (GET + b"X: 1\r\n 2\r\n\r\n", 400),
    "a line folded with a tab": (GET + b"X: 1\r\n\t2\r\n\r\n", 400),
    "a fold before all": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "space before the colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "a tab before the colon": (GET + b"Content-Length\t: 4\r\n\r\n", 400),
    "no name": (GET + b": 1\r\n\r\n", 400),
    "no colon": (GET + b"X\r\n\r\n", 400),
    "NUL in a name": (GET + b"X\0: 1\r\n\r\n", 400),
    "NUL in a value": (GET + b"X: 1\0\r\n\r\n", 400),
    "NUL in the target": (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two spaces in the request line": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "three words before the version": (b"GET / / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: a\r\n\r\n", 400),
    "another version": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "no host": (b"GET / HTTP/1.1\r\nX: 1\r\n\r\n", 400),
    "two hosts": (GET + b"host: b\r\n\r\n", 400),
    "a user in the target": (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "another scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    "a chunk size in 0x": (CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", 400),
    "a signed chunk size": (CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", 400),
    "a chunk size with a space before": (CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n", 400),
    "an empty chunk size": (CHUNKED + b"\r\nhello\r\n0\r\n\r\n", 400),
    "a huge chunk size": (CHUNKED + b"ffffffffffffffffff\r\n", 400),
    "a chunk size that ends in LF": (CHUNKED + b"5\nhello\r\n0\r\n\r\n", 400),
    "a chunk longer than said": (CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n", 400),
    "a chunk that ends in LF": (CHUNKED + b"5\r\nhello\n0\r\n\r\n", 400),
    "an extension with CR": (CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n", 400),
    "NUL in an extension": (CHUNKED + b"5;a\0\r\nhello\r\n0\r\n\r\n", 400),
    "a trailer without colon": (CHUNKED + b"0\r\nno trailer\r\n\r\n", 400),
    "a folded trailer": (CHUNKED + b"0\r\nX: 1\r\n 2\r\n\r\n", 400),
    "a trailer that ends in LF": (CHUNKED + b"0\r\nX: 1\n\r\n", 400),
}
# What would follow: if it was taken for a request, something was smuggled.
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(("message", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_could_be_read_in_two_ways_is_refused_in_any_pieces(loop: None, message: bytes, status: int) -> None:
    whole = message + NEXT
    for pieces in cuts(whole):
        caller = Caller().say(*pieces)
        assert caller.statuses() == [status], pieces
        assert caller.dispatcher.read == [], pieces
        assert b"Connection: close\r\n" in caller.transport.written
        assert caller.transport.closed
        caller.end()
