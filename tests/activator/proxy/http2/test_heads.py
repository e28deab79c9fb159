"""Heads between HTTP/2 and HTTP/1.1: what is malformed in the one never gets into the other."""

from __future__ import annotations

import hpack
import pytest

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.headers import NO_NAMES, Origin
from activator.proxy.heads import Response
from activator.proxy.http2.heads import check_trailers, read_request, read_response, request_block, response_block

Fields = list[tuple[bytes, bytes]]
HERE = Origin(b"10.0.0.9", NO_NAMES)
THERE = ("10.0.0.1", 8013)


def fields(*more: tuple[bytes, bytes], **pseudo: bytes) -> Fields:
    found = {"method": b"GET", "scheme": b"http", "path": b"/", "authority": b"a.example"} | pseudo
    return [*((b":" + name.encode(), value) for name, value in found.items() if value), *more]


def to_http1(given: Fields, ended: bool = True) -> bytes:
    return read_request(given, ended, None).sent_as(HERE, THERE, (), NO_NAMES)


def to_http2(given: Fields, *, ended: bool = True, **options: object) -> dict[bytes, bytes]:
    request = read_request(given, ended, None)
    set_headers = options.get("set_headers", ())
    block = request_block(request, HERE, THERE, set_headers, options.get("drop_headers", NO_NAMES))  # type: ignore[arg-type]
    return dict(hpack.Decoder().decode(block, raw=True))


def test_a_request_is_the_same_in_http1() -> None:
    head = to_http1(fields((b"x-a", b"1"), path=b"/b?c=d", method=b"DELETE"))
    assert head == (b"DELETE /b?c=d HTTP/1.1\r\nhost: a.example\r\nx-a: 1\r\nX-Forwarded-For: 10.0.0.9\r\n\r\n")


def test_a_body_without_length_goes_on_in_chunks() -> None:
    assert b"\r\nTransfer-Encoding: chunked\r\n" in to_http1(fields(method=b"POST"), ended=False)
    head = to_http1(fields((b"content-length", b"5"), method=b"POST"), ended=False)
    assert b"content-length: 5\r\n" in head
    assert b"chunked" not in head


