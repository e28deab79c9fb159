"""What came from a caller and is not used yet: a head in parts, or what follows a request. Pure: knows bytes."""

from __future__ import annotations

from typing import Final

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.framing import GOES_ON, Chunked, Length
from activator.proxy.heads import check_beginning

HEAD_END: Final = b"\r\n\r\n"


class Inbox:
    """`data` is what came and was not looked at; `partial` the part of a head that has come, None if none has."""

    __slots__ = ("_searched", "data", "head_bytes_max", "partial")

    def __init__(self, head_bytes_max: int) -> None:
        self.head_bytes_max = head_bytes_max
        self.data = b""
        self.partial: bytearray | None = None
        # How far the end of the partial head has been looked for.
        self._searched = 0

    def take_head(self) -> bytes | None:
        """The next head, or None if it has not come whole. `RemoteProtocolError`: it can be none, or is too large."""
        data = self.data
        self.data = b""
        if self.partial is not None:
            self.partial += data
            if not self._is_whole(self.partial):
                return None
            data = bytes(self.partial)
            self.partial = None
        # Empty lines before a request are to be ignored (RFC 9112 section 2.2).
        data = data.lstrip(b"\r\n")
        end = data.find(HEAD_END) + 4
        if end < 4:
            if data:
                check_beginning(data)
                self.partial = bytearray(data)
                self._searched = 0
                self._is_whole(self.partial)
            return None
        if end > self.head_bytes_max:
            raise too_large(data)
        self.data = data[end:]
        return data[:end]

    def take_body(self, body: Length | Chunked) -> tuple[bytes, bool]:
        """What belongs to the body, and whether it has ended. Raises `RemoteProtocolError` on bad framing."""
        data = self.data
        self.data = b""
        end = body.feed(data)
        if end == GOES_ON or end == len(data):
            return data, end != GOES_ON
        self.data = data[end:]
        return data[:end], True

    def _is_whole(self, partial: bytearray) -> bool:
        found = partial.find(HEAD_END, self._searched) >= 0
        self._searched = max(0, len(partial) - 3)
        if not found and len(partial) > self.head_bytes_max:
            self.partial = None
            raise too_large(partial)
        return found


def is_one_head(data: bytes) -> bool:
    """Whether `data` is a head, without anything before or behind it."""
    return 0 < data.find(HEAD_END) == len(data) - 4 and data[0] > 0x0D


def too_large(head: bytes | bytearray) -> RemoteProtocolError:
    """For a head beyond all limits, of which so much has come."""
    if b"\r\n" not in head:
        return RemoteProtocolError("request target too long", 414)
    return RemoteProtocolError("request header too large", 431)
