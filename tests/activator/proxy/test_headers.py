"""Heads: what is read, what is refused, what goes on."""

from __future__ import annotations

import pytest

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.headers import host_name, request_head, response_head
from activator.proxy.heads import RequestReader, ResponseReader

APP = ("10.0.0.7", 8012)
Extra = tuple[tuple[bytes, bytes], ...]


def read(*lines: bytes, first: bytes = b"GET /a?b HTTP/1.1", host: bytes = b"Host: Example.com:8080") -> RequestReader:
    reader = RequestReader()
    reader.read(b"\r\n".join([first, *([host] if host else []), *lines, b"", b""]))
    return reader


def sent(reader: RequestReader, set_headers: Extra = (), drop: frozenset[bytes] = frozenset()) -> list[bytes]:
    """The lines that go to the app, the request line first, the others sorted."""
    head = request_head(reader, b"10.0.0.9", APP, set_headers, drop)
    assert head.endswith(b"\r\n\r\n")
    first, *others = head[:-4].split(b"\r\n")
    return [first, *sorted(others)]


def test_the_fields_of_a_request() -> None:
    reader = read(b"X-A:  1 ", b"x-a: 2")
    assert (reader.method, reader.target, reader.version, reader.host) == (b"GET", b"/a?b", "1.1", "example.com")
    assert [name for name, _ in reader.headers] == [b"Host", b"X-A", b"x-a"]
    assert reader.named == {b"host": b"Example.com:8080", b"x-a": b"2"}
    assert reader.keep_alive


def test_one_reader_reads_many_heads_alike_or_not() -> None:
    reader = RequestReader()
    for number in (1, 1, 2, 1):
        for body in (b"", b"Content-Length: 5\r\n", b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n"):
            reader.read(b"POST /%d HTTP/1.1\r\nHost: h%d\r\n%b\r\n" % (number, number, body))
            assert (reader.target, reader.host, len(reader.headers)) == (b"/%d" % number, f"h{number}", 1 + bool(body))
            assert reader.keep_alive is (b"close" not in body)


def test_after_a_head_that_was_refused_the_same_is_refused_again() -> None:
    reader = RequestReader()
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            reader.read(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"Example.COM", "example.com"),
        (b"example.com:80", "example.com"),
        (b"[::1]:80", "[::1]"),
        (b"[::1]", "[::1]"),
        (b"", ""),
    ],
)
def test_the_host_is_lower_case_and_without_port(value: bytes, host: str) -> None:
    assert host_name(value) == host


