"""A connection that speaks HTTP/2: frames to streams, and what concerns the connection as a whole (RFC 9113).

Knows frames, windows and the peer's settings. What a header block means, its two kinds (downstream, upstream) know.
What a peer may have us do, or keep, without paying for it with a request is bounded.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Generic, TypeVar, cast

from activator.proxy.http2 import frames
from activator.proxy.http2.compression import NO_TABLE, TABLE_BYTES_MAX, Decoder
from activator.proxy.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_BYTES_MAX,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    NO_ERROR,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_DEFAULT,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ConnectionFault,
    StreamFault,
)
from activator.proxy.http2.stream import Stream

# All streams together may have as much on its way to us. It is renewed as it comes: one stream whose data nobody
# takes must not stop the others, and how much is kept of each is its own window's business.
CONNECTION_WINDOW: Final = 1024 * 1024
# Frames that cost us something and carry nothing, resets among them: so many at once, and so many each second from then
# on. A proxy in front of us may pass on that many of its callers, and it is less than requests may cost.
IDLE_FRAMES_MAX: Final = 2000
IDLE_FRAMES_PER_S: Final = 1000.0
# CONTINUATION frames of one header block; their bytes are bounded by the head's.
CONTINUATIONS_MAX: Final = 256
# Answers to PING and SETTINGS that the peer has not taken.
UNTAKEN_MAX: Final = 1000
# How long a peer may take to notice that we closed our side, before its unread bytes make a reset of it.
LINGER_S: Final = 1.0

S = TypeVar("S", bound=Stream)


class Budget:
    """So many at once, and so many per second. `spend` is False when there is nothing left. Pure."""

    __slots__ = ("_at_s", "_left", "_max", "_per_s")

    def __init__(self, amount: float, per_s: float) -> None:
        self._max = self._left = amount
        self._per_s = per_s
        self._at_s = 0.0

    def spend(self, now_s: float) -> bool:
        self._left = min(self._max, self._left + (now_s - self._at_s) * self._per_s) - 1
        self._at_s = now_s
        return self._left >= 0


class Connection(asyncio.Protocol, Generic[S]):
    """`full`: the peer does not take what it was sent. `streams` are the open ones; `window` is what all may send.

    `stream_window` is what a new one may send.
    """

    __slots__ = (
        "_block",
        "_block_flags",
        "_block_stream",
        "_budget",
        "_continuations",
        "_data",
        "_first",
        "_linger",
        "_ready",
        "_receivable",
        "_untaken",
        "_use_no_table",
        "decoder",
        "ending",
        "full",
        "head_bytes_max",
        "last",
        "stream_window",
        "streams",
        "transport",
        "window",
    )

    transport: asyncio.Transport

    def __init__(self, head_bytes_max: int) -> None:
        self.streams: dict[int, S] = {}
        # The highest stream that the peer has opened.
        self.last = 0
        # No stream begins any more.
        self.ending = False
        self.full = False
        self.window = WINDOW_DEFAULT
        self.stream_window = WINDOW_DEFAULT
        self.head_bytes_max = head_bytes_max
        self.decoder = Decoder()
        self._use_no_table = False
        self._receivable = CONNECTION_WINDOW
        self._data = b""
        self._first = True
        # A header block in the making.
        self._block: bytearray | None = None
        self._block_stream = 0
        self._block_flags = 0
        self._continuations = 0
        # Streams that have something to send, and a window for it; the longest waiting first.
        self._ready: dict[S, None] = {}
        self._budget = Budget(IDLE_FRAMES_MAX, IDLE_FRAMES_PER_S)
        self._untaken = 0
        self._linger: asyncio.TimerHandle | None = None

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all that asyncio.Transport has, but do not inherit from it.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._linger is not None:
            return
        if self._data:
            data = self._data + data
        at, size = 0, len(data)
        try:
            while size - at >= 9:
                high, low, kind, flags, number = frames.read_head(data, at)
                end = at + 9 + (high << 8 | low)
                if end - at > FRAME_BYTES_MAX + 9:
                    raise ConnectionFault(FRAME_SIZE_ERROR, "frame too large")
                if end > size:
                    break
                self._frame(kind, flags, number & frames.STREAM_ID_MAX, data[at + 9 : end])
                at = end
        except ConnectionFault as fault:
            self._data = b""
            self.fail(fault.code, str(fault))
            return
        self._data = data[at:] if at < size else b""

    def connection_lost(self, exc: Exception | None) -> None:
        self.ending = True
        if self._linger is not None:
            self._linger.cancel()

    def eof_received(self) -> None:
        """The transport closes, and `connection_lost` follows."""

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._untaken = 0
        self._pump()

    # For the streams.

    def write_block(self, number: int, block: bytes, flags: int) -> None:
        if self._use_no_table:
            self._use_no_table = False
            block = NO_TABLE + block
        self.transport.write(frames.headers(number, block, flags))

    def wakes(self, stream: Stream) -> None:
        """It has something to send, and a window."""
        self._ready[cast(S, stream)] = None
        self._pump()

    def forget(self, stream: Stream) -> None:
        """It is closed."""
        self._ready.pop(cast(S, stream), None)
        if self.streams.pop(stream.number, None) is not None and not self.streams:
            self.emptied()

    def emptied(self) -> None:
        """The last open stream has closed."""

    def _pump(self) -> None:
        """Send what waits: a frame of each stream in turn, while the connection takes it."""
        ready = self._ready
        while ready and self.window > 0 and not self.full:
            stream = next(iter(ready))
            del ready[stream]
            if stream.send_piece():
                ready[stream] = None

    # The end.

    def fail(self, code: int, text: str) -> None:
        """Tell the peer what it did wrong, and close."""
        self.say_goaway(self.last, code, text)
        self.close_gently()

    def say_goaway(self, last: int, code: int = NO_ERROR, text: str = "") -> None:
        if not self.transport.is_closing():
            self.transport.write(frames.goaway(last, code, text))

    def close_gently(self) -> None:
        """Close our side, and read on for a moment: a reset could overtake what was said otherwise."""
        self.ending = True
        if self.transport.is_closing() or self._linger is not None:
            return
        self.transport.write_eof()
        self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)

    # Frames.

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None or self._first:
            self._check_order(kind, number)
        if kind == DATA:
            self._on_data(flags, number, payload)
        elif kind == HEADERS:
            self._on_headers(flags, number, payload)
        elif kind == WINDOW_UPDATE:
            self._on_window_update(number, payload)
        elif kind == RST_STREAM:
            self._on_rst_stream(number, payload)
        elif kind == SETTINGS:
            self._on_settings(flags, number, payload)
        elif kind == PING:
            self._on_ping(flags, number, payload)
        elif kind == GOAWAY:
            self._on_goaway(number, payload)
        elif kind == CONTINUATION:
            self._on_continuation(flags, payload)
        elif kind == PUSH_PROMISE:
            raise ConnectionFault(PROTOCOL_ERROR, "push is not allowed")
        else:
            self._on_other(kind, number, payload)

    def _check_order(self, kind: int, number: int) -> None:
        if self._first:
            self._first = False
            if kind != SETTINGS:
                raise ConnectionFault(PROTOCOL_ERROR, "the first frame is not SETTINGS")
        elif kind != CONTINUATION or number != self._block_stream:
            raise ConnectionFault(PROTOCOL_ERROR, "a header block is broken off")

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        taken = len(payload)
        if not number:
            raise ConnectionFault(PROTOCOL_ERROR, "data without a stream")
        if flags & PADDED:
            payload = frames.unpadded(payload)
        self._receivable -= taken
        if self._receivable < CONNECTION_WINDOW // 2:
            if self._receivable < 0:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "more data than the window allows")
            self.transport.write(frames.window_update(0, CONNECTION_WINDOW - self._receivable))
            self._receivable = CONNECTION_WINDOW
        ended = bool(flags & END_STREAM)
        if not payload and not ended:
            self.spend()
        stream = self.streams.get(number)
        if stream is None:
            self._check_closed(number)
            return
        try:
            if not stream.receiving:
                raise StreamFault(STREAM_CLOSED, "data behind the end")
            stream.count(len(payload), taken - len(payload), ended)
        except StreamFault as fault:
            self.fault(stream, fault)
            return
        stream.data_received(payload, ended)

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise ConnectionFault(PROTOCOL_ERROR, "headers without a stream")
        if flags & PADDED:
            payload = frames.unpadded(payload)
        if flags & WITH_PRIORITY:
            if len(payload) < 5 or frames.read_number(payload)[0] & frames.STREAM_ID_MAX == number:
                raise ConnectionFault(PROTOCOL_ERROR, "malformed priority")
            payload = payload[5:]
        if flags & END_HEADERS:
            self.block_received(number, payload, bool(flags & END_STREAM))
            return
        self._block = bytearray(payload)
        self._block_stream, self._block_flags, self._continuations = number, flags, 0
        self.awaits_block()

    def _on_continuation(self, flags: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(PROTOCOL_ERROR, "continuation of nothing")
        self._block += payload
        self._continuations += 1
        if len(self._block) > self.head_bytes_max or self._continuations > CONTINUATIONS_MAX:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block too large")
        if flags & END_HEADERS:
            block, self._block = bytes(self._block), None
            self.has_block()
            self.block_received(self._block_stream, block, bool(self._block_flags & END_STREAM))

    def _on_window_update(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "malformed window update")
        size = frames.read_number(payload)[0] & frames.WINDOW_MAX
        if number:
            stream = self.streams.get(number)
            if stream is None:
                self._check_closed(number)
                return
            try:
                stream.add_window(size)
            except StreamFault as fault:
                self.fault(stream, fault)
            return
        if not size:
            raise ConnectionFault(PROTOCOL_ERROR, "window update of 0")
        self.window += size
        if self.window > frames.WINDOW_MAX:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "window too large")
        if self._ready:
            self._pump()

    def _on_rst_stream(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "malformed reset")
        if not number:
            raise ConnectionFault(PROTOCOL_ERROR, "reset without a stream")
        self.spend()
        stream = self.streams.get(number)
        if stream is None:
            self._check_closed(number)
            return
        stream.close()
        stream.peer_reset(frames.read_number(payload)[0])

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(PROTOCOL_ERROR, "settings of a stream")
        if len(payload) % 6 or (flags & ACK and payload):
            raise ConnectionFault(FRAME_SIZE_ERROR, "malformed settings")
        if flags & ACK:
            return
        self.spend()
        for name, value in frames.read_settings(payload):
            self.setting(name, value)
        self._answer(frames.frame(SETTINGS, ACK, 0))
        self._pump()

    def setting(self, name: int, value: int) -> None:
        """The peer asks for this. Raises `ConnectionFault`."""
        if name == frames.INITIAL_WINDOW_SIZE:
            if value > frames.WINDOW_MAX:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "window too large")
            self._change_windows(value - self.stream_window)
            self.stream_window = value
        elif name == frames.MAX_FRAME_SIZE:
            if not FRAME_BYTES_MAX <= value < 2**24:
                raise ConnectionFault(PROTOCOL_ERROR, "frame size out of range")
            # Larger frames than all peers take would only make other streams wait.
        elif name == frames.HEADER_TABLE_SIZE:
            self._use_no_table = self._use_no_table or value < TABLE_BYTES_MAX
        elif name == frames.ENABLE_PUSH and value > 1:
            raise ConnectionFault(PROTOCOL_ERROR, "push is neither on nor off")

    def _change_windows(self, by: int) -> None:
        for stream in list(self.streams.values()):
            if by > 0:
                try:
                    stream.add_window(by)
                except StreamFault as fault:
                    raise ConnectionFault(FLOW_CONTROL_ERROR, "window too large") from fault
            else:
                stream.window += by

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(PROTOCOL_ERROR, "ping of a stream")
        if len(payload) != 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "malformed ping")
        if not flags & ACK:
            self.spend()
            self._answer(frames.frame(PING, ACK, 0, payload))

    def _on_goaway(self, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(PROTOCOL_ERROR, "goaway of a stream")
        if len(payload) < 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "malformed goaway")
        last, code = frames.read_pair(payload)
        self.goaway_received(last & frames.STREAM_ID_MAX, code)

    def _on_other(self, kind: int, number: int, payload: bytes) -> None:
        """A priority, or what we do not know: nothing follows from either."""
        self.spend()
        if kind == PRIORITY:
            if not number:
                raise ConnectionFault(PROTOCOL_ERROR, "priority without a stream")
            if len(payload) != 5:
                raise ConnectionFault(FRAME_SIZE_ERROR, "malformed priority")

    def _answer(self, data: bytes) -> None:
        """Write what the peer has made us write."""
        if self.full:
            self._untaken += 1
            if self._untaken > UNTAKEN_MAX:
                raise ConnectionFault(ENHANCE_YOUR_CALM, "answers are not taken")
        self.transport.write(data)

    def spend(self) -> None:
        """The peer has us do something for nothing. Raises `ConnectionFault` when that gets too much."""
        if not self._budget.spend(time.monotonic()):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def fault(self, stream: S, fault: StreamFault) -> None:
        """The peer broke the rules of a stream."""
        stream.reset(fault.code)
        stream.peer_reset(fault.code)

    def _check_closed(self, number: int) -> None:
        """What comes for a stream that is not open may have been on its way when it closed."""
        if self.is_idle(number):
            raise ConnectionFault(PROTOCOL_ERROR, "a frame of a stream that never was")

    # What the two kinds know.

    def is_idle(self, number: int) -> bool:
        """Whether a stream has never been opened."""
        raise NotImplementedError

    def block_received(self, number: int, block: bytes, ended: bool) -> None:
        """A header block came whole."""
        raise NotImplementedError

    def awaits_block(self) -> None:
        """A header block has begun, and has to come whole in time."""

    def has_block(self) -> None:
        """It has."""

    def goaway_received(self, last: int, code: int) -> None:
        """The peer takes no stream beyond `last`."""
        raise NotImplementedError
