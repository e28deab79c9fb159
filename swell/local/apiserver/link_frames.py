"""The bytes of the link between a program and the control plane beside it.

Frames are JSON after four bytes of length. A call has an id; its answers carry it. A watch has many answers.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import Any, Final

import orjson

from swell.api.meta import Obj
from swell.kube.errors import KubeError, Unavailable

FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")


async def read_frame(reader: asyncio.StreamReader) -> Any:
    """The next frame, or None at the end of the stream."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > FRAME_BYTES_MAX:
            raise ConnectionError(f"a frame of {length} bytes; at most {FRAME_BYTES_MAX} are allowed")
        return orjson.loads(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        return None


def frame(message: Mapping[str, Any]) -> bytes:
    """The bytes of one message."""
    body = orjson.dumps(message)
    return _LENGTH.pack(len(body)) + body


def lost() -> Unavailable:
    """What a call raises whose connection is gone."""
    return Unavailable(503, "ServiceUnavailable", "the connection to the API server is lost")


def error_obj(error: KubeError) -> Obj:
    """An error as an answer carries it."""
    return {"code": error.status, "reason": error.reason, "message": error.message, "details": error.details}