REFUSED = {
    "no host": (b"GET / HTTP/1.1", b"", 400),
    "two hosts": (b"GET / HTTP/1.1", b"Host: a\r\nHost: b", 400),
    "both lengths": (b"POST / HTTP/1.1", b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", 400),
    "two lengths": (b"POST / HTTP/1.1", b"Host: a\r\nContent-Length: 5\r\nContent-Length: 5", 400),
    "two codings": (b"POST / HTTP/1.1", b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
    "a folded line": (b"GET / HTTP/1.1", b"Host: a\r\nX: 1\r\n 2", 400),
    "a space before the colon": (b"GET / HTTP/1.1", b"Host : a", 400),
    "a line feed alone": (b"GET / HTTP/1.1", b"Host: a\nX: 1", 400),
    "a carriage return alone": (b"GET / HTTP/1.1", b"Host: a\rX: 1", 400),
    "a zero byte": (b"GET / HTTP/1.1", b"Host: a\0", 400),
    "two spaces": (b"GET  / HTTP/1.1", b"Host: a", 400),
    "a space in the target": (b"GET /a b HTTP/1.1", b"Host: a", 400),
    "an unknown scheme": (b"GET ftp://a/ HTTP/1.1", b"Host: a", 400),
    "user info": (b"GET http://u@a/ HTTP/1.1", b"Host: a", 400),
    "HTTP/2": (b"GET / HTTP/2.0", b"Host: a", 505),
    "HTTP/0.9": (b"GET /", b"Host: a", 400),
    "another protocol": (b"GET / RTSP/1.0", b"Host: a", 400),
    "a tunnel": (b"CONNECT a:443 HTTP/1.1", b"Host: a:443", 405),
}


@pytest.mark.parametrize(("first", "rest", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_a_request_that_is_not_plain_http_is_refused(first: bytes, rest: bytes, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as raised:
        read(first=first, host=rest)
    assert raised.value.status == status


def test_case_45_without_forwarded_headers_the_app_gets_the_peer_only() -> None:
    assert sent(read(b"Accept: */*")) == [
        b"GET /a?b HTTP/1.1",
        b"Accept: */*",
        b"Host: Example.com:8080",
        b"X-Forwarded-For: 10.0.0.9",
    ]


def test_case_44_the_peer_is_appended_to_all_that_was_forwarded() -> None:
    lines = sent(read(b"X-Forwarded-For: 1.1.1.1", b"x-forwarded-for: 2.2.2.2, 3.3.3.3"))
    assert lines[2:] == [b"X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.9"]


def test_case_46_what_the_caller_says_of_itself_goes_on_unchanged() -> None:
    lines = sent(read(b"Forwarded: for=a", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: h"))
    assert {b"Forwarded: for=a", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: h"} <= set(lines)


def test_case_47_headers_are_set_and_dropped_in_any_case() -> None:
    reader = read(b"K-Proxy-Request: me", b"K-ORIGINAL-HOST: x", b"Accept: */*")
    lines = sent(reader, ((b"k-proxy-request", b"activator"), (b"host", b"app")), frozenset({b"k-original-host"}))
    assert lines[1:] == [b"Accept: */*", b"X-Forwarded-For: 10.0.0.9", b"host: app", b"k-proxy-request: activator"]


def test_case_48_what_connection_names_does_not_go_on() -> None:
    assert sent(read(b"Connection: close, X-Foo", b"X-Foo: 1", b"Keep-Alive: 5"))[1:] == [
        b"Host: Example.com:8080",
        b"X-Forwarded-For: 10.0.0.9",
    ]


def test_connection_cannot_name_what_the_message_consists_of_nor_what_we_set() -> None:
    reader = read(b"Connection: host, content-length, k-proxy-request", b"Content-Length: 5", first=b"POST / HTTP/1.1")
    lines = sent(reader, ((b"k-proxy-request", b"activator"),))
    assert {b"Host: Example.com:8080", b"Content-Length: 5", b"k-proxy-request: activator"} <= set(lines)


def test_case_49_of_te_only_trailers_goes_on() -> None:
    assert b"Te: trailers" in sent(read(b"TE: trailers, deflate"))
    assert not any(line.lower().startswith(b"te:") for line in sent(read(b"TE: deflate")))


def test_a_body_in_chunks_goes_on_in_chunks() -> None:
    lines = sent(read(b"Transfer-Encoding: Chunked", b"Trailer: X-Sum", first=b"POST / HTTP/1.1"))
    assert {b"Transfer-Encoding: chunked", b"Trailer: X-Sum"} <= set(lines)


def test_an_upgrade_goes_on() -> None:
    reader = read(b"Connection: keep-alive, Upgrade", b"Upgrade: websocket")
    assert reader.upgrade
    assert {b"Connection: Upgrade", b"Upgrade: websocket"} <= set(sent(reader))
    assert b"Upgrade: websocket" not in sent(read(b"Upgrade: websocket"))


def test_a_target_in_absolute_form_overrules_the_host() -> None:
    reader = read(first=b"GET http://Other.example:81?x HTTP/1.1")
    assert (reader.host, reader.target) == ("other.example", b"http://Other.example:81?x")
    assert sent(reader)[:2] == [b"GET /?x HTTP/1.1", b"Host: Other.example:81"]
    assert b"host: set" in sent(reader, ((b"host", b"set"),))


def test_an_old_request_becomes_a_new_one() -> None:
    reader = read(first=b"GET / HTTP/1.0", host=b"")
    assert (reader.version, reader.host, reader.keep_alive) == ("1.0", "", False)
    assert sent(reader)[:2] == [b"GET / HTTP/1.1", b"Host: 10.0.0.7:8012"]
    assert read(b"Connection: Keep-Alive", first=b"GET / HTTP/1.0").keep_alive


def test_a_head_that_is_sent_again_to_another_place_is_the_same_head_unless_asked_otherwise() -> None:
    reader = read()
    first = reader.sent_as(b"10.0.0.9", APP, (), frozenset())
    assert reader.sent_as(b"10.0.0.9", ("10.0.0.8", 8012), (), frozenset()) == first
    assert b"a: b\r\n" in reader.sent_as(b"10.0.0.9", APP, ((b"a", b"b"),), frozenset())
    assert b"Host" not in reader.sent_as(b"10.0.0.9", APP, (), frozenset({b"host"}))


def answer(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> tuple[ResponseReader, bytes]:
    reader = ResponseReader()
    head = b"\r\n".join([first, *lines, b"", b""])
    reader.read(head)
    return reader, head


def test_a_response_that_needs_no_change_is_the_very_bytes_that_came() -> None:
    reader, head = answer(b"Content-Type: text/plain", b"Content-Length: 5")
    assert response_head(reader, head, b"", False) is head


def test_hop_by_hop_headers_of_a_response_do_not_go_on() -> None:
    reader, head = answer(b"Connection: close, X-Foo", b"X-Foo: 1", b"Keep-Alive: 5", b"Upgrade: h2c", b"A: 1")
    assert not reader.keep_alive
    assert response_head(reader, head, b"B: 2\r\n", False) == b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n"


def test_chunks_and_trailers_go_on_only_if_the_caller_knows_them() -> None:
    reader, head = answer(b"Transfer-Encoding: chunked", b"Trailer: X-Sum")
    assert response_head(reader, head, b"", True) is head
    assert response_head(reader, head, b"", False) == b"HTTP/1.1 200 OK\r\n\r\n"


def test_an_old_response_becomes_a_new_one() -> None:
    reader, head = answer(first=b"HTTP/1.0 404 Not Found")
    assert (reader.status, reader.keep_alive) == (404, False)
    assert response_head(reader, head, b"", False) == b"HTTP/1.1 404 Not Found\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 000 x\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",
    ],
)
def test_a_response_that_is_not_http_is_a_bad_gateway(head: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as raised:
        ResponseReader().read(head)
    assert raised.value.status == 502
