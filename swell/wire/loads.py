"""How many requests are in flight at each pod of a revision: the autoscaler asks, its activators answer.

Ours alone. Only activators that say in the handshake that they answer are asked; the answer is a frame of the
report stream.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from swell.wire.protobuf import BYTES, VARINT, put_bytes, put_text, put_varint, read_fields, read_text

ANSWERS_HEADER: Final = "Swell-Answers"
ANSWERS_LOADS: Final = "loads"
LOADS_FIELD: Final = 3
"""In `WireStatMessages`."""


class PodLoads(NamedTuple):
    """What one activator has in flight at the pods of a revision, by their names; one that is left out has nothing."""

    namespace: str
    revision: str
    pods: dict[str, int]


def encode_question(namespace: str, revision: str) -> bytes:
    """The frame that asks for the loads of a revision."""
    out = bytearray()
    put_text(out, 1, namespace)
    put_text(out, 2, revision)
    return bytes(out)


def decode_question(data: bytes) -> tuple[str, str]:
    """Namespace and name of the revision that is asked for. Raises `WireError`."""
    texts = ["", ""]
    for number, wire_type, value in read_fields(data):
        if wire_type == BYTES and number in (1, 2):
            texts[number - 1] = read_text(value)
    return texts[0], texts[1]


def encode_loads(loads: PodLoads) -> bytes:
    """`WireStatMessages` that tell the loads of one revision only."""
    answer = bytearray(encode_question(loads.namespace, loads.revision))
    for name, in_flight in loads.pods.items():
        pod = bytearray()
        put_text(pod, 1, name)
        pod.append(2 << 3 | VARINT)
        put_varint(pod, in_flight)
        put_bytes(answer, 3, bytes(pod))
    out = bytearray()
    put_bytes(out, LOADS_FIELD, bytes(answer))
    return bytes(out)


def decode_loads(data: bytes) -> PodLoads:
    """Read one entry of field 3. Raises `WireError`."""
    pods = {}
    for number, wire_type, value in read_fields(data):
        if number == 3 and wire_type == BYTES:
            name, in_flight = _decode_pod(value)
            pods[name] = in_flight
    return PodLoads(*decode_question(data), pods)


def _decode_pod(data: bytes) -> tuple[str, int]:
    name, in_flight = "", 0
    for number, wire_type, value in read_fields(data):
        if number == 1 and wire_type == BYTES:
            name = read_text(value)
        elif number == 2 and wire_type == VARINT:
            in_flight = value
    return name, in_flight