def test_cookies_become_one_line() -> None:
    assert b"\r\ncookie: a=1; b=2\r\n" in to_http1(fields((b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")))


def test_case_49_te_trailers_goes_on_and_trailing_is_told_in_both() -> None:
    given = fields((b"te", b"trailers"), method=b"POST")
    assert b"\r\nTe: trailers\r\n" in to_http1(given, ended=False)
    assert to_http2(given, ended=False)[b"te"] == b"trailers"


def test_a_request_goes_on_in_http2_with_what_was_set_and_dropped() -> None:
    found = to_http2(
        fields((b"x-a", b"1"), (b"x-forwarded-for", b"1.1.1.1"), method=b"POST"),
        ended=False,
        set_headers=((b"k-proxy-request", b"activator"), (b"host", b"other")),
        drop_headers=frozenset((b"x-a",)),
    )
    assert found == {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/",
        b":authority": b"other",
        b"k-proxy-request": b"activator",
        b"x-forwarded-for": b"1.1.1.1, 10.0.0.9",
    }


MALFORMED: dict[str, Fields] = {
    "no method": fields(method=b""),
    "no scheme": fields(scheme=b""),
    "another scheme": fields(scheme=b"ftp"),
    "no path": fields(path=b""),
    "a path without slash": fields(path=b"a"),
    "a star that is not for OPTIONS": fields(path=b"*"),
    "a pseudo-header twice": [(b":method", b"GET"), *fields()],
    "a pseudo-header behind others": [*fields((b"a", b"b")), (b":path", b"/")],
    "an unknown pseudo-header": [(b":protocol", b"websocket"), *fields()],
    "a response's pseudo-header": [(b":status", b"200"), *fields()],
    "an upper-case name": fields((b"X-A", b"1")),
    "an empty name": fields((b"", b"1")),
    "a name with a space": fields((b"x a", b"1")),
    "a name with a colon": fields((b"x:a", b"1")),
    "a name with a line feed": fields((b"x\na", b"1")),
    "a value with a line": fields((b"x-a", b"1\r\nx-b: 2")),
    "a value with an empty line": fields((b"x-a", b"1\r\n\r\nGET /admin HTTP/1.1")),
    "a value with a line feed": fields((b"x-a", b"1\n2")),
    "a value with NUL": fields((b"x-a", b"1\0")),
    "a method with a line": fields(method=b"GET / HTTP/1.1\r\nx-b:"),
    "a path with a space": fields(path=b"/ HTTP/1.1"),
    "a path with a line": fields(path=b"/ HTTP/1.1\r\nx-b: 2\r\nx-c:"),
    "an authority with a line": fields(authority=b"a\r\nx-b: 2"),
    "connection": fields((b"connection", b"close")),
    "keep-alive": fields((b"keep-alive", b"5")),
    "proxy-connection": fields((b"proxy-connection", b"close")),
    "upgrade": fields((b"upgrade", b"h2c")),
    "transfer-encoding": fields((b"transfer-encoding", b"chunked")),
    "te other than trailers": fields((b"te", b"gzip")),
    "another host": fields((b"host", b"b.example")),
    "no host at all": fields(authority=b""),
    "content-length twice": fields((b"content-length", b"1"), (b"content-length", b"1")),
    "content-length that is none": fields((b"content-length", b"+1")),
    "a length without a body": fields((b"content-length", b"1")),
}


@pytest.mark.parametrize("given", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_refused(given: Fields) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_request(given, True, None)
    assert caught.value.status == 400


def test_connect_is_not_supported() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_request([(b":method", b"CONNECT"), (b":authority", b"a:443")], False, None)
    assert caught.value.status == 405


def test_a_host_instead_of_an_authority_is_fine() -> None:
    assert read_request(fields((b"host", b"B.example:81"), authority=b""), True, None).host == "b.example"
    assert read_request(fields((b"host", b"a.example")), True, None).host == "a.example"


def test_requests_that_differ_in_their_path_share_what_was_read() -> None:
    first = read_request(fields((b"x-a", b"1")), True, None)
    second = read_request(fields((b"x-a", b"1"), path=b"/other"), True, first)
    assert second.fields is first.fields
    assert second.target == b"/other"


def test_a_response_in_both_directions() -> None:
    response = read_response([(b":status", b"404"), (b"x-a", b"1")])
    assert response.head == b"HTTP/1.1 404 Not Found\r\nx-a: 1\r\n\r\n"
    old = Response(
        b"HTTP/1.1 200 OK\r\nConnection: close, X-B\r\nTransfer-Encoding: chunked\r\nX-A: 1 \r\nX-B: 2\r\n\r\n"
    )
    assert hpack.Decoder().decode(response_block(old), raw=True) == [(b":status", b"200"), (b"x-a", b"1")]


@pytest.mark.parametrize(
    "given",
    [
        [(b"x-a", b"1")],
        [(b":status", b"2000")],
        [(b":status", b"ok")],
        [(b":status", b"200"), (b":path", b"/")],
        [(b":status", b"200"), (b"x-a", b"1\r\n\r\n")],
        [(b":status", b"200"), (b"X-A", b"1")],
        [(b":status", b"200"), (b"connection", b"close")],
    ],
)
def test_what_is_no_response(given: Fields) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_response(given)
    assert caught.value.status == 502


@pytest.mark.parametrize("given", [[(b":status", b"200")], [(b"x", b"a\r\nb: c")], [(b"transfer-encoding", b"x")]])
def test_what_are_no_trailers(given: Fields) -> None:
    with pytest.raises(RemoteProtocolError):
        check_trailers(given)


def test_a_trace_at_the_end_is_no_sign_of_smuggling_and_ends_what_is_sent() -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = read_request(fields((b"x-a", b"1"), (b"traceparent", trace)), True, None)
    assert request.trace == trace
    block = request_block(request, HERE, THERE, (), NO_NAMES)
    assert hpack.Decoder().decode(block, raw=True)[-1] == (b"traceparent", trace)
    assert request.sent_as(HERE, THERE, (), NO_NAMES).count(trace) == 1
    given = request_block(read_request(fields(), True, None), HERE, THERE, (), NO_NAMES, trace)
    assert hpack.Decoder().decode(given, raw=True)[-1] == (b"traceparent", trace)
