"""The few parts of protobuf's wire format that our messages need.

Written by hand because each queue-proxy loads it: the protobuf package would cost every pod several megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swell.wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
UINT64_MAX: Final = 2**64 - 1


def put_text(out: bytearray, number: int, text: str) -> None:
    """Add a text field; an empty one is left out."""
    if text:
        put_bytes(out, number, text.encode())


def put_bytes(out: bytearray, number: int, data: bytes) -> None:
    """Add bytes or a message."""
    out.append(number << 3 | BYTES)
    put_varint(out, len(data))
    out += data


def put_varint(out: bytearray, value: int) -> None:
    """Add a number without its tag; it is not negative."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def read_text(data: bytes) -> str:
    """Raises `WireError` if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise WireError(f"text field is not UTF-8: {exc}") from exc


def read_fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Each field as (number, wire type, value): an int for a varint, else the field's bytes. Raises `WireError`."""
    at, end = 0, len(data)
    while at < end:
        # Nearly all tags and lengths are of one byte: no call for those, of which a report has twenty.
        tag, at = (data[at], at + 1) if data[at] < 0x80 else _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError("field number 0")
        if wire_type == VARINT:
            value, at = _varint(data, at)
            yield number, wire_type, value
            continue
        if wire_type == FIXED64:
            size = 8
        elif wire_type == BYTES and at < end and data[at] < 0x80:
            size, at = data[at], at + 1
        else:
            size, at = _size(data, at, wire_type)
        if size > end - at:
            raise WireError(f"field {number} wants {size} bytes, {end - at} are left")
        yield number, wire_type, data[at : at + size]
        at += size


def _size(data: bytes, at: int, wire_type: int) -> tuple[int, int]:
    if wire_type == BYTES:
        return _varint(data, at)
    if wire_type == FIXED32:
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
            return value & UINT64_MAX, at
    raise WireError("number of more than 10 bytes")
