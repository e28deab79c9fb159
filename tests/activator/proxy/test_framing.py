"""Where bodies end, with every way to cut them into buffers; and what is refused."""

from __future__ import annotations

import pytest

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.framing import (
    CHUNK_LINE_BYTES_MAX,
    GOES_ON,
    TRAILER_BYTES_MAX,
    Body,
    Chunked,
    Length,
    Spans,
    UntilClose,
    request_body,
    response_body,
)

CHUNKS = b"5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"


def payload(body: Body, buffers: list[bytes]) -> tuple[bytes, int]:
    """What the body carries, and how many bytes behind its end were not part of it; -1 if it has not ended."""
    found = b""
    for number, data in enumerate(buffers):
        spans: Spans = []
        end = body.feed(data, 0, spans)
        found += b"".join(data[start:stop] for start, stop in spans)
        if end != GOES_ON:
            return found, len(data) - end + sum(map(len, buffers[number + 1 :]))
    return found, GOES_ON


@pytest.mark.parametrize("cut", range(len(CHUNKS) + 1))
def test_a_chunked_body_may_be_cut_anywhere(cut: int) -> None:
    assert payload(Chunked(), [CHUNKS[:cut], CHUNKS[cut:] + b"GET"]) == (b"hello world", 3)


def test_a_chunked_body_may_come_byte_by_byte() -> None:
    assert payload(Chunked(), [CHUNKS[at : at + 1] for at in range(len(CHUNKS))]) == (b"hello world", 0)


@pytest.mark.parametrize("cut", range(12))
def test_a_body_of_known_length_may_be_cut_anywhere(cut: int) -> None:
    assert payload(Length(11), [b"hello world"[:cut], b"hello world"[cut:] + b"GET"])[0] == b"hello world"


def test_a_body_until_close_goes_on() -> None:
    assert payload(UntilClose(), [b"hello", b" world"]) == (b"hello world", GOES_ON)


def test_a_body_begins_where_the_head_ends() -> None:
    assert Length(3).feed(b"head:abcGET", 5) == 8
    assert Chunked().feed(b"head:1\r\na\r\n0\r\n\r\nGET", 5) == 16


MALFORMED = [
    b"5\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"-1\r\n\r\n",
    b"ffffffffffffffffff\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"0\r\nX: 1\n\r\n",
    b"0\r\nno trailer\r\n\r\n",
    b"0\r\n folded\r\n\r\n",
    b"1" * (CHUNK_LINE_BYTES_MAX + 1),
    b"0\r\n" + b"X: y\r\n" * (TRAILER_BYTES_MAX // 6 + 1),
]


@pytest.mark.parametrize("data", MALFORMED, ids=[repr(data[:20]) for data in MALFORMED])
def test_chunks_that_could_be_read_in_two_ways_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Chunked().feed(data)
    body = Chunked()
    with pytest.raises(RemoteProtocolError):
        for at in range(len(data)):
            body.feed(data[at : at + 1])


REFUSED = [
    ({b"content-length": b"5", b"transfer-encoding": b"chunked"}, "1.1", 400),
    ({b"transfer-encoding": b"chunked"}, "1.0", 400),
    ({b"transfer-encoding": b"gzip, chunked"}, "1.1", 501),
    ({b"transfer-encoding": b"identity"}, "1.1", 501),
    ({b"content-length": b"+5"}, "1.1", 400),
    ({b"content-length": b"5, 5"}, "1.1", 400),
    ({b"content-length": b"0x5"}, "1.1", 400),
    ({b"content-length": b""}, "1.1", 400),
    ({b"content-length": b"-1"}, "1.1", 400),
]


@pytest.mark.parametrize(("named", "version", "status"), REFUSED)
def test_a_request_whose_length_is_in_doubt_is_refused(named: dict[bytes, bytes], version: str, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as raised:
        request_body(named, version)
    assert raised.value.status == status


def test_the_body_of_a_request() -> None:
    assert request_body({}, "1.1") is None
    assert request_body({b"content-length": b"0"}, "1.1") is None
    assert isinstance(request_body({b"content-length": b"7"}, "1.0"), Length)
    assert isinstance(request_body({b"transfer-encoding": b"Chunked"}, "1.1"), Chunked)


@pytest.mark.parametrize(
    ("named", "status", "method", "kind"),
    [
        ({b"content-length": b"5"}, 200, b"GET", Length),
        ({b"transfer-encoding": b"chunked"}, 200, b"GET", Chunked),
        ({}, 200, b"GET", UntilClose),
        ({b"content-length": b"0"}, 200, b"GET", None),
        ({b"content-length": b"5"}, 200, b"HEAD", None),
        ({b"transfer-encoding": b"chunked"}, 304, b"GET", None),
        ({}, 204, b"GET", None),
    ],
)
def test_the_body_of_a_response(
    named: dict[bytes, bytes], status: int, method: bytes, kind: type[object] | None
) -> None:
    body = response_body(named, status, method)
    assert body is None if kind is None else isinstance(body, kind)


def test_a_response_in_an_unknown_coding_is_a_bad_gateway() -> None:
    with pytest.raises(RemoteProtocolError) as raised:
        response_body({b"transfer-encoding": b"gzip"}, 200, b"GET")
    assert raised.value.status == 502
