"""Where a message body ends (RFC 9112 section 6). Pure: knows bytes and offsets, not connections.

Bodies are followed, not copied: a body is fed each received buffer and says at which offset it ends there.
What two parsers could read differently is refused, so that no request can hide inside another.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from activator.proxy.errors import RemoteProtocolError

# Bounds for what is not data: a chunk's size line, and all trailers of a body together.
CHUNK_LINE_BYTES_MAX: Final = 4096
TRAILER_BYTES_MAX: Final = 64 * 1024

GOES_ON: Final = -1
NO_LIMIT: Final = 1 << 62

_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_TRAILER_LINE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

Spans = list[tuple[int, int]]


class Body(Protocol):
    """Follows one body through the buffers that it comes in."""

    def feed(self, data: bytes, start: int = 0, spans: Spans | None = None) -> int:
        """The offset just behind the body's end in `data`, or `GOES_ON`; `data` is read from `start` on.

        The offsets of what is payload are added to `spans`. Raises `RemoteProtocolError` on bad framing.
        """
        ...


class Length:
    """A body of a known length. `left` is what has not been fed."""

    __slots__ = ("left", "size")

    def __init__(self, length: int) -> None:
        self.left = self.size = length

    def limit(self, bytes_max: int) -> bool:
        """Whether the body is larger than this."""
        return self.size > bytes_max

    def feed(self, data: bytes, start: int = 0, spans: Spans | None = None) -> int:
        size = len(data) - start
        left = self.left
        if size < left:
            self.left = left - size
            end = len(data)
        else:
            self.left = 0
            end = start + left
        if spans is not None and end > start:
            spans.append((start, end))
        return GOES_ON if self.left else end


class UntilClose:
    """A body that ends with its connection."""

    __slots__ = ()

    def feed(self, data: bytes, start: int = 0, spans: Spans | None = None) -> int:
        if spans is not None and len(data) > start:
            spans.append((start, len(data)))
        return GOES_ON


class Chunked:
    """A body in chunks. `size` is that of the chunks that have begun; `trailers` are those that came behind it, with
    names in lower case, None without any.
    """

    __slots__ = ("_bytes_max", "_left", "_line", "_trailer_bytes", "size", "trailers")

    def __init__(self) -> None:
        self.size = 0
        self.trailers: list[tuple[bytes, bytes]] | None = None
        # What may come.
        self._bytes_max = NO_LIMIT
        # Data and its CRLF still to come of the current chunk; -1 once the trailers have begun.
        self._left = 0
        # The beginning of a line whose end has not come yet.
        self._line = b""
        self._trailer_bytes = 0

    def limit(self, bytes_max: int) -> bool:
        """Whether the body is larger than this already; `feed` raises, with status 413, if it gets so."""
        self._bytes_max = bytes_max
        return self.size > bytes_max

    def feed(self, data: bytes, start: int = 0, spans: Spans | None = None) -> int:
        at, size = start, len(data)
        while at < size:
            if self._left > 0:
                at = self._skip(data, at, spans)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._keep(data[at:])
                return GOES_ON
            line = self._line + data[at : end + 1] if self._line else data[at : end + 1]
            self._line = b""
            at = end + 1
            if self._ends(line):
                return at
        return GOES_ON

    def _skip(self, data: bytes, at: int, spans: Spans | None) -> int:
        """Pass over the data of the current chunk, and the CRLF that follows it."""
        left, size = self._left, len(data)
        end = at + left - 2
        if at < end and spans is not None:
            spans.append((at, min(end, size)))
        stop = min(at + left, size)
        if data[max(end, at) : stop] != b"\r\n"[max(at - end, 0) : stop - end if stop > end else 0]:
            raise RemoteProtocolError("malformed chunked encoding: no CRLF behind a chunk")
        self._left = left - (stop - at)
        return stop

    def _ends(self, line: bytes) -> bool:
        """Take in one whole line, a chunk's size or a trailer; true for the empty one that ends the body."""
        text = line[:-2]
        if line[-2:] != b"\r\n":
            raise RemoteProtocolError("malformed chunked encoding: a line without CRLF")
        if self._left < 0:
            return self._ends_trailers(text)
        found = _CHUNK_LINE.fullmatch(text)
        if found is None or len(line) > CHUNK_LINE_BYTES_MAX:
            raise RemoteProtocolError("malformed chunked encoding: invalid chunk size")
        length = int(found[1], 16)
        self.size += length
        self._left = length + 2 if length else -1
        if self.size > self._bytes_max:
            raise RemoteProtocolError(f"request body larger than {self._bytes_max} bytes", 413)
        return False

    def _ends_trailers(self, text: bytes) -> bool:
        self._trailer_bytes += len(text) + 2
        if self._trailer_bytes > TRAILER_BYTES_MAX:
            raise RemoteProtocolError("trailers too large", 431)
        if not text:
            return True
        if not _TRAILER_LINE.fullmatch(text):
            raise RemoteProtocolError("malformed trailer")
        name, _, value = text.partition(b":")
        self.trailers = [*(self.trailers or ()), (name.lower(), value.strip(b" \t"))]
        return False

    def _keep(self, part: bytes) -> None:
        self._line += part
        bytes_max = CHUNK_LINE_BYTES_MAX if self._left == 0 else TRAILER_BYTES_MAX
        if len(self._line) > bytes_max:
            raise RemoteProtocolError("malformed chunked encoding: line too long")


def request_body(named: dict[bytes, bytes], version: str) -> Length | Chunked | None:
    """The body that follows a request head, or None. `named` are its headers by lower-case name.

    Raises `RemoteProtocolError` for what could be read in two ways. That neither header occurs twice is
    the caller's to see to: `named` cannot show it.
    """
    coding = named.get(b"transfer-encoding")
    length = named.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise RemoteProtocolError("both Content-Length and Transfer-Encoding")
        if version == "1.0":
            raise RemoteProtocolError("Transfer-Encoding in HTTP/1.0")
        if coding.lower() != b"chunked":
            raise RemoteProtocolError("unsupported transfer encoding", 501)
        return Chunked()
    if length is not None:
        return _length(length)
    return None


def response_body(named: dict[bytes, bytes], status: int, method: bytes) -> Body | None:
    """The body that follows a final response head, or None. Raises as `request_body` does."""
    if method == b"HEAD" or status == 204 or status == 304:
        return None
    coding = named.get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked":
            raise RemoteProtocolError("unsupported transfer encoding", 502)
        return Chunked()
    length = named.get(b"content-length")
    if length is not None:
        return _length(length)
    return UntilClose()


def response_length(named: dict[bytes, bytes]) -> int | None:
    """The length that a response head gives its body, whether or not it has one. Raises as `request_body` does."""
    length = named.get(b"content-length")
    if length is None:
        return None
    if b"transfer-encoding" in named:
        raise RemoteProtocolError("both Content-Length and Transfer-Encoding")
    return _read_length(length)


def _length(value: bytes) -> Length | None:
    length = _read_length(value)
    return Length(length) if length else None


def _read_length(value: bytes) -> int:
    if not _LENGTH.fullmatch(value):
        raise RemoteProtocolError("invalid Content-Length")
    return int(value)
