"""Rows as bytes, for whoever keeps them: what they are, whose, and the rows themselves. Pure.

A header line of JSON (fields and revisions), then the rows, together in zlib's format. Fields are found by name, so
that another version of this program reads what it knows.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Final

import numpy as np

from autoscaler.ledger.row import ROW, Records, converted
from swell.api.meta import Key

LEVEL: Final = 1
DECODED_BYTES_MAX: Final = 64 * 2**20


class Damaged(ValueError):
    """These bytes are no rows."""


def encode(rows: Records, keys: Mapping[int, Key]) -> bytes:
    """Rows, and whose `life` each is, as bytes."""
    fields = [(name, ROW[name].str) for name in ROW.names or ()]
    header = {"fields": fields, "keys": {str(life): [*key] for life, key in keys.items()}}
    return zlib.compress(json.dumps(header).encode() + b"\n" + rows.tobytes(), LEVEL)


def decode(data: bytes) -> tuple[Records, dict[int, Key]]:
    """What `encode` was given. Raises `Damaged`."""
    try:
        inflating = zlib.decompressobj()
        plain = inflating.decompress(data, DECODED_BYTES_MAX)
        header, found, body = plain.partition(b"\n")
        if not (found and inflating.eof):
            raise Damaged("it is cut off, or larger than any that is written")
        told = json.loads(header)
        dtype = np.dtype([(str(name), str(kind)) for name, kind in told["fields"]])
        keys = {int(life): Key(str(namespace), str(name)) for life, (namespace, name) in told["keys"].items()}
        return converted(np.frombuffer(body, dtype)), keys
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise Damaged(f"not rows of a ledger: {exc}") from exc
