"""A connection to an app that speaks HTTP/2, shared by many exchanges: each has a stream of it.

Knows which streams there may be; what comes on them they know themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.heads import HEAD_KEPT_BYTES_MAX
from activator.proxy.http2 import frames
from activator.proxy.http2.connection import CONNECTION_WINDOW, Connection
from activator.proxy.http2.frames import PROTOCOL_ERROR, STREAM_ID_MAX, WINDOW_DEFAULT, ConnectionFault
from activator.proxy.http2.heads import read_response
from activator.proxy.http2.upstream_stream import AppStream
from activator.proxy.upstream import HEAD_BYTES_MAX

if TYPE_CHECKING:
    import asyncio

    from activator.proxy.headers import Address
    from activator.proxy.heads import Response
    from activator.proxy.http2.shared import Shared

# Until the app has said how many streams it takes, it gets one; if it does not say, this many.
STREAMS_BEFORE_SETTINGS: Final = 1
STREAMS_DEFAULT: Final = 1000
# Responses that are remembered for those that are the same.
KNOWN_MAX: Final = 16


class AppConnection(Connection[AppStream]):
    """`idle_since_s`: when its last stream ended. `streams_max`: how many the app takes at a time."""

    __slots__ = (
        "_known",
        "_known_changes",
        "_next",
        "_owner",
        "_used",
        "address",
        "idle_since_s",
        "settled",
        "streams_max",
    )

    def __init__(self, owner: Shared, address: Address) -> None:
        super().__init__(HEAD_BYTES_MAX)
        self.address = address
        self.streams_max = STREAMS_BEFORE_SETTINGS
        self.settled = False
        self.idle_since_s = 0.0
        self._owner = owner
        self._next = 1
        self._used = False
        # Responses by header block: the same until the decoder's table changes.
        self._known: dict[bytes, Response] = {}
        self._known_changes = 0

    @property
    def available(self) -> bool:
        """Whether another stream may begin."""
        return len(self.streams) < self.streams_max and not self.ending and not self.transport.is_closing()

    def open(self) -> AppStream:
        """A stream for an exchange; its number is set when its head is sent, for they must begin in order."""
        return AppStream(self)

    def number(self, stream: AppStream) -> int:
        """The next stream's number."""
        number = self._next
        self._next += 2
        if self._next > STREAM_ID_MAX:
            self.ending = True
        self.streams[number] = stream
        return number

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        settings = ((frames.ENABLE_PUSH, 0), (frames.MAX_HEADER_LIST_SIZE, self.head_bytes_max))
        window = frames.window_update(0, CONNECTION_WINDOW - WINDOW_DEFAULT)
        self.write(frames.PREFACE + frames.settings(settings) + window)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        error = self._error(exc)
        self._owner.lost(self, error)
        for stream in self._closed_streams():
            stream.cut_off(error, reused=self._used, reset=isinstance(exc, ConnectionResetError | BrokenPipeError))

    # For the frames.

    def fail(self, code: int, text: str) -> None:
        super().fail(code, text)
        self._owner.lost(self, f"http2: {text}")
        for stream in self._closed_streams():
            stream.broken(f"http2: {text}")

    def emptied(self) -> None:
        self._owner.emptied(self)

    def is_idle(self, number: int) -> bool:
        return number >= self._next or not number % 2

    def spend(self) -> None:
        """An app is not out to harm us, and what it resets are its own answers."""

    def setting(self, name: int, value: int) -> None:
        if name == frames.MAX_CONCURRENT_STREAMS:
            self.streams_max = value
            self.settled = True
        elif name == frames.ENABLE_PUSH and value:
            raise ConnectionFault(PROTOCOL_ERROR, "push is not an app's to ask for")
        else:
            super().setting(name, value)

    def on_settings(self, pairs: Iterable[tuple[int, int]]) -> None:
        super().on_settings(pairs)
        if not self.settled:
            self.settled = True
            self.streams_max = STREAMS_DEFAULT
        self._owner.changed(self)

    def on_goaway(self, last: int, code: int) -> None:
        self.ending = True
        self._owner.lost(self, f"http2: server sent GOAWAY; {frames.error_name(code)}")
        for number, stream in list(self.streams.items()):
            if number > last:
                stream.close()
                stream.refused()
        if not self.streams:
            self.close()

    def on_block(self, number: int, block: bytes, ended: bool) -> None:
        stream = self.streams.get(number)
        if stream is None or stream.responded:
            super().on_block(number, block, ended)
            return
        try:
            response = self._response(block)
        except RemoteProtocolError as error:
            stream.reset(PROTOCOL_ERROR)
            stream.broken(str(error))
            return
        self._used = True
        stream.response_received(response, ended)

    def _response(self, block: bytes) -> Response:
        response = self._known.get(block)
        if response is not None:
            return response
        fields = self.decoder.decode(block, self.head_bytes_max)
        changed = self.decoder.changes != self._known_changes
        if changed:
            self._known.clear()
            self._known_changes = self.decoder.changes
        if fields is None:
            raise RemoteProtocolError("response headers too large", 502)
        response = read_response(fields)
        if not changed and len(response.head) <= HEAD_KEPT_BYTES_MAX:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[block] = response
        return response

    def _closed_streams(self) -> Iterator[AppStream]:
        for stream in list(self.streams.values()):
            stream.close()
            yield stream

    def _error(self, exc: Exception | None) -> str:
        """Why the connection ended, in the words of Go."""
        if not isinstance(exc, OSError) or not exc.errno:
            return str(exc) if exc else "EOF"
        return f"read tcp {self.address[0]}:{self.address[1]}: {os.strerror(exc.errno).lower()}"
