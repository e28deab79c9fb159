"""Bytes to frames: sizes, padding and order are checked here, header blocks put together (RFC 9113 sections 4 and 6).

Knows frames, not streams; what they mean, a connection knows.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final

from activator.proxy.http2 import frames
from activator.proxy.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FRAME_BYTES_MAX,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_ID_MAX,
    WINDOW_MAX,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ConnectionFault,
)

# Frames that cost us something and carry nothing, resets among them: so many at once, and so many each second from then
# on. A proxy in front of us may pass on that many of its callers, and it is less than requests may cost.
IDLE_FRAMES_MAX: Final = 2000
IDLE_FRAMES_PER_S: Final = 1000.0
# CONTINUATION frames of one header block; their bytes are bounded by the head's.
CONTINUATIONS_MAX: Final = 256


class Budget:
    """So many at once, and so many per second. `spend` is False when there is nothing left."""

    __slots__ = ("_at_s", "_left", "_max", "_per_s")

    def __init__(self, amount: float, per_s: float) -> None:
        self._max = self._left = amount
        self._per_s = per_s
        self._at_s = 0.0

    def spend(self, now_s: float) -> bool:
        self._left = min(self._max, self._left + (now_s - self._at_s) * self._per_s) - 1
        self._at_s = now_s
        return self._left >= 0


class Reader(ABC):
    """Takes what a peer sends, in whatever pieces, and calls one method for each frame.

    `feed` and all that it calls raise `ConnectionFault` when the peer breaks the rules of the connection.
    """

    __slots__ = (
        "_block",
        "_block_flags",
        "_block_stream",
        "_budget",
        "_continuations",
        "_first",
        "_rest",
        "head_bytes_max",
    )

    def __init__(self, head_bytes_max: int) -> None:
        self.head_bytes_max = head_bytes_max
        # The beginning of a frame.
        self._rest = b""
        self._first = True
        # A header block in the making.
        self._block: bytearray | None = None
        self._block_stream = 0
        self._block_flags = 0
        self._continuations = 0
        self._budget = Budget(IDLE_FRAMES_MAX, IDLE_FRAMES_PER_S)

    def feed(self, data: bytes) -> None:
        """Here are more bytes."""
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= 9:
            high, low, kind, flags, number = frames.read_head(data, at)
            end = at + 9 + (high << 8 | low)
            if end - at > FRAME_BYTES_MAX + 9:
                raise ConnectionFault(FRAME_SIZE_ERROR, "frame too large")
            if end > size:
                break
            self._frame(kind, flags, number & STREAM_ID_MAX, data[at + 9 : end])
            at = end
        self._rest = data[at:] if at < size else b""

    def spend(self) -> None:
        """The peer has us do something for nothing. Raises `ConnectionFault` when that gets too much."""
        if not self._budget.spend(time.monotonic()):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None or self._first:
            self._check_order(kind, number)
        if kind == DATA:
            self._read_data(flags, number, payload)
        elif kind == HEADERS:
            self._read_headers(flags, number, payload)
        elif kind == WINDOW_UPDATE:
            self._check(len(payload) == 4, FRAME_SIZE_ERROR, "malformed window update")
            self.on_window_update(number, frames.read_number(payload)[0] & WINDOW_MAX)
        elif kind == RST_STREAM:
            self._check(len(payload) == 4, FRAME_SIZE_ERROR, "malformed reset")
            self._check(number != 0, PROTOCOL_ERROR, "reset without a stream")
            self.spend()
            self.on_reset(number, frames.read_number(payload)[0])
        elif kind == CONTINUATION:
            self._read_continuation(flags, payload)
        elif kind == PUSH_PROMISE:
            raise ConnectionFault(PROTOCOL_ERROR, "push is not allowed")
        elif kind == PRIORITY:
            self._check(number != 0, PROTOCOL_ERROR, "priority without a stream")
            self._check(len(payload) == 5, FRAME_SIZE_ERROR, "malformed priority")
            self.spend()
        else:
            self._read_of_connection(kind, flags, number, payload)

    def _check_order(self, kind: int, number: int) -> None:
        if self._first:
            self._first = False
            self._check(kind == SETTINGS, PROTOCOL_ERROR, "the first frame is not SETTINGS")
        elif kind != CONTINUATION or number != self._block_stream:
            raise ConnectionFault(PROTOCOL_ERROR, "a header block is broken off")

    def _read_data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        self._check(number != 0, PROTOCOL_ERROR, "data without a stream")
        if flags & PADDED:
            payload = frames.unpadded(payload)
        if not payload and not flags & END_STREAM:
            self.spend()
        self.on_data(number, payload, size - len(payload), bool(flags & END_STREAM))

    def _read_headers(self, flags: int, number: int, payload: bytes) -> None:
        self._check(number != 0, PROTOCOL_ERROR, "headers without a stream")
        if flags & PADDED:
            payload = frames.unpadded(payload)
        if flags & WITH_PRIORITY:
            if len(payload) < 5 or frames.read_number(payload)[0] & STREAM_ID_MAX == number:
                raise ConnectionFault(PROTOCOL_ERROR, "malformed priority")
            payload = payload[5:]
        if flags & END_HEADERS:
            self.on_block(number, payload, bool(flags & END_STREAM))
            return
        self._block = bytearray(payload)
        self._block_stream, self._block_flags, self._continuations = number, flags, 0
        self.awaits_block()

    def _read_continuation(self, flags: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(PROTOCOL_ERROR, "continuation of nothing")
        self._block += payload
        self._continuations += 1
        if len(self._block) > self.head_bytes_max or self._continuations > CONTINUATIONS_MAX:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block too large")
        if flags & END_HEADERS:
            block, self._block = bytes(self._block), None
            self.has_block()
            self.on_block(self._block_stream, block, bool(self._block_flags & END_STREAM))

    def _read_of_connection(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """What concerns no stream; and what we do not know, which is nothing to us."""
        if kind not in (SETTINGS, PING, GOAWAY):
            self.spend()
            return
        self._check(number == 0, PROTOCOL_ERROR, "a frame of the connection on a stream")
        if kind == SETTINGS:
            malformed = len(payload) % 6 or (flags & ACK and payload)
            self._check(not malformed, FRAME_SIZE_ERROR, "malformed settings")
            if not flags & ACK:
                self.spend()
                self.on_settings(frames.read_settings(payload))
        elif kind == PING:
            self._check(len(payload) == 8, FRAME_SIZE_ERROR, "malformed ping")
            if not flags & ACK:
                self.spend()
                self.on_ping(payload)
        else:
            self._check(len(payload) >= 8, FRAME_SIZE_ERROR, "malformed goaway")
            last, code = frames.read_pair(payload)
            self.on_goaway(last & STREAM_ID_MAX, code)

    @staticmethod
    def _check(holds: bool, code: int, text: str) -> None:
        if not holds:
            raise ConnectionFault(code, text)

    # What a connection makes of them.

    @abstractmethod
    def on_data(self, number: int, data: bytes, padding: int, ended: bool) -> None: ...

    @abstractmethod
    def on_block(self, number: int, block: bytes, ended: bool) -> None:
        """A header block, whole."""

    @abstractmethod
    def on_window_update(self, number: int, size: int) -> None:
        """For a stream, or with number 0 for the connection."""

    @abstractmethod
    def on_reset(self, number: int, code: int) -> None: ...

    @abstractmethod
    def on_settings(self, pairs: Iterable[tuple[int, int]]) -> None: ...

    @abstractmethod
    def on_ping(self, payload: bytes) -> None: ...

    @abstractmethod
    def on_goaway(self, last: int, code: int) -> None:
        """The peer takes no stream beyond `last`."""

    def awaits_block(self) -> None:  # noqa: B027 - only a caller is hurried
        """A header block has begun, and has to come whole in time."""

    def has_block(self) -> None:  # noqa: B027
        """It has."""
