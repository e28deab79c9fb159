"""Heads: what is read, what is refused, what goes on."""

from __future__ import annotations

import pytest

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.headers import NO_NAMES, Origin, host_name, response_head
from activator.proxy.heads import Request, Response, read_request
from activator.proxy.trust import CLAIMS

APP = ("10.0.0.7", 8012)
CALLER = Origin(b"10.0.0.9", NO_NAMES)
Extra = tuple[tuple[bytes, bytes], ...]


def read(*lines: bytes, first: bytes = b"GET /a?b HTTP/1.1", host: bytes = b"Host: Example.com:8080") -> Request:
    return read_request(b"\r\n".join([first, *([host] if host else []), *lines, b"", b""]), None)


def sent(
    request: Request, set_headers: Extra = (), drop: frozenset[bytes] = frozenset(), origin: Origin = CALLER
) -> list[bytes]:
    """The lines that go to the app, the request line first, the others sorted."""
    head = request.sent_as(origin, APP, set_headers, drop)
    assert head.endswith(b"\r\n\r\n")
    first, *others = head[:-4].split(b"\r\n")
    return [first, *sorted(others)]


def test_the_fields_of_a_request() -> None:
    request = read(b"X-A:  1 ", b"x-a: 2")
    fields = request.fields
    assert (request.method, request.target, fields.version, request.host) == (b"GET", b"/a?b", "1.1", "example.com")
    assert [name for name, _ in fields.headers] == [b"Host", b"X-A", b"x-a"]
    assert fields.named == {b"host": b"Example.com:8080", b"x-a": b"2"}
    assert fields.keep_alive


