"""A connection that speaks HTTP/2: what its streams share, and what concerns it as a whole (RFC 9113).

Knows windows and the peer's settings. What a header block means, its two kinds (downstream, upstream) know.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterable
from typing import Final, Generic, TypeVar, cast

from activator.proxy.http2 import frames
from activator.proxy.http2.compression import NO_TABLE, TABLE_BYTES_MAX, Decoder
from activator.proxy.http2.frames import (
    ACK,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_BYTES_MAX,
    NO_ERROR,
    PING,
    PROTOCOL_ERROR,
    SETTINGS,
    WINDOW_DEFAULT,
    ConnectionFault,
    StreamFault,
)
from activator.proxy.http2.reader import Reader
from activator.proxy.http2.stream import Stream

# All streams together may have as much on its way to us. It is renewed as it comes: one stream whose data nobody
# takes must not stop the others, and how much is kept of each is its own window's business.
CONNECTION_WINDOW: Final = 1024 * 1024
# Answers to PING and SETTINGS that the peer has not taken.
UNTAKEN_MAX: Final = 1000
# How long a peer may take to notice that we closed our side, before its unread bytes make a reset of it.
LINGER_S: Final = 1.0

S = TypeVar("S", bound=Stream)


class Connection(Reader, asyncio.Protocol, Generic[S]):
    """`full`: the peer does not take what it was sent. `streams` are the open ones; `window` is what all may send.

    `stream_window` is what a new one may send.
    """

    __slots__ = (
        "_linger",
        "_out",
        "_ready",
        "_receivable",
        "_untaken",
        "_use_no_table",
        "decoder",
        "ending",
        "full",
        "last",
        "stream_window",
        "streams",
        "transport",
        "window",
    )

    transport: asyncio.Transport

    def __init__(self, head_bytes_max: int) -> None:
        super().__init__(head_bytes_max)
        self.streams: dict[int, S] = {}
        # The highest stream that the peer has opened.
        self.last = 0
        # No stream begins any more.
        self.ending = False
        self.full = False
        self.window = WINDOW_DEFAULT
        self.stream_window = WINDOW_DEFAULT
        self.decoder = Decoder()
        self._use_no_table = False
        self._receivable = CONNECTION_WINDOW
        # Streams that have something to send, and a window for it; the longest waiting first.
        self._ready: dict[S, None] = {}
        self._untaken = 0
        # What is written in this turn of the event loop.
        self._out: list[bytes | memoryview] = []
        self._linger: asyncio.TimerHandle | None = None

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all that asyncio.Transport has, but do not inherit from it.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._linger is not None:
            return
        try:
            self.feed(data)
        except ConnectionFault as fault:
            self.fail(fault.code, str(fault))

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

    def write(self, data: bytes | memoryview) -> None:
        """Write at the end of this turn: a system call for each frame would be a third of the cost (bench.grpc)."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            if not self.transport.is_closing():
                self.transport.writelines(out)

    def close(self) -> None:
        """Close once all is written."""
        self._flush()
        self.transport.close()

    def write_block(self, number: int, block: bytes, flags: int) -> None:
        if self._use_no_table:
            self._use_no_table = False
            block = NO_TABLE + block
        self.write(frames.headers(number, block, flags))

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
            # Only the transport knows when it is full.
            self._flush()

    # The end.

    def fail(self, code: int, text: str) -> None:
        """Tell the peer what it did wrong, and close."""
        self.say_goaway(self.last, code, text)
        self.close_gently()

    def say_goaway(self, last: int, code: int = NO_ERROR, text: str = "") -> None:
        if not self.transport.is_closing():
            self.write(frames.goaway(last, code, text))

    def close_gently(self) -> None:
        """Close our side, and read on for a moment: a reset could overtake what was said otherwise."""
        self.ending = True
        if self.transport.is_closing() or self._linger is not None:
            return
        self._flush()
        self.transport.write_eof()
        self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)

    # Frames.

    def on_data(self, number: int, data: bytes, padding: int, ended: bool) -> None:
        size = len(data)
        self._receivable -= size + padding
        if self._receivable < CONNECTION_WINDOW // 2:
            if self._receivable < 0:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "more data than the window allows")
            self.write(frames.window_update(0, CONNECTION_WINDOW - self._receivable))
            self._receivable = CONNECTION_WINDOW
        stream = self.streams.get(number)
        if stream is None:
            self._check_closed(number)
            return
        try:
            stream.count(size, padding, ended)
        except StreamFault as fault:
            self._end(stream, fault)
            return
        stream.data_received(data, ended)

    def on_block(self, number: int, block: bytes, ended: bool) -> None:
        """One of an open stream's, or of none; those that begin something the two kinds see first."""
        fields = self.decoder.decode(block, self.head_bytes_max)
        stream = self.streams.get(number)
        if stream is None:
            self._check_closed(number)
            return
        try:
            stream.trailers_received(fields, ended)
        except StreamFault as fault:
            self._end(stream, fault)

    def on_window_update(self, number: int, size: int) -> None:
        if number:
            stream = self.streams.get(number)
            if stream is None:
                self._check_closed(number)
                return
            try:
                stream.add_window(size)
            except StreamFault as fault:
                self._end(stream, fault)
            return
        if not size:
            raise ConnectionFault(PROTOCOL_ERROR, "window update of 0")
        self.window += size
        if self.window > frames.WINDOW_MAX:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "window too large")
        self._pump()

    def on_reset(self, number: int, code: int) -> None:
        stream = self.streams.get(number)
        if stream is None:
            self._check_closed(number)
            return
        stream.close()
        stream.peer_reset(code)

    def on_settings(self, pairs: Iterable[tuple[int, int]]) -> None:
        for name, value in pairs:
            self.setting(name, value)
        self._answer(frames.frame(SETTINGS, ACK, 0))

    def on_ping(self, payload: bytes) -> None:
        self._answer(frames.frame(PING, ACK, 0, payload))

    def setting(self, name: int, value: int) -> None:
        """The peer asks for this. Raises `ConnectionFault`."""
        if name == frames.INITIAL_WINDOW_SIZE:
            if value > frames.WINDOW_MAX:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "window too large")
            by, self.stream_window = value - self.stream_window, value
            self._change_windows(by)
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
            if by <= 0:
                stream.window += by
                continue
            try:
                stream.add_window(by)
            except StreamFault as fault:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "window too large") from fault

    def _answer(self, data: bytes) -> None:
        """Write what the peer has made us write."""
        if self.full:
            self._untaken += 1
            if self._untaken > UNTAKEN_MAX:
                raise ConnectionFault(ENHANCE_YOUR_CALM, "answers are not taken")
        self.write(data)

    def _end(self, stream: S, fault: StreamFault) -> None:
        """The peer broke the rules of a stream."""
        stream.reset(fault.code)
        stream.peer_reset(fault.code)

    def _check_closed(self, number: int) -> None:
        """What comes for a stream that is not open may have been on its way when it closed."""
        if self.is_idle(number):
            raise ConnectionFault(PROTOCOL_ERROR, "a frame of a stream that never was")

    @abstractmethod
    def is_idle(self, number: int) -> bool:
        """Whether a stream has never been opened."""
