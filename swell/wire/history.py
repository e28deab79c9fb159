"""What an activator has reported lately, for an autoscaler that has just begun: ours alone.

An autoscaler that wants it names itself in its answer to the handshake, and gets one message, before any other. It
tells ages, not times: the clocks of two machines differ.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
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
_NUMBERS: Final = 3
"""Of a sample."""


class RevisionHistory(NamedTuple):
    """What was reported of one revision, oldest first.

    `samples` has three numbers of each report, in turn: how long ago it was, requests in flight on average, and
    requests that arrived.
    """

    namespace: str
    revision: str
    samples: array[float]


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
        put_bytes(entry, 3, _little(found.samples).tobytes())
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
    if len(packed) % (_NUMBERS * _DOUBLE.size):
        raise WireError(f"history: {len(packed)} bytes of samples, allowed: multiples of {_NUMBERS * _DOUBLE.size}")
    samples = array("d")
    samples.frombytes(packed)
    samples = _little(samples)
    if not all(map(math.isfinite, samples)) or min(samples[::_NUMBERS], default=0.0) < 0:
        raise WireError("history: a sample is not finite, or of the future")
    return RevisionHistory(texts[0], texts[1], samples)


def _little(numbers: array[float]) -> array[float]:
    """To or from the byte order of the wire."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
