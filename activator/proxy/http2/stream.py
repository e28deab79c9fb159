"""One stream of a connection: what it may send and receive, and what waits to be sent.

Knows windows and frames; what the data mean, its two kinds (downstream, upstream) know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from activator.proxy.flow import PEER_FULL, Flow
from activator.proxy.http2 import frames
from activator.proxy.http2.compression import encode
from activator.proxy.http2.frames import (
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_BYTES_MAX,
    PROTOCOL_ERROR,
    STREAM_CLOSED,
    WINDOW_DEFAULT,
    StreamFault,
)

if TYPE_CHECKING:
    from activator.proxy.headers import Fields
    from activator.proxy.http2.connection import Connection

# Below this, the peer is told that it may send more.
WINDOW_LOW: Final = WINDOW_DEFAULT // 2


class Stream(ABC):
    """`full`: what is to be sent waits for the peer. `receiving`, `sending`: the peer's half is open, and ours.

    `flow` is whether the peer gets to send more. It is not told of more than the other side of the exchange has
    taken, so what is in memory of a stream is a window at the most, and as much of what waits to be sent.
    """

    __slots__ = (
        "_expected",
        "_last_block",
        "_queue",
        "_receivable",
        "connection",
        "exchange",
        "flow",
        "full",
        "number",
        "receiving",
        "sending",
        "window",
    )

    def __init__(self, connection: Connection[Any], number: int) -> None:
        self.connection = connection
        self.number = number
        self.exchange: Any = None
        self.flow = Flow(self)
        self.full = False
        self.receiving = True
        self.sending = True
        # What the peer lets us send, and what we let it.
        self.window = connection.stream_window
        self._receivable = WINDOW_DEFAULT
        # Of the body that comes in, so far as its length was told; -1 if it was not.
        self._expected = -1
        # What waits: pieces of data, and with what it ends: None for not yet, b"" for the last piece, trailers.
        self._queue: deque[bytes | memoryview] = deque()
        self._last_block: bytes | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number} window {self.window} queued {len(self._queue)}>"

    # Receiving.

    def expect(self, length: bytes | None) -> None:
        """The body's length as its head has it."""
        self._expected = -1 if length is None else int(length)

    def count(self, size: int, padding: int, ended: bool) -> None:
        """So much data came in. Raises `StreamFault`."""
        if not self.receiving:
            raise StreamFault(STREAM_CLOSED, "data behind the end")
        self._receivable -= size + padding
        if self._receivable < 0:
            raise StreamFault(FLOW_CONTROL_ERROR, "more data than the window allows")
        if self._expected >= 0:
            self._expected -= size
            if self._expected < 0 or (ended and self._expected):
                raise StreamFault(PROTOCOL_ERROR, "body and content-length differ")
        if ended:
            self.receiving = False
        elif self._receivable < WINDOW_LOW and not self.flow.holds:
            self._grant()

    def ended_by_head(self) -> None:
        """A header block was the last of the peer's half. Raises `StreamFault`."""
        self.receiving = False
        if self._expected > 0:
            raise StreamFault(PROTOCOL_ERROR, "body and content-length differ")

    def pause_reading(self) -> None:  # noqa: B027 - nothing is to be done for it
        """For `flow`: the window is not renewed from now on."""

    def resume_reading(self) -> None:
        if self.receiving and self._receivable < WINDOW_LOW:
            self._grant()

    def _grant(self) -> None:
        self.connection.write(frames.window_update(self.number, WINDOW_DEFAULT - self._receivable))
        self._receivable = WINDOW_DEFAULT

    # Sending.

    def head(self, block: bytes, ended: bool) -> None:
        """Send a header block."""
        self.connection.write_block(self.number, block, END_STREAM if ended else 0)
        if ended:
            self._sent_all()

    def pass_on(self, data: bytes, ended: bool = False) -> None:
        """Send data, now or when the peer takes it."""
        if not self.sending or self._last_block is not None:
            return
        size = len(data)
        connection = self.connection
        if self._queue or connection.full or not 0 < size <= min(self.window, connection.window, FRAME_BYTES_MAX):
            self._enqueue(data, ended)
            return
        self.window -= size
        connection.window -= size
        connection.write(frames.data_head(size, END_STREAM if ended else 0, self.number))
        connection.write(data)
        if ended:
            self._sent_all()

    def end(self, trailers: Fields | None) -> None:
        """That was all."""
        if not self.sending or self._last_block is not None:
            return
        block = encode(trailers) if trailers else b""
        if self._queue:
            self._last_block = block
        else:
            self._end_with(block)

    def send_piece(self) -> bool:
        """One frame of what waits, as far as there is a window for it; whether more could go."""
        connection = self.connection
        data = self._queue[0]
        size = min(len(data), self.window, connection.window, FRAME_BYTES_MAX)
        if size < len(data):
            self._queue[0] = memoryview(data)[size:]
            data = memoryview(data)[:size]
        else:
            self._queue.popleft()
        self.window -= size
        connection.window -= size
        last = not self._queue and self._last_block == b""
        connection.write(frames.data_head(size, END_STREAM if last else 0, self.number))
        connection.write(data)
        if not self._queue:
            self._drained(last)
        return bool(self._queue) and self.window > 0

    def add_window(self, size: int) -> None:
        """The peer takes so much more. Raises `StreamFault`."""
        if not size:
            raise StreamFault(PROTOCOL_ERROR, "window update of 0")
        self.window += size
        if self.window > frames.WINDOW_MAX:
            raise StreamFault(FLOW_CONTROL_ERROR, "window too large")
        if self._queue and self.window > 0:
            self.connection.wakes(self)

    def reset(self, code: int) -> None:
        """End both halves now, and tell the peer."""
        if self.sending or self.receiving:
            self.connection.write(frames.rst_stream(self.number, code))
        self.close()

    def close(self) -> None:
        """Nothing comes or goes any more."""
        self.sending = self.receiving = False
        self._queue.clear()
        self.connection.forget(self)

    def _enqueue(self, data: bytes, ended: bool) -> None:
        if data:
            self._queue.append(data)
            if not self.full:
                self.full = True
                self._hold_peer(True)
            if ended:
                self._last_block = b""
            if self.window > 0:
                self.connection.wakes(self)
        elif ended:
            self.end(None)

    def _end_with(self, block: bytes) -> None:
        if block:
            self.connection.write_block(self.number, block, END_STREAM)
        else:
            self.connection.write(frames.data_head(0, END_STREAM, self.number))
        self._sent_all()

    def _drained(self, last: bool) -> None:
        self.full = False
        if last:
            self._sent_all()
        elif self._last_block is not None:
            self._end_with(self._last_block)
        else:
            self._hold_peer(False)

    def _hold_peer(self, hold: bool) -> None:
        """Stop the other side of the exchange, or let it go on."""
        other = self._other_flow()
        if other is not None:
            other.hold(PEER_FULL) if hold else other.release(PEER_FULL)

    @abstractmethod
    def _other_flow(self) -> Flow | None: ...

    def _sent_all(self) -> None:
        self.sending = False
        if not self.receiving:
            self.connection.forget(self)

    # For the connection.

    @abstractmethod
    def data_received(self, data: bytes, ended: bool) -> None: ...

    @abstractmethod
    def trailers_received(self, fields: Fields | None, ended: bool) -> None:
        """A header block behind the first one of the peer's; None for a list that is too large."""

    @abstractmethod
    def peer_reset(self, code: int) -> None:
        """The peer has ended the stream."""
