"""The autoscaler's statistics on the wire: a few fixed proto3 messages.

Zero fields are omitted, unknown fields skipped (spec autoscaling 2.1, dataplane 2.10). Fields 2 and 3 of
`WireStatMessages`, pods that have passed a probe and the requests in flight at pods, are ours: the reference skips
them.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from swell.wire.loads import LOADS_FIELD, PodLoads, decode_loads
from swell.wire.protobuf import (
    BYTES,
    FIXED64,
    UINT64_MAX,
    VARINT,
    put_bytes,
    put_text,
    put_varint,
    read_fields,
    read_text,
)

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
    loads: list[PodLoads]


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


def encode_messages(messages: list[Message]) -> bytes:
    """`WireStatMessages`, as an activator sends them."""
    out = bytearray()
    for namespace, name, stat in messages:
        entry = bytearray()
        put_text(entry, 1, namespace)
        put_text(entry, 2, name)
        put_bytes(entry, 3, encode_stat(stat))
        put_bytes(out, 1, bytes(entry))
    return bytes(out)


def encode_proven(pods: list[ProvenPod]) -> bytes:
    """`WireStatMessages` that tell of pods only."""
    out = bytearray()
    for pod in pods:
        entry = bytearray()
        for number, text in enumerate(pod, start=1):
            put_text(entry, number, text)
        put_bytes(out, 2, bytes(entry))
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


def decode_report(data: bytes) -> Report:
    """Read `WireStatMessages`; entries without a stat are left out. Raises `WireError`."""
    messages: list[Message] = []
    proven: list[ProvenPod] = []
    loads: list[PodLoads] = []
    for number, wire_type, value in read_fields(data):
        if number == 1 and wire_type == BYTES:
            namespace, name, stat = _decode_message(value)
            if stat is not None:
                messages.append((namespace, name, stat))
        elif number == 2 and wire_type == BYTES:
            proven.append(_decode_proven(value))
        elif number == LOADS_FIELD and wire_type == BYTES:
            loads.append(decode_loads(value))
    return Report(messages, proven, loads)


def _decode_proven(data: bytes) -> ProvenPod:
    texts = ["", "", ""]
    for number, wire_type, value in read_fields(data):
        if wire_type == BYTES and 1 <= number <= 3:
            texts[number - 1] = read_text(value)
    return ProvenPod(*texts)


def _decode_message(data: bytes) -> tuple[str, str, Stat | None]:
    namespace, name = "", ""
    stat: Stat | None = None
    for number, wire_type, value in read_fields(data):
        if wire_type != BYTES:
            continue
        if number == 1:
            namespace = read_text(value)
        elif number == 2:
            name = read_text(value)
        elif number == 3:
            stat = decode_stat(value)
    return namespace, name, stat
