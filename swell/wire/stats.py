"""What one process saw of a revision, on the wire: one fixed proto3 message.

Zero fields are omitted, unknown fields skipped (spec autoscaling 2.1).
"""

from __future__ import annotations

import struct

from swell.wire.protobuf import BYTES, FIXED64, UINT64_MAX, VARINT, put_text, put_varint, read_fields, read_text

_DOUBLE = struct.Struct("<d")
_DOUBLES = (
    "average_concurrent_requests",
    "average_proxied_concurrent_requests",
    "request_count",
    "proxied_request_count",
    "process_uptime",
)


class Stat:
    """What one process saw of one revision in one period.

    Concurrencies are time-weighted averages of requests in flight, counts are requests that arrived,
    `process_uptime` is seconds, `timestamp` unix seconds (0: the receiver's clock counts).
    """

    __slots__ = ("pod_name", *_DOUBLES, "timestamp")

    pod_name: str
    average_concurrent_requests: float
    average_proxied_concurrent_requests: float
    request_count: float
    proxied_request_count: float
    process_uptime: float
    timestamp: int

    def __init__(
        self,
        pod_name: str = "",
        average_concurrent_requests: float = 0.0,
        average_proxied_concurrent_requests: float = 0.0,
        request_count: float = 0.0,
        proxied_request_count: float = 0.0,
        process_uptime: float = 0.0,
        timestamp: int = 0,
    ) -> None:
        self.pod_name = pod_name
        self.average_concurrent_requests = average_concurrent_requests
        self.average_proxied_concurrent_requests = average_proxied_concurrent_requests
        self.request_count = request_count
        self.proxied_request_count = proxied_request_count
        self.process_uptime = process_uptime
        self.timestamp = timestamp

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stat) and all(getattr(self, name) == getattr(other, name) for name in Stat.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        seen = ", ".join(f"{name}={getattr(self, name)!r}" for name in Stat.__slots__ if getattr(self, name))
        return f"Stat({seen})"


def encode_stat(stat: Stat) -> bytes:
    """One bare `Stat`, as a queue-proxy serves it."""
    out = bytearray()
    put_text(out, 1, stat.pod_name)
    for number, name in enumerate(_DOUBLES, start=2):
        value = getattr(stat, name)
        packed = _DOUBLE.pack(value)
        if packed != b"\0\0\0\0\0\0\0\0":  # minus zero is not the default: it goes on the wire
            out.append(number << 3 | FIXED64)
            out += packed
    if stat.timestamp:
        out.append(7 << 3 | VARINT)
        put_varint(out, stat.timestamp & UINT64_MAX)
    return bytes(out)


def decode_stat(data: bytes) -> Stat:
    """Read one bare `Stat`. Raises `WireError`."""
    stat = Stat()
    for number, wire_type, value in read_fields(data):
        if number == 1 and wire_type == BYTES:
            stat.pod_name = read_text(value)
        elif 2 <= number <= 6 and wire_type == FIXED64:
            setattr(stat, _DOUBLES[number - 2], _DOUBLE.unpack(value)[0])
        elif number == 7 and wire_type == VARINT:
            stat.timestamp = value - 2**64 if value >= 2**63 else value
    return stat
