"""PROXY headers: who the caller is, and where HTTP begins. Source: HAProxy, doc/proxy-protocol.txt."""

from __future__ import annotations

import socket

import pytest

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.proxy_protocol import V1_BYTES_MAX, V2_BEGIN, V2_BYTES_MAX, read_announcement

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
FOUR = socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + b"\x30\x39\x01\xbb"
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::5") + bytes(16) + b"\x30\x39\x01\xbb"
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:203.0.113.7") + bytes(16) + b"\x30\x39\x01\xbb"
TLVS = b"\x04\x00\x03abc\x20\x00\x05\x01\x00\x00\x00\x00"
Caller = tuple[str, int]


def v2(command: int, family: int, body: bytes = b"", length: int | None = None) -> bytes:
    return V2_BEGIN + bytes([command, family]) + (len(body) if length is None else length).to_bytes(2, "big") + body


LONGEST = b"PROXY UNKNOWN " + b"f" * (V1_BYTES_MAX - 16) + b"\r\n"
HEADERS: list[tuple[str, bytes, Caller | None]] = [
    ("v1, IPv4", b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\r\n", ("203.0.113.7", 12345)),
    ("v1, IPv6", b"PROXY TCP6 2001:DB8:0::5 ::1 12345 443\r\n", ("2001:db8::5", 12345)),
    ("v1, IPv4 as IPv6", b"PROXY TCP6 ::ffff:203.0.113.7 ::1 12345 443\r\n", ("203.0.113.7", 12345)),
    ("v1, unknown", b"PROXY UNKNOWN\r\n", None),
    ("v1, unknown, with whatever follows", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    ("v1, as long as it may be", LONGEST, None),
    ("v2, IPv4", v2(0x21, 0x11, FOUR), ("203.0.113.7", 12345)),
    ("v2, IPv6", v2(0x21, 0x21, SIX), ("2001:db8::5", 12345)),
    ("v2, IPv4 as IPv6", v2(0x21, 0x21, MAPPED), ("203.0.113.7", 12345)),
    ("v2, with more about the connection", v2(0x21, 0x11, FOUR + TLVS), ("203.0.113.7", 12345)),
    ("v2, as long as it may be", v2(0x21, 0x11, FOUR + bytes(V2_BYTES_MAX - 28)), ("203.0.113.7", 12345)),
    ("v2, LOCAL: a health check", v2(0x20, 0x00), None),
    ("v2, LOCAL with addresses that do not count", v2(0x20, 0x11, FOUR), None),
    ("v2, LOCAL, too short for its family", v2(0x20, 0x21, b"abc"), None),
    ("v2, unspecified family", v2(0x21, 0x00, b"whatever"), None),
    ("v2, UNIX socket", v2(0x21, 0x31, bytes(216)), None),
    ("v2, datagrams", v2(0x21, 0x12, FOUR), None),
]
BAD: list[tuple[str, bytes]] = [
    ("v1, other protocol", b"PROXY UDP4 203.0.113.7 10.0.0.1 1 2\r\n"),
    ("v1, no address", b"PROXY TCP4 203.0.113.777 10.0.0.1 1 2\r\n"),
    ("v1, no destination", b"PROXY TCP4 203.0.113.7 10.0.0 1 2\r\n"),
    ("v1, address of another family", b"PROXY TCP4 ::1 ::1 1 2\r\n"),
    ("v1, port out of range", b"PROXY TCP4 203.0.113.7 10.0.0.1 65536 2\r\n"),
    ("v1, port with a zero before it", b"PROXY TCP4 203.0.113.7 10.0.0.1 01 2\r\n"),
    ("v1, something missing", b"PROXY TCP4 203.0.113.7 10.0.0.1 1\r\n"),
    ("v1, two spaces", b"PROXY TCP4  203.0.113.7 10.0.0.1 1 2\r\n"),
    ("v1, a method of that name", b"PROXY / HTTP/1.1\r\n"),
    ("v1, a byte too long", b"PROXY UNKNOWN " + b"f" * (V1_BYTES_MAX - 15) + b"\r\n"),
    ("v1, without end", b"PROXY UNKNOWN " + b"f" * V1_BYTES_MAX),
    ("v2, version 1", v2(0x11, 0x11, FOUR)),
    ("v2, unknown command", v2(0x22, 0x11, FOUR)),
    ("v2, unknown family", v2(0x21, 0x41, FOUR)),
    ("v2, unknown transport", v2(0x21, 0x13, FOUR)),
    ("v2, too short for its addresses", v2(0x21, 0x21, FOUR)),
    ("v2, too long", v2(0x21, 0x11, length=V2_BYTES_MAX - 15)),
]


@pytest.mark.parametrize(("header", "caller"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS])
def test_a_header_names_the_caller_however_it_is_cut(header: bytes, caller: Caller | None) -> None:
    for cut in range(len(header)):
        assert read_announcement(header[:cut]) is None
    for data in (header, header + GET):
        assert read_announcement(data) == (caller, len(header))


@pytest.mark.parametrize("header", [case[1] for case in BAD], ids=[case[0] for case in BAD])
def test_a_malformed_header_is_refused(header: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_announcement(header)


def test_what_begins_otherwise_is_no_header_and_loses_nothing() -> None:
    for data in (GET, b"POST / HTTP/1.1", b"PUT", b"\r\nGET / HTTP/1.1", b"\r\n\r\nGET", b"\x16\x03\x01", b"proxy "):
        assert read_announcement(data) == (None, 0)
