"""Probes over HTTP/2: gRPC's health check, and a plain GET (spec dataplane 3.7; RFC 9113, RFC 7541).

One request on a connection of its own needs a few frames, and of the answer's headers only the status, which comes
first: so this starts in no time, where a whole implementation takes tens of milliseconds of a cold start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final, cast

from activator.queueproxy.probe import USER_AGENT, Probe

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
ANSWER_BYTES_MAX: Final = 64 * 1024

CHECK: Final = "/grpc.health.v1.Health/Check"
SERVING: Final = b"\x08\x01"
SERVICE_BYTES_MAX: Final = 127

# RFC 7541, appendix A: the whole field; from index 8 to 14 the name alone.
_STATUSES: Final = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
# Appendix B: digits are the shortest codes there are.
_DIGITS: Final = {
    "00000": "0",
    "00001": "1",
    "00010": "2",
    "011001": "3",
    "011010": "4",
    "011011": "5",
    "011100": "6",
    "011101": "7",
    "011110": "8",
    "011111": "9",
}

Headers = Iterable[tuple[str, str]]


async def is_serving(probe: Probe) -> bool:
    """Whether the health service says SERVING. Raises `OSError` or `ValueError` if there is no answer."""
    name = probe.service.encode()
    if len(name) > SERVICE_BYTES_MAX:
        raise ValueError(f"the name of a service has {SERVICE_BYTES_MAX} bytes at most")
    message = bytes((0x0A, len(name))) + name if name else b""
    fields = (("content-type", "application/grpc"), ("te", "trailers"))
    answer = await _exchange(probe, request("POST", _authority(probe), CHECK, fields, _with_length(message)))
    return answer.data[:1] == b"\0" and answer.data[5:7] == SERVING


async def get(probe: Probe) -> int:
    """The status of a GET. Raises as `is_serving` does."""
    answer = await _exchange(probe, request("GET", _authority(probe), probe.path, probe.headers))
    return answer.status


async def _exchange(probe: Probe, sent: bytes) -> Answer:
    loop = asyncio.get_running_loop()
    transport, answer = await loop.create_connection(lambda: Answer(sent), probe.host, probe.port)
    try:
        await answer.whole
        return answer
    finally:
        transport.close()


def request(method: str, authority: str, path: str, headers: Headers = (), body: bytes | None = None) -> bytes:
    """All that a client sends for the first request of a connection."""
    fields = [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path)]
    fields += [("user-agent", USER_AGENT), *headers]
    block = b"".join(b"\0" + _text(name.lower()) + _text(value) for name, value in fields)
    sent = PREFACE + frame(SETTINGS, 0, 0)
    if body is None:
        return sent + frame(HEADERS, END_HEADERS | END_STREAM, 1, block)
    return sent + frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, body)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def status_of(block: bytes) -> int:
    """The status that a response's header block begins with. Raises `ValueError` if it begins otherwise."""
    at = 0
    while block[at] & 0xE0 == 0x20:  # a new size of the dynamic table
        at += _varint_bytes(block, at, 5)
    first = block[at]
    if first & 0x80 and first & 0x7F in _STATUSES:
        return _STATUSES[first & 0x7F]
    index = first & 0x3F if first & 0xC0 == 0x40 else first & 0x0F
    if first & 0x80 or index not in _STATUSES:
        raise ValueError("the answer does not begin with its status")
    size = block[at + 1]
    value = block[at + 2 : at + 2 + (size & 0x7F)]
    return int(_unpacked(value) if size & 0x80 else value)


class Answer(asyncio.Protocol):
    """Sends `sent` and reads the answer. `whole` is done once it is; `status` and `data` are what came."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent
        self.status = 0
        self.data = b""
        self.whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # At once: a server may speak first, and what we answer must not be the first that it gets.
        self._transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            for kind, flags, payload in self._frames():
                self._frame(kind, flags, payload)
        except (ValueError, IndexError) as error:
            self._end(f"not an HTTP/2 answer: {error}")
        if len(self._buffer) + len(self.data) > ANSWER_BYTES_MAX:
            self._end("endless answer")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("closed without an answer")

    def _frames(self) -> Iterator[tuple[int, int, bytes]]:
        while len(self._buffer) >= 9:
            head, size = self._buffer[:9], int.from_bytes(self._buffer[:3], "big")
            if size > ANSWER_BYTES_MAX:
                raise ValueError(f"a frame of {size} bytes")
            if len(self._buffer) < 9 + size:
                return
            payload, self._buffer = self._buffer[9 : 9 + size], self._buffer[9 + size :]
            yield head[3], head[4], payload

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._transport.write(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind in (RESET, GOAWAY):
            self._end("refused")
        elif kind in (HEADERS, DATA):
            if flags & PADDED:
                payload = payload[1 : len(payload) - payload[0]]
            if kind == DATA:
                self.data += payload
            elif self.status < 200:  # trailers come later
                self.status = status_of(payload[5:] if flags & PRIORITY else payload)
            if flags & END_STREAM and not self.whole.done():
                self.whole.set_result(None)

    def _end(self, why: str) -> None:
        if not self.whole.done():
            self.whole.set_exception(ValueError(why))


def _authority(probe: Probe) -> str:
    return f"[{probe.host}]:{probe.port}" if ":" in probe.host else f"{probe.host}:{probe.port}"


def _with_length(message: bytes) -> bytes:
    """As gRPC sends a message that is not compressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _text(text: str) -> bytes:
    value = text.encode("latin-1", "replace")
    return _length(len(value)) + value


def _length(size: int) -> bytes:
    """RFC 7541, 5.1, with nothing in front."""
    if size < 0x7F:
        return bytes((size,))
    out, size = bytearray((0x7F,)), size - 0x7F
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def _varint_bytes(block: bytes, at: int, bits: int) -> int:
    """How many bytes the number at `at` has."""
    most = (1 << bits) - 1
    if block[at] & most != most:
        return 1
    size = 2
    while block[at + size - 1] & 0x80:
        size += 1
    return size


def _unpacked(value: bytes) -> str:
    """Digits in Huffman's code; the padding is ones."""
    digits, code = "", ""
    for bit in "".join(f"{byte:08b}" for byte in value):
        code += bit
        if code in _DIGITS:
            digits, code = digits + _DIGITS[code], ""
    return digits
