"""The PROXY protocol: what a load balancer says of the caller, ahead of all HTTP. Pure: knows bytes, not connections.

Source: HAProxy, doc/proxy-protocol.txt, versions 1 and 2. Neither beginning is one of HTTP, so that a connection
which has none is told from one that has by its first bytes.
"""

from __future__ import annotations

import re
import socket
from typing import Final, NamedTuple

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.headers import Address

V1_BEGIN: Final = b"PROXY "
V1_BYTES_MAX: Final = 107
V2_BEGIN: Final = b"\r\n\r\n\x00\r\nQUIT\n"
# With whatever a load balancer may add about itself and TLS: what it adds is passed over.
V2_BYTES_MAX: Final = 4096

_V2_HEAD_BYTES: Final = 16
_LOCAL: Final = 0
_PROXY: Final = 1
# By address family, which is the upper half of its byte: of one address with the port.
_V2_ADDRESS_BYTES: Final = {0: 0, 1: 4, 2: 16, 3: 108}
_STREAM: Final = 1
_DATAGRAM: Final = 2
_INET: Final = {1: socket.AF_INET, 2: socket.AF_INET6}
# An IPv4 address as an IPv6 one.
_MAPPED: Final = bytes(10) + b"\xff\xff"

_PORT: Final = rb"(0|[1-9][0-9]{0,4})"
_V1_INET: Final = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) %b %b\r\n" % (_PORT, _PORT))
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")


class Announcement(NamedTuple):
    """`caller` is None if the header names none: the peer speaks for itself. `size`: the header's bytes, 0 without."""

    caller: Address | None
    size: int


NOTHING: Final = Announcement(None, 0)


def read_announcement(data: bytes) -> Announcement | None:
    """From all that a connection has sent so far; None if more has to come. Raises `RemoteProtocolError`."""
    if data.startswith(V2_BEGIN):
        return _read_v2(data)
    if data.startswith(V1_BEGIN):
        return _read_v1(data)
    may_become = V1_BEGIN.startswith(data) or V2_BEGIN.startswith(data)
    return None if may_become else NOTHING


def _read_v1(data: bytes) -> Announcement | None:
    end = data.find(b"\r\n", 0, V1_BYTES_MAX) + 2
    if end < 2:
        if len(data) >= V1_BYTES_MAX:
            raise RemoteProtocolError("PROXY header too long")
        return None
    line = data[:end]
    if _V1_UNKNOWN.fullmatch(line):
        return Announcement(None, end)
    found = _V1_INET.fullmatch(line)
    if found is None or int(found[4]) > 65535 or int(found[5]) > 65535:
        raise RemoteProtocolError("malformed PROXY header")
    family = socket.AF_INET if found[1] == b"4" else socket.AF_INET6
    source, _ = [_packed(family, text) for text in found.group(2, 3)]
    return Announcement((_text(family, source), int(found[4])), end)


def _read_v2(data: bytes) -> Announcement | None:
    if len(data) < _V2_HEAD_BYTES:
        return None
    version, command = divmod(data[12], 16)
    family, transport = divmod(data[13], 16)
    length = int.from_bytes(data[14:16], "big")
    end = _V2_HEAD_BYTES + length
    if version != 2 or command > _PROXY or family not in _V2_ADDRESS_BYTES or transport > _DATAGRAM:
        raise RemoteProtocolError("malformed PROXY header")
    if end > V2_BYTES_MAX:
        raise RemoteProtocolError("PROXY header too long")
    size = _V2_ADDRESS_BYTES[family]
    with_ports = 2 * size + (4 if family in _INET else 0)
    if command == _PROXY and length < with_ports:
        raise RemoteProtocolError("malformed PROXY header: too short for its addresses")
    if len(data) < end:
        return None
    if command == _LOCAL or family not in _INET or transport != _STREAM:
        return Announcement(None, end)
    addresses = data[_V2_HEAD_BYTES:]
    port = int.from_bytes(addresses[2 * size : 2 * size + 2], "big")
    return Announcement((_text(_INET[family], addresses[:size]), port), end)


def _packed(family: socket.AddressFamily, text: bytes) -> bytes:
    try:
        return socket.inet_pton(family, text.decode("ascii"))
    except OSError as error:
        raise RemoteProtocolError("malformed PROXY header: not an address") from error


def _text(family: socket.AddressFamily, packed: bytes) -> str:
    if packed.startswith(_MAPPED):
        family, packed = socket.AF_INET, packed[len(_MAPPED) :]
    return socket.inet_ntop(family, packed)
