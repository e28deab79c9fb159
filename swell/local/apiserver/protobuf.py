"""Bodies in protobuf, as typed clients send the built-in kinds: from bytes to the JSON object that they mean.

Driven by the numbers in `types.txt`. The wire format is https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.api.meta import Obj
from swell.local.apiserver.failures import bad_request, unsupported_media
from swell.local.apiserver.types import Types

MAGIC: Final = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_VARINT_BITS_MAX: Final = 64

Value = int | bytes
Layout = dict[int, "_Field | Layout"]
"""What the field numbers of a message are; a `Layout` in it is a message that JSON does not show."""


class _Malformed(ValueError):
    """The bytes are no message."""


def decode_object(types: Types, body: bytes) -> Obj:
    """The object in an envelope of Kubernetes; raises `Invalid`, or `KubeError` 415 for a kind that is not known."""
    if not body.startswith(MAGIC):
        raise bad_request("the body is not protobuf of Kubernetes: it does not start with k8s\\0")
    try:
        envelope = dict(_fields(body[len(MAGIC) :]))
        type_meta = {number: _text(value) for number, value in _fields(_content(envelope.get(1, b"")))}
        api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
        layout = _Layouts(types).of(kind) if types.has(kind) else {}
        if not layout:
            hint = f"protobuf is not understood for {kind or 'an object without a kind'}: send application/json"
            raise unsupported_media("protobuf", hint)
        return {"apiVersion": api_version, "kind": kind, **_message(layout, _content(envelope.get(2, b"")))}
    except _Malformed as exc:
        raise bad_request(f"the body is not valid protobuf: {exc}") from exc


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a value goes, and how it is read."""

    name: str
    read: Callable[[Value], Any]
    repeated: bool = False
    keeps_zero: bool = False


class _Layouts:
    """Layouts by type name, made as they are needed: a message names only some of the types it could."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._made: dict[str, Layout] = {}

    def of(self, name: str) -> Layout:
        if name not in self._made:
            layout = self._made[name] = {}
            for field in self._types.wire_fields(name):
                *outer, last = field.path
                place: Any = layout
                for number in outer:
                    place = place.setdefault(number, {})
                place[last] = self._field(field.name, field.kind, field.keeps_zero)
        return self._made[name]

    def _field(self, name: str, kind: str, keeps_zero: bool) -> _Field:
        if kind.startswith("["):
            return _Field(name, self._reader(kind[1:-1]), repeated=True)
        if kind.startswith("{"):
            value = self._reader(kind[1:-1])
            return _Field(name, lambda content: _map_entry(value, content))
        return _Field(name, self._reader(kind), keeps_zero=keeps_zero)

    def _reader(self, kind: str) -> Callable[[Value], Any]:
        return _READERS.get(kind) or (lambda content: _message(self.of(kind), _content(content)))


def _message(layout: Layout, content: bytes) -> Obj:
    found: Obj = {}
    _read_into(found, layout, content)
    return found


def _read_into(found: Obj, layout: Layout, content: bytes) -> None:
    for number, value in _fields(content):
        field = layout.get(number)
        if isinstance(field, _Field):
            _set(found, field, field.read(value))
        elif field is not None:
            _read_into(found, field, _content(value))


def _set(found: Obj, field: _Field, value: Any) -> None:
    if field.repeated:
        found.setdefault(field.name, []).append(value)
    elif isinstance(value, _Entry):
        found.setdefault(field.name, {})[value.key] = value.value
    elif value or (field.keeps_zero and value is not None):
        found[field.name] = value


def _fields(content: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message, in order; raises `_Malformed`."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, at = _varint(content, at)
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise _Malformed(f"wire type {wire_type} of field {number}")
        if at + size > len(content):
            raise _Malformed(f"field {number} is cut off")
        yield number, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where what follows starts."""
    value = shift = 0
    while at < len(content) and shift < _VARINT_BITS_MAX:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _Malformed("a number is cut off")


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    value: Any


def _map_entry(read: Callable[[Value], Any], content: Value) -> _Entry:
    entry = dict(_fields(_content(content)))
    return _Entry(_text(entry.get(1, b"")), read(entry.get(2, b"")))


def _content(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise _Malformed("a number where a message should be")
    return value


def _text(value: Value) -> str:
    try:
        return _content(value).decode()
    except UnicodeDecodeError as exc:
        raise _Malformed(str(exc)) from exc


def _base64(value: Value) -> str:
    return base64.b64encode(_content(value)).decode()


def _int(value: Value) -> int:
    """Negative numbers are written as 64 bits."""
    if isinstance(value, bytes):
        raise _Malformed("a message where a number should be")
    return value - (1 << 64) if value >> 63 else value


def _bool(value: Value) -> bool:
    return bool(_int(value))


def _moment(value: Value) -> tuple[int, int] | None:
    """Seconds and nanoseconds; None for a time that was never set."""
    fields = dict(_fields(_content(value)))
    return (_int(fields.get(1, 0)), _int(fields.get(2, 0))) if fields else None


def _time(value: Value) -> str | None:
    moment = _moment(value)
    return None if moment is None else _stamp(moment[0], "Z")


def _micro_time(value: Value) -> str | None:
    moment = _moment(value)
    return None if moment is None else _stamp(moment[0], f".{moment[1] // 1000:06d}Z")


def _stamp(seconds: int, rest: str) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + rest
    except (ValueError, OverflowError, OSError) as exc:
        raise _Malformed(f"no time: {seconds}") from exc


def _quantity(value: Value) -> str:
    return _text(dict(_fields(_content(value))).get(1, b""))


def _int_or_string(value: Value) -> int | str:
    fields = dict(_fields(_content(value)))
    return _text(fields.get(3, b"")) if fields.get(1) else _int(fields.get(2, 0))


def _nothing(_: Value) -> None:
    """Kinds of values that are kept as JSON only: never sent by clients for the kinds that we have."""


_READERS: Final[Mapping[str, Callable[[Value], Any]]] = {
    "string": _text,
    "bytes": _base64,
    "int": _int,
    "bool": _bool,
    "number": _nothing,
    "time": _time,
    "microtime": _micro_time,
    "object": _nothing,
    "Quantity": _quantity,
    "IntOrString": _int_or_string,
}
