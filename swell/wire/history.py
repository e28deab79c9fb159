"""What an activator has reported lately, for an autoscaler that has just begun: ours alone.

An autoscaler that wants it names itself in its answer to the handshake, and gets one message, before any other. It
tells ages, not times: the clocks of two machines differ.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from swell.wire.errors import WireError
from swell.wire.protobuf import BYTES, FIXED64, put_bytes, put_text, read_fields, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable

HISTORY_HEADER: Final = "Swell-History-For"
"""Whom the history is for: unlike that of any other autoscaler, and of this one before it was restarted."""
HISTORY_FIELD: Final = 4
"""In `WireStatMessages`."""
HISTORY_S: Final = 60.0
"""How far back it goes, at most."""

_DOUBLE = struct.Struct("<d")
_SAMPLE = struct.Struct("<3d")


class Sample(NamedTuple):
    """One report: how long ago, requests in flight on average, and requests that arrived."""

    age_s: float
    concurrency: float
    requests: float


class RevisionHistory(NamedTuple):
    """What was reported of one revision, oldest first."""

    namespace: str
    revision: str
    samples: list[Sample]


class History(NamedTuple):
    """What one activator has reported and the autoscaler has not had. `age_s`: since when nothing is missing."""

    activator: str
    age_s: float
    revisions: list[RevisionHistory]


def encode_history(activator: str, age_s: float, revisions: Iterable[RevisionHistory]) -> bytes:
    """`WireStatMessages` that tell a history only."""
    history = bytearray()
    put_text(history, 1, activator)
    history.append(2 << 3 | FIXED64)
    history += _DOUBLE.pack(age_s)
    for found in revisions:
        entry = bytearray()
        put_text(entry, 1, found.namespace)
        put_text(entry, 2, found.revision)
        put_bytes(entry, 3, b"".join(_SAMPLE.pack(*sample) for sample in found.samples))
        put_bytes(history, 3, bytes(entry))
    out = bytearray()
    put_bytes(out, HISTORY_FIELD, bytes(history))
    return bytes(out)


def decode_history(data: bytes) -> History:
    """Read one entry of field 4. Raises `WireError`."""
    activator, age_s = "", 0.0
    revisions = []
    for number, wire_type, value in read_fields(data):
        if number == 1 and wire_type == BYTES:
            activator = read_text(value)
        elif number == 2 and wire_type == FIXED64:
            age_s = _DOUBLE.unpack(value)[0]
        elif number == 3 and wire_type == BYTES:
            revisions.append(_decode_revision(value))
    if not 0 <= age_s < math.inf:
        raise WireError(f"history: age is {age_s}, allowed: a number from 0")
    return History(activator, age_s, revisions)


def _decode_revision(data: bytes) -> RevisionHistory:
    texts = ["", ""]
    packed = b""
    for number, wire_type, value in read_fields(data):
        if wire_type == BYTES and number in (1, 2):
            texts[number - 1] = read_text(value)
        elif wire_type == BYTES and number == 3:
            packed = value
    if len(packed) % _SAMPLE.size:
        raise WireError(f"history: {len(packed)} bytes of samples, allowed: multiples of {_SAMPLE.size}")
    samples = [Sample(*numbers) for numbers in _SAMPLE.iter_unpack(packed)]
    if not all(sample.age_s >= 0 and all(map(math.isfinite, sample)) for sample in samples):
        raise WireError("history: a sample is not finite, or of the future")
    return RevisionHistory(texts[0], texts[1], samples)
