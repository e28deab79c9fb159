"""The autoscaler's statistics on the wire: a small proto3 codec for a few fixed messages.

Written by hand because each queue-proxy loads it: the protobuf package would cost every pod several
megabytes. Zero fields are omitted, unknown fields skipped (spec autoscaling 2.1, dataplane 2.10). Field 2 of
`WireStatMessages`, pods that have passed a probe, is ours: the reference skips it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from swell.wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_DOUBLE = struct.Struct("<d")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_UINT64_MAX = 2**64 - 1
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


Message = tuple[str, str, Stat]
"""Namespace and name of a revision, and what was seen of it."""


class ProvenPod(NamedTuple):
    """A pod that has passed an activator's probe before Kubernetes called it ready."""

    namespace: str
    name: str
    uid: str


class Report(NamedTuple):
    """What one frame of an activator says."""

    messages: list[Message]
    proven: list[ProvenPod]


def encode_stat(stat: Stat) -> bytes:
    """One bare `Stat`, as a queue-proxy serves it."""
    out = bytearray()
    _put_text(out, 1, stat.pod_name)
    for number, name in enumerate(_DOUBLES, start=2):
        value = getattr(stat, name)
        packed = _DOUBLE.pack(value)
        if packed != b"\0\0\0\0\0\0\0\0":  # minus zero is not the default: it goes on the wire
            out.append(number << 3 | _FIXED64)
            out += packed
    if stat.timestamp:
        out.append(7 << 3 | _VARINT)
        _put_varint(out, stat.timestamp & _UINT64_MAX)
    return bytes(out)


def encode_messages(messages: list[Message]) -> bytes:
    """`WireStatMessages`, as an activator sends them."""
    out = bytearray()
    for namespace, name, stat in messages:
        entry = bytearray()
        _put_text(entry, 1, namespace)
        _put_text(entry, 2, name)
        _put_bytes(entry, 3, encode_stat(stat))
        _put_bytes(out, 1, bytes(entry))
    return bytes(out)


def encode_proven(pods: list[ProvenPod]) -> bytes:
    """`WireStatMessages` that tell of pods only."""
    out = bytearray()
    for pod in pods:
        entry = bytearray()
        for number, text in enumerate(pod, start=1):
            _put_text(entry, number, text)
        _put_bytes(out, 2, bytes(entry))
    return bytes(out)


def decode_stat(data: bytes) -> Stat:
    """Read one bare `Stat`. Raises `WireError`."""
    stat = Stat()
    for number, wire_type, value in _fields(data):
        if number == 1 and wire_type == _BYTES:
            stat.pod_name = _text(value)
        elif 2 <= number <= 6 and wire_type == _FIXED64:
            setattr(stat, _DOUBLES[number - 2], _DOUBLE.unpack(value)[0])
        elif number == 7 and wire_type == _VARINT:
            stat.timestamp = value - 2**64 if value >= 2**63 else value
    return stat


def decode_report(data: bytes) -> Report:
    """Read `WireStatMessages`; entries without a stat are left out. Raises `WireError`."""
    messages: list[Message] = []
    proven: list[ProvenPod] = []
    for number, wire_type, value in _fields(data):
        if number == 1 and wire_type == _BYTES:
            namespace, name, stat = _decode_message(value)
            if stat is not None:
                messages.append((namespace, name, stat))
        elif number == 2 and wire_type == _BYTES:
            proven.append(_decode_proven(value))
    return Report(messages, proven)


def _decode_proven(data: bytes) -> ProvenPod:
    texts = ["", "", ""]
    for number, wire_type, value in _fields(data):
        if wire_type == _BYTES and 1 <= number <= 3:
            texts[number - 1] = _text(value)
    return ProvenPod(*texts)


def _decode_message(data: bytes) -> tuple[str, str, Stat | None]:
    namespace, name = "", ""
    stat: Stat | None = None
    for number, wire_type, value in _fields(data):
        if wire_type != _BYTES:
            continue
        if number == 1:
            namespace = _text(value)
        elif number == 2:
            name = _text(value)
        elif number == 3:
            stat = decode_stat(value)
    return namespace, name, stat


def _put_text(out: bytearray, number: int, text: str) -> None:
    if text:
        _put_bytes(out, number, text.encode())


def _put_bytes(out: bytearray, number: int, data: bytes) -> None:
    out.append(number << 3 | _BYTES)
    _put_varint(out, len(data))
    out += data


def _put_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise WireError(f"text field is not UTF-8: {exc}") from exc


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Each field as (number, wire type, value): an int for a varint, else the field's bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError("field number 0")
        if wire_type == _VARINT:
            value, at = _varint(data, at)
            yield number, wire_type, value
            continue
        size, at = _size(data, at, wire_type)
        if size > end - at:
            raise WireError(f"field {number} wants {size} bytes, {end - at} are left")
        yield number, wire_type, data[at : at + size]
        at += size


def _size(data: bytes, at: int, wire_type: int) -> tuple[int, int]:
    if wire_type == _BYTES:
        return _varint(data, at)
    if wire_type == _FIXED64:
        return 8, at
    if wire_type == _FIXED32:
        return 4, at
    raise WireError(f"wire type {wire_type}, allowed: 0, 1, 2, 5")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError("message ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UINT64_MAX, at
    raise WireError("number of more than 10 bytes")
