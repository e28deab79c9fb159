"""Header blocks: bytes to fields and back (RFC 7541). Pure.

What we send never refers to an earlier block: the same fields are the same bytes each time, on every connection, so
they are kept and not made again. What a peer sends may use the table that it fills here. The Huffman code and the
static table are the hpack library's; its own coder takes five times as long (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from activator.proxy.http2.frames import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, ConnectionFault

if TYPE_CHECKING:
    from activator.proxy.headers import Fields

TABLE_BYTES_MAX: Final = 4096
# What a field counts beside its bytes, in tables and in the size of a list.
FIELD_BYTES: Final = 32
# Tells the peer's decoder that its table is not used; due when it has asked for a smaller one.
NO_TABLE: Final = b"\x20"

_STATIC: Final[tuple[tuple[bytes, bytes], ...]] = ((b"", b""), *HeaderTable.STATIC_TABLE)
_STATIC_SIZE: Final = len(_STATIC)
_INDEX_OF_FIELD: Final = {field: index for index, field in reversed(list(enumerate(_STATIC))[1:])}
_INDEX_OF_NAME: Final = {field[0]: index for index, field in reversed(list(enumerate(_STATIC))[1:])}
# Not to be put into anybody's table, however many hops away.
_SECRET: Final = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))


class Decoder:
    """Of one connection. `changes` counts what has altered its table: equal blocks mean the same while it is equal."""

    __slots__ = ("_entries", "_size", "_size_max", "changes")

    def __init__(self) -> None:
        # The newest last.
        self._entries: list[tuple[bytes, bytes]] = []
        self._size = 0
        self._size_max = TABLE_BYTES_MAX
        self.changes = 0

    def decode(self, block: bytes, list_bytes_max: int) -> Fields | None:
        """All fields in order; None if they are larger together than allowed.

        Raises `ConnectionFault`: the peer's table and ours are not the same any more.
        """
        try:
            return self._decode(block, list_bytes_max)
        except (IndexError, HPACKDecodingError) as error:
            raise ConnectionFault(COMPRESSION_ERROR, "malformed header block") from error

    def _decode(self, block: bytes, list_bytes_max: int) -> Fields | None:
        fields: Fields = []
        at, end, total = 0, len(block), 0
        while at < end:
            byte = block[at]
            if byte >= 0x80:
                index, at = (byte & 0x7F, at + 1) if byte != 0xFF else _integer(block, at, 0x7F)
                field = self._entry(index)
            elif 0x20 <= byte < 0x40:
                at = self._resize(block, at, not total)
                continue
            else:
                prefix = 0x3F if byte >= 0x40 else 0x0F
                index = byte & prefix
                index, at = (index, at + 1) if index != prefix else _integer(block, at, prefix)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = _string(block, at)
                value, at = _string(block, at)
                field = (name, value)
                if byte >= 0x40:
                    self._add(field)
            total += len(field[0]) + len(field[1]) + FIELD_BYTES
            if total <= list_bytes_max:
                fields.append(field)
            elif total > 2 * list_bytes_max:
                # So far it was read for the table's sake alone.
                raise ConnectionFault(ENHANCE_YOUR_CALM, "header list too large")
        return fields if total <= list_bytes_max else None

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index >= _STATIC_SIZE:
            if index - _STATIC_SIZE >= len(self._entries):
                raise IndexError
            return self._entries[_STATIC_SIZE - 1 - index]
        if not index:
            raise IndexError
        return _STATIC[index]

    def _resize(self, block: bytes, at: int, allowed: bool) -> int:
        size, at = (block[at] & 0x1F, at + 1) if block[at] != 0x3F else _integer(block, at, 0x1F)
        if size > TABLE_BYTES_MAX or not allowed:
            raise IndexError
        self._size_max = size
        self._evict()
        self.changes += 1
        return at

    def _add(self, field: tuple[bytes, bytes]) -> None:
        self._entries.append(field)
        self._size += len(field[0]) + len(field[1]) + FIELD_BYTES
        self.changes += 1
        if self._size > self._size_max:
            self._evict()

    def _evict(self) -> None:
        """The oldest go first; one that is larger than the table empties it, and is not in it either."""
        gone = 0
        while self._size > self._size_max:
            name, value = self._entries[gone]
            self._size -= len(name) + len(value) + FIELD_BYTES
            gone += 1
        del self._entries[:gone]


def encode(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block, or a part of one. Names are in lower case."""
    return b"".join([encode_field(name, value) for name, value in fields])


def encode_field(name: bytes, value: bytes) -> bytes:
    index = _INDEX_OF_FIELD.get((name, value))
    if index is not None:
        return bytes((0x80 | index,))
    flag = 0x10 if name in _SECRET else 0
    index = _INDEX_OF_NAME.get(name)
    if index is None:
        return b"%c%b%b%b%b" % (flag, _length(len(name)), name, _length(len(value)), value)
    begin = b"%c" % (flag | index) if index < 0x0F else b"%c%c" % (flag | 0x0F, index - 0x0F)
    return b"%b%b%b" % (begin, _length(len(value)), value)


def _length(size: int) -> bytes:
    """The length of a string that is not Huffman coded."""
    if size < 0x7F:
        return b"%c" % size
    size -= 0x7F
    found = bytearray(b"\x7f")
    while size >= 0x80:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)


def _integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    """A number that fills its prefix, and where it ends. Four bytes more are enough for all that we accept."""
    number, shift = prefix, 0
    while shift <= 21:
        at += 1
        byte = block[at]
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at + 1
        shift += 7
    raise IndexError


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    byte = block[at]
    length, at = (byte & 0x7F, at + 1) if byte & 0x7F != 0x7F else _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise IndexError
    text = block[at:end]
    return (decode_huffman(text) if byte & 0x80 else text), end
