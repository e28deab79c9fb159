"""Heads against a second reader, httptools: what both take they read alike, and what it refuses we refuse."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import httptools
import pytest

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.heads import Request, Response, check_beginning, read_request
from activator.proxy.inbox import Inbox, is_one_head

HEAD = (
    b"POST /a/b?c=d&e=%20 HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\n"
    b'Accept:*/*\r\nX-Empty:\r\nX-Obs: caf\xe9\r\nX-Tab: \ta\tb \r\nIf-None-Match: "x:y"\r\nContent-Length: 5\r\n\r\n'
)
# What a careless reader could be led astray with.
BAD_BYTES = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n ",
    b"\n\n",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b" ",
    b"\t",
    b":",
    b" :",
    b"\x1f",
)


class Twin:
    """What httptools makes of a request, or of a response; `refused` if it does not take it."""

    def __init__(self, head: bytes, *, response: bool = False) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = self.refused = self.upgrade = self.keep_alive = False
        parser: Any = httptools.HttpResponseParser(self) if response else httptools.HttpRequestParser(self)
        self.parser = parser
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            self.upgrade = True
        except httptools.HttpParserError:
            self.refused = True
        self.refused = self.refused or not self.complete
        if not self.refused:
            self.version = parser.get_http_version()
            self.start = parser.get_status_code() if response else parser.get_method()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True
        # Later it has forgotten.
        self.keep_alive = self.parser.should_keep_alive()


def stripped(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value.strip(b" \t")) for name, value in headers]


def takes(read: Callable[[bytes], object], head: bytes) -> bool:
    try:
        read(head)
    except RemoteProtocolError:
        return False
    return True


def read(head: bytes) -> Request:
    return read_request(head, None)


def random_head(choose: random.Random) -> bytes:
    method = choose.choice((b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"M-SEARCH"))
    target = choose.choice((b"/", b"/a?b=c", b"/%00/..//x;y", b"http://h.example/x", b'/~%C3%A9"<>'))
    version = choose.choice((b"1.1", b"1.1", b"1.1", b"1.0"))
    lines = [b"Host: h%d.example" % choose.randrange(9)]
    pool = (
        b"Connection: close",
        b"connection: Keep-Alive",
        b"Connection: keep-alive, Upgrade",
        b"Upgrade: websocket",
        b"Content-Length: %d" % choose.randrange(99),
        b"Transfer-Encoding: chunked",
        b'Cookie: a=b; c="d:e"',
        b"X-Empty:",
        b"x-long: " + b"v" * choose.randrange(300),
        b"!#$%&'*+-.^_`|~09: token",
        b"X-Space: \t both sides \t",
    )
    lines += choose.sample(pool, choose.randrange(5))
    choose.shuffle(lines)
    return b"\r\n".join([method + b" " + target + b" HTTP/" + version, *lines, b"", b""])


def test_what_both_take_they_read_alike() -> None:
    choose = random.Random(112)
    taken = 0
    for _ in range(3000):
        head = random_head(choose)
        twin = Twin(head)
        if not takes(read, head):
            continue
        assert not twin.refused, head
        taken += 1
        request, fields = read(head), read(head).fields
        assert (request.method, request.target, fields.version) == (twin.start, twin.target, twin.version), head
        assert stripped(fields.headers) == stripped(twin.headers), head
        assert fields.upgrade == twin.upgrade, head
        said = [value.lower() for name, value in fields.headers if name.lower() == b"connection"]
        if said in ([], [b"close"], [b"keep-alive"]):
            assert fields.keep_alive == twin.keep_alive, head
        assert fields.has_body == any(
            name.lower() == b"transfer-encoding" or (name.lower() == b"content-length" and int(value) > 0)
            for name, value in twin.headers
        ), head
    assert taken > 2000


@pytest.mark.parametrize("bad", BAD_BYTES, ids=repr)
def test_a_head_with_a_bad_byte_anywhere_is_taken_only_if_the_other_reader_takes_it_too(bad: bytes) -> None:
    for at in range(len(HEAD) - 4):
        for head in (HEAD[:at] + bad + HEAD[at:], HEAD[:at] + bad + HEAD[at + 1 :]):
            end = head.find(b"\r\n\r\n") + 4
            if end > 3 and takes(read, head[:end]):
                twin = Twin(head[:end])
                # A method that it does not know may still be one.
                assert not twin.refused or not head.startswith(b"POST "), (at, head[:end])
                assert twin.refused or stripped(read(head[:end]).fields.headers) == stripped(twin.headers)


def test_any_two_bytes_exchanged_change_nothing_that_is_dangerous() -> None:
    choose = random.Random(9112)
    for _ in range(5000):
        head = bytearray(HEAD[:-4])
        for _ in range(choose.randrange(1, 4)):
            head[choose.randrange(5, len(head))] = choose.randrange(256)
        whole = bytes(head) + b"\r\n\r\n"
        whole = whole[: whole.find(b"\r\n\r\n") + 4]
        if takes(read, whole):
            twin = Twin(whole)
            assert not twin.refused, whole
            assert stripped(read(whole).fields.headers) == stripped(twin.headers), whole


RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer:x\r\nX-Empty:\r\nSet-Cookie: a=b; Path=/\r\n"
    b"Set-Cookie: c=d\r\nContent-Length: 5\r\n\r\n"
)


@pytest.mark.parametrize("bad", BAD_BYTES, ids=repr)
def test_a_response_with_a_bad_byte_anywhere_is_taken_only_if_the_other_reader_takes_it_too(bad: bytes) -> None:
    for at in range(len(RESPONSE) - 4):
        for head in (RESPONSE[:at] + bad + RESPONSE[at:], RESPONSE[:at] + bad + RESPONSE[at + 1 :]):
            end = head.find(b"\r\n\r\n") + 4
            if end > 3 and takes(Response, head[:end]):
                twin, response = Twin(head[:end], response=True), Response(head[:end])
                assert not twin.refused, (at, head[:end])
                assert response.status == twin.start
                assert stripped(response.headers) == stripped(twin.headers), (at, head[:end])


SMUGGLED = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"content-length: 5\r\nCONTENT-LENGTH: 5",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: 5 5",
    b"Content-Length:\x0b5",
    b"Content-Length : 5",
    b"Content-Length\t: 5",
    b" Content-Length: 5",
    b"X: y\r\n Content-Length: 5",
    b"X: y\r\n\tContent-Length: 5",
    b"X: y\nContent-Length: 5",
    b"X: y\rContent-Length: 5",
    b"X: y\0",
    b"X\0: y",
    b": y",
    b"X y",
    b"X(y): z",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding:",
    b"Transfer_Encoding\x7f: chunked",
    b"Host: b",
    b"hOST: a",
]


@pytest.mark.parametrize("line", SMUGGLED, ids=repr)
def test_what_hides_a_request_in_another_is_refused_wherever_it_stands(line: bytes) -> None:
    for lines in ([line, b"A: 1", b"Host: a"], [b"Host: a", line, b"A: 1"], [b"Host: a", b"A: 1", line]):
        head = b"\r\n".join([b"POST / HTTP/1.1", *lines, b"", b""])
        assert not takes(read, head)
        known = read(b"POST / HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n")
        assert not takes(lambda head, known=known: read_request(head, known), head)  # type: ignore[misc]


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"HTTP/1.1 200 OK"])
def test_a_long_line_without_a_colon_takes_no_time(line: bytes) -> None:
    for text in (b"a" * 1_000_000, b"a:" * 500_000 + b"\0", b"\r\n".join([b"a: b"] * 100_000) + b"\r\n "):
        head = line + b"\r\nHost: a\r\n" + text + b"\r\n\r\n"
        assert not takes(Response if line.startswith(b"HTTP") else read, head)


def test_a_head_has_to_be_all_there_is_to_be_taken_as_it_comes() -> None:
    assert is_one_head(HEAD)
    for data in (HEAD[:-1], HEAD + b"x", b"\r\n" + HEAD, HEAD + HEAD, b"abc", b"a", b"\r\n\r\n"):
        assert not is_one_head(data)


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_a_head_may_be_cut_anywhere(cut: int) -> None:
    check_beginning(HEAD[:cut])
    inbox = Inbox(head_bytes_max=len(HEAD))
    inbox.data = HEAD[:cut]
    assert inbox.take_head() is None
    inbox.data = HEAD[cut:] + b"hello"
    assert (inbox.take_head(), inbox.data, inbox.partial) == (HEAD, b"hello", None)


@pytest.mark.parametrize(
    "part",
    [
        b"\x16\x03\x01\x02",
        b"GET  ",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\nX",
        b"GET / RTSP/1.0\r\n",
    ],
)
def test_what_cannot_become_a_head_is_refused_at_once(part: bytes) -> None:
    inbox = Inbox(head_bytes_max=1000)
    inbox.data = part
    with pytest.raises(RemoteProtocolError) as raised:
        inbox.take_head()
    assert raised.value.status == 400


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_head_that_is_too_large_is_refused_in_one_piece_or_many(pieces: int) -> None:
    inbox = Inbox(head_bytes_max=1000)
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1000 + b"\r\n\r\n"
    size = len(head) // pieces + 1
    with pytest.raises(RemoteProtocolError) as raised:
        for at in range(0, len(head), size):
            inbox.data += head[at : at + size]
            inbox.take_head()
    assert raised.value.status == 431


def test_what_asks_to_go_on_in_h2c_is_no_upgrade() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\n\r\n"
    assert not read_request(head % b"h2c", None).fields.upgrade
    assert read_request(head % b"websocket", None).fields.upgrade
