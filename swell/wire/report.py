"""What activators tell the autoscaler, on the wire: frames of `WireStatMessages`.

Queue-proxies do without it. Fields 2 to 4, pods that have passed a probe, the requests in flight at pods and what was
reported lately, are ours: the reference skips them (spec dataplane 2.10).
"""

from __future__ import annotations

from typing import NamedTuple

from swell.wire.history import HISTORY_FIELD, History, decode_history
from swell.wire.loads import LOADS_FIELD, PodLoads, decode_loads
from swell.wire.protobuf import BYTES, put_bytes, put_text, read_fields, read_text
from swell.wire.stats import Stat, decode_stat, encode_stat

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
    history: list[History]


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


def decode_report(data: bytes) -> Report:
    """Read `WireStatMessages`; entries without a stat are left out. Raises `WireError`."""
    messages: list[Message] = []
    proven: list[ProvenPod] = []
    loads: list[PodLoads] = []
    history: list[History] = []
    for number, wire_type, value in read_fields(data):
        if number == 1 and wire_type == BYTES:
            namespace, name, stat = _decode_message(value)
            if stat is not None:
                messages.append((namespace, name, stat))
        elif number == 2 and wire_type == BYTES:
            proven.append(_decode_proven(value))
        elif number == LOADS_FIELD and wire_type == BYTES:
            loads.append(decode_loads(value))
        elif number == HISTORY_FIELD and wire_type == BYTES:
            history.append(decode_history(value))
    return Report(messages, proven, loads, history)


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
