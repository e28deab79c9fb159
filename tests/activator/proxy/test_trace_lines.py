"""Heads that end with a `traceparent`, as the front door sends them: what differs there costs no reading anew."""

from __future__ import annotations

import pytest

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.headers import NO_NAMES, Origin
from activator.proxy.heads import Request, read_request

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_TRACE = b"00-11111111111111111111111111111111-2222222222222222-00"


def traced(trace: bytes, line: bytes = b"GET / HTTP/1.1", known: Request | None = None) -> Request:
    return read_request(line + b"\r\nHost: a\r\nX: 1\r\ntraceparent: " + trace + b"\r\n\r\n", known)


def sent(request: Request) -> bytes:
    return request.sent_as(Origin(b"10.0.0.9", NO_NAMES), ("10.0.0.1", 8080), (), frozenset())


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1", b"GET /x HTTP/1.1", b"GET http://a/x HTTP/1.1", b"PUT /y HTTP/1.1"]
)
def test_requests_that_differ_in_a_trace_at_the_end_share_their_fields(line: bytes) -> None:
    first = traced(TRACE)
    second = traced(OTHER_TRACE, line, first)
    assert second.fields is first.fields
    assert (first.trace, second.trace) == (TRACE, OTHER_TRACE)
    assert (second.method, second.target) == tuple(line.split()[:2])
    for request, trace in ((first, TRACE), (second, OTHER_TRACE)):
        assert sent(request).endswith(b"X-Forwarded-For: 10.0.0.9\r\ntraceparent: " + trace + b"\r\n\r\n")
        assert sent(request).count(b"traceparent") == 1


def test_requests_with_a_trace_at_the_end_and_without_do_not_share_their_fields() -> None:
    first = traced(TRACE)
    second = read_request(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n", first)
    assert second.fields is not first.fields
    assert b"traceparent" not in sent(second)
    assert traced(TRACE, known=second).fields is not second.fields


@pytest.mark.parametrize(
    "value",
    [
        b"",
        TRACE[:-1],
        TRACE + b"0",
        TRACE.upper(),
        TRACE.replace(b"-", b"0"),
        TRACE[:-2] + b"11",
        b"01" + TRACE[2:],
        b" " + TRACE[1:],
        TRACE[1:] + b" ",
        TRACE[:20] + b"-" + TRACE[21:],
    ],
)
def test_what_is_no_trace_at_the_end_is_a_header_like_others(value: bytes) -> None:
    request = traced(value, known=traced(TRACE))
    assert request.trace == b""
    assert request.fields.named[b"traceparent"] == value.strip(b" ")
    assert sent(request).count(b"traceparent: " + value) == 1


def test_a_trace_elsewhere_or_twice_goes_on_as_it_came() -> None:
    line = b"traceparent: " + TRACE + b"\r\n"
    for lines in (
        line + b"Host: a\r\n",
        b"Host: a\r\n" + line + line,
        b"Host: a\r\nX: traceparent: " + TRACE + b"\r\n",
    ):
        request = read_request(b"GET / HTTP/1.1\r\n" + lines + b"\r\n", None)
        assert sent(request).count(TRACE) == lines.count(TRACE)


def test_a_bad_head_is_refused_though_a_trace_ends_it() -> None:
    known = traced(TRACE)
    for bad in (b"X : 1", b"X: 1\r\n y", b"X\x00: 1", b"Host: b", b"Content-Length: 1\r\nTransfer-Encoding: chunked"):
        head = b"GET / HTTP/1.1\r\nHost: a\r\n" + bad + b"\r\ntraceparent: " + TRACE + b"\r\n\r\n"
        with pytest.raises(RemoteProtocolError):
            read_request(head, known)
    with pytest.raises(RemoteProtocolError, match="Host"):
        read_request(b"GET / HTTP/1.1\r\ntraceparent: " + TRACE + b"\r\n\r\n", None)
