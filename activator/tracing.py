"""Traces that begin at the front door: `traceparent` for requests that have none (W3C Trace Context, level 1)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from random import random
from typing import Final

# Random bytes are asked of the system for so many traces at a time.
BATCH: Final = 512

_ID_BYTES: Final = 16 + 8
_IDS = re.compile(rb"(.{32})(.{16})")
_VALUE = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def is_traceparent(value: bytes) -> bool:
    """Whether a trace can go on with this. Versions to come may say more than ours does."""
    found = _VALUE.fullmatch(value)
    if found is None or value.startswith(b"ff") or (value.startswith(b"00") and found[3]):
        return False
    return found[1].strip(b"0") != b"" and found[2].strip(b"0") != b""


def new_traces(sampling_rate: float = 0.0) -> Iterator[bytes]:
    """Values for `traceparent` for ever, each with a trace and a span of its own.

    `sampling_rate` is the share of them, 0 to 1, that is marked as sampled.
    """
    while True:
        for trace, span in _IDS.findall(os.urandom(_ID_BYTES * BATCH).hex().encode()):
            flags = b"01" if sampling_rate and random() < sampling_rate else b"00"
            yield b"00-%b-%b-%b" % (trace, span, flags)