def test_the_fields_of_the_request_before_are_taken_over_only_by_one_with_the_same() -> None:
    request: Request | None = None
    for number in (1, 1, 2, 1):
        for body in (b"", b"Content-Length: 5\r\n", b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n"):
            head = b"POST /%d HTTP/1.1\r\nHost: h%d\r\n%b\r\n" % (number, number, body)
            request = read_request(head, request)
            fields = request.fields
            assert (request.target, request.host, len(fields.headers)) == (
                b"/%d" % number,
                f"h{number}",
                1 + bool(body),
            )
            assert fields.keep_alive is (b"close" not in body)


def test_requests_that_differ_in_their_line_alone_share_their_fields() -> None:
    first = read()
    for line in (b"GET /other", b"POST /a?b", b"GET http://other.example/", b"OPTIONS *"):
        second = read_request(line + b" HTTP/1.1\r\nHost: Example.com:8080\r\n\r\n", first)
        assert second.fields is first.fields
        assert second.host == ("other.example" if b"other.example" in line else "example.com")
    old = read_request(b"GET /a?b HTTP/1.0\r\nHost: Example.com:8080\r\n\r\n", first)
    assert (old.fields.version, old.fields.keep_alive) == ("1.0", False)


def test_fields_without_a_host_do_for_an_old_request_or_an_absolute_target_only() -> None:
    known = read(first=b"GET http://a/ HTTP/1.1", host=b"")
    with pytest.raises(RemoteProtocolError, match="Host"):
        read_request(b"GET / HTTP/1.1\r\n\r\n", known)


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


def test_of_a_caller_who_is_not_trusted_nothing_that_it_claims_goes_on() -> None:
    claims = (b"Forwarded: for=a", b"X-FORWARDED-For: 1.1.1.1", b"X-Forwarded-Proto: https", b"X-Real-Ip: 1.1.1.1")
    for version in (b"1.1", b"1.0"):
        request = read(*claims, b"Accept: */*", first=b"GET / HTTP/" + version)
        assert sent(request, origin=Origin(b"10.0.0.9", CLAIMS))[1:] == [
            b"Accept: */*",
            b"Host: Example.com:8080",
            b"X-Forwarded-For: 10.0.0.9",
        ]


def test_case_47_headers_are_set_and_dropped_in_any_case() -> None:
    request = read(b"K-Proxy-Request: me", b"K-ORIGINAL-HOST: x", b"Accept: */*")
    lines = sent(request, ((b"k-proxy-request", b"activator"), (b"host", b"app")), frozenset({b"k-original-host"}))
    assert lines[1:] == [b"Accept: */*", b"X-Forwarded-For: 10.0.0.9", b"host: app", b"k-proxy-request: activator"]


def test_case_48_what_connection_names_does_not_go_on() -> None:
    assert sent(read(b"Connection: close, X-Foo", b"X-Foo: 1", b"Keep-Alive: 5"))[1:] == [
        b"Host: Example.com:8080",
        b"X-Forwarded-For: 10.0.0.9",
    ]


def test_connection_cannot_name_what_the_message_consists_of_nor_what_we_set() -> None:
    request = read(b"Connection: host, content-length, k-proxy-request", b"Content-Length: 5", first=b"POST / HTTP/1.1")
    lines = sent(request, ((b"k-proxy-request", b"activator"),))
    assert {b"Host: Example.com:8080", b"Content-Length: 5", b"k-proxy-request: activator"} <= set(lines)


def test_case_49_of_te_only_trailers_goes_on() -> None:
    assert b"Te: trailers" in sent(read(b"TE: trailers, deflate"))
    assert not any(line.lower().startswith(b"te:") for line in sent(read(b"TE: deflate")))


def test_a_body_in_chunks_goes_on_in_chunks() -> None:
    lines = sent(read(b"Transfer-Encoding: Chunked", b"Trailer: X-Sum", first=b"POST / HTTP/1.1"))
    assert {b"Transfer-Encoding: chunked", b"Trailer: X-Sum"} <= set(lines)


def test_an_upgrade_goes_on() -> None:
    request = read(b"Connection: keep-alive, Upgrade", b"Upgrade: websocket")
    assert request.fields.upgrade
    assert {b"Connection: Upgrade", b"Upgrade: websocket"} <= set(sent(request))
    assert b"Upgrade: websocket" not in sent(read(b"Upgrade: websocket"))


def test_a_target_in_absolute_form_overrules_the_host() -> None:
    request = read(first=b"GET http://Other.example:81?x HTTP/1.1")
    assert (request.host, request.target) == ("other.example", b"http://Other.example:81?x")
    assert sent(request)[:2] == [b"GET /?x HTTP/1.1", b"Host: Other.example:81"]
    assert b"host: set" in sent(request, ((b"host", b"set"),))


def test_an_old_request_becomes_a_new_one() -> None:
    request = read(first=b"GET / HTTP/1.0", host=b"")
    assert (request.fields.version, request.host, request.fields.keep_alive) == ("1.0", "", False)
    assert sent(request)[:2] == [b"GET / HTTP/1.1", b"Host: 10.0.0.7:8012"]
    assert read(b"Connection: Keep-Alive", first=b"GET / HTTP/1.0").fields.keep_alive


def test_a_head_that_is_sent_again_to_another_place_is_the_same_head_unless_asked_otherwise() -> None:
    request = read()
    first = request.sent_as(CALLER, APP, (), frozenset())
    assert request.sent_as(CALLER, ("10.0.0.8", 8012), (), frozenset()) == first
    assert b"a: b\r\n" in request.sent_as(CALLER, APP, ((b"a", b"b"),), frozenset())
    assert b"Host" not in request.sent_as(CALLER, APP, (), frozenset({b"host"}))


def answer(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> Response:
    return Response(b"\r\n".join([first, *lines, b"", b""]))


def test_a_response_that_needs_no_change_is_the_very_bytes_that_came() -> None:
    response = answer(b"Content-Type: text/plain", b"Content-Length: 5")
    assert response_head(response, b"", False) is response.head


def test_hop_by_hop_headers_of_a_response_do_not_go_on() -> None:
    response = answer(b"Connection: close, X-Foo", b"X-Foo: 1", b"Keep-Alive: 5", b"Upgrade: h2c", b"A: 1")
    assert not response.keep_alive
    assert response_head(response, b"B: 2\r\n", False) == b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n"


def test_chunks_and_trailers_go_on_only_if_the_caller_knows_them() -> None:
    response = answer(b"Transfer-Encoding: chunked", b"Trailer: X-Sum")
    assert response_head(response, b"", True) is response.head
    assert response_head(response, b"", False) == b"HTTP/1.1 200 OK\r\n\r\n"


def test_an_old_response_becomes_a_new_one() -> None:
    response = answer(first=b"HTTP/1.0 404 Not Found")
    assert (response.status, response.keep_alive) == (404, False)
    assert response_head(response, b"", False) == b"HTTP/1.1 404 Not Found\r\n\r\n"


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
        Response(head)
    assert raised.value.status == 502


WHOLE = {
    "of known length": (answer(b"Content-Length: 5"), 5),
    "empty": (answer(b"Content-Length: 0"), 0),
    "in chunks": (answer(b"Transfer-Encoding: chunked"), None),
    "to the end": (answer(), None),
    "without a body": (answer(b"Content-Length: 5", first=b"HTTP/1.1 304 Not Modified"), None),
    "interim": (answer(b"Content-Length: 5", first=b"HTTP/1.1 103 Early Hints"), None),
    "the last": (answer(b"Content-Length: 5", b"Connection: close"), None),
    "with what does not go on": (answer(b"Content-Length: 5", b"Connection: keep-alive", b"Keep-Alive: timeout=5"), 5),
    "old": (answer(b"Content-Length: 5", first=b"HTTP/1.0 200 OK"), None),
    "old, and lasting": (answer(b"Content-Length: 5", b"Connection: keep-alive", first=b"HTTP/1.0 200 OK"), 5),
}


@pytest.mark.parametrize(("response", "length"), WHOLE.values(), ids=WHOLE.keys())
def test_only_a_lasting_response_of_known_length_is_whole(response: Response, length: int | None) -> None:
    assert response.whole_bytes == (0 if length is None else len(response.head) + length)
    assert length is None or response.sent == b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
