"""DNS messages over UDP as bytes: questions and answers of the kinds that a cluster has. Pure.

Source: RFC 1035 section 4; RFC 6891 (EDNS) only so far that a larger answer may be sent to who offers to take one.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

A: Final = 1
CNAME: Final = 5
AAAA: Final = 28
_OPT: Final = 41
_INTERNET: Final = 1

_HEADER: Final = struct.Struct("!6H")
_FIXED: Final = struct.Struct("!HHIH")
_RESPONSE: Final = 0x8000
_OPCODE: Final = 0x7800
_AUTHORITATIVE: Final = 0x0400
_RECURSION_DESIRED: Final = 0x0100
_RECURSION_AVAILABLE: Final = 0x0080
PLAIN_BYTES_MAX: Final = 512
EDNS_BYTES_MAX: Final = 4096
LABEL_BYTES_MAX: Final = 63
NAME_BYTES_MAX: Final = 255
TTL_S: Final = 5


class Malformed(ValueError):
    """Bytes that are no DNS query; there is nobody to answer."""


class Code(IntEnum):
    """RFC 1035 section 4.1.1, RCODE."""

    NO_ERROR = 0
    NO_SUCH_NAME = 3
    NOT_IMPLEMENTED = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `name` is in lower case, without the dot at its end."""

    name: str
    type: int = A


@dataclass(frozen=True, slots=True)
class Query:
    """A question with what its answer must repeat; `bytes_max` is the longest answer that the asker takes."""

    number: int
    question: Question
    recursion_desired: bool = True
    bytes_max: int = PLAIN_BYTES_MAX
    standard: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an answer: `value` is an IPv4 address, or for a CNAME the other name."""

    name: str
    type: int
    value: str


def parse_query(data: bytes) -> Query:
    """Raises `Malformed`."""
    try:
        return _parse_query(data)
    except (struct.error, IndexError, UnicodeDecodeError) as exc:
        raise Malformed(f"cut short or not text: {exc}") from exc


def make_query(number: int, question: Question) -> bytes:
    """A query that offers no EDNS."""
    return _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + _question(question)


def make_answer(query: Query, code: Code, records: tuple[Record, ...] = ()) -> bytes:
    """The answer, with fewer records if all would be more than the asker takes.

    It is not marked as truncated: the asker would come again over TCP, where nobody listens.
    """
    flags = _RESPONSE | _AUTHORITATIVE | _RECURSION_AVAILABLE | int(code)
    if query.recursion_desired:
        flags |= _RECURSION_DESIRED
    body = bytearray(_question(query.question))
    fitting = 0
    for record in records:
        encoded = _record(record)
        if _HEADER.size + len(body) + len(encoded) > query.bytes_max:
            break
        body += encoded
        fitting += 1
    return _HEADER.pack(query.number, flags, 1, fitting, 0, 0) + bytes(body)


def answers_of(data: bytes) -> list[str]:
    """The addresses in an answer. Raises `Malformed`."""
    try:
        return list(_addresses(data))
    except (struct.error, IndexError, UnicodeDecodeError) as exc:
        raise Malformed(f"cut short or not text: {exc}") from exc


def _parse_query(data: bytes) -> Query:
    number, flags, questions, answers, authorities, additional = _HEADER.unpack_from(data)
    if flags & _RESPONSE or questions != 1:
        raise Malformed("not a query with one question")
    name, offset = _read_name(data, _HEADER.size)
    kind, _ = struct.unpack_from("!HH", data, offset)
    bytes_max = PLAIN_BYTES_MAX
    if additional and not answers and not authorities:
        bytes_max = _offered_bytes(data, offset + 4)
    return Query(number, Question(name, kind), bool(flags & _RECURSION_DESIRED), bytes_max, not flags & _OPCODE)


def _offered_bytes(data: bytes, offset: int) -> int:
    """From the OPT record, if the first additional record is one."""
    _, offset = _read_name(data, offset)
    kind, offered, _, _ = _FIXED.unpack_from(data, offset)
    return min(max(offered, PLAIN_BYTES_MAX), EDNS_BYTES_MAX) if kind == _OPT else PLAIN_BYTES_MAX


def _addresses(data: bytes) -> Iterator[str]:
    _, _, questions, answers, _, _ = _HEADER.unpack_from(data)
    offset = _HEADER.size
    for _ in range(questions):
        offset = _read_name(data, offset)[1] + 4
    for _ in range(answers):
        _, offset = _read_name(data, offset)
        kind, _, _, length = _FIXED.unpack_from(data, offset)
        offset += _FIXED.size
        if kind == A:
            yield str(ipaddress.IPv4Address(data[offset : offset + length]))
        offset += length


def _read_name(data: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset` and where it ends. Compressed names are refused: neither queries nor we have them."""
    labels = []
    while length := data[offset]:
        if length > LABEL_BYTES_MAX:
            raise Malformed("a compressed or overlong name")
        label = data[offset + 1 : offset + 1 + length]
        if len(label) < length:
            raise Malformed("a name that is cut short")
        labels.append(label.decode("ascii").lower())
        offset += 1 + length
    return ".".join(labels), offset + 1


def _question(question: Question) -> bytes:
    return _name(question.name) + struct.pack("!HH", question.type, _INTERNET)


def _record(record: Record) -> bytes:
    data = ipaddress.IPv4Address(record.value).packed if record.type == A else _name(record.value)
    return _name(record.name) + _FIXED.pack(record.type, _INTERNET, TTL_S, len(data)) + data


def _name(name: str) -> bytes:
    encoded = bytearray()
    for label in name.split(".") if name else ():
        encoded.append(len(label))
        encoded += label.encode("ascii")
    return bytes(encoded) + b"\0"
