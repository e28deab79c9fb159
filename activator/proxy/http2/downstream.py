"""A caller's connection that speaks HTTP/2: its streams are the requests.

Knows where requests begin; what becomes of them their streams, the exchange and the dispatcher know.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from activator.proxy import replies
from activator.proxy.errors import RemoteProtocolError
from activator.proxy.heads import HEAD_KEPT_BYTES_MAX
from activator.proxy.http2 import frames
from activator.proxy.http2.connection import CONNECTION_WINDOW, Connection
from activator.proxy.http2.downstream_stream import CallerStream
from activator.proxy.http2.frames import (
    CANCEL,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_ID_MAX,
    WINDOW_DEFAULT,
)
from activator.proxy.http2.heads import read_request

if TYPE_CHECKING:
    from activator.proxy.downstream import Downstream
    from activator.proxy.headers import Address, Origin
    from activator.proxy.heads import Request
    from activator.proxy.server import ProxyServer

# spec dataplane 1.5
STREAMS_MAX: Final = 250
# Requests that are remembered for those that are the same.
KNOWN_MAX: Final = 16
PREFACE_REST: Final = b"SM\r\n\r\n"


class Caller(Connection[CallerStream]):
    """One connection of a caller."""

    __slots__ = ("_active_s", "_known", "_known_changes", "_last", "_preface", "_retired", "origin", "peer", "server")

    def __init__(self, before: Downstream) -> None:
        """Takes over from `before`, which has read the preface as far as it looks like a head of HTTP/1."""
        super().__init__(before.server.head_bytes_max)
        self.server: ProxyServer = before.server
        self.peer: Address = before.peer
        self.origin: Origin = before.origin
        self._preface = PREFACE_REST
        # Requests by header block, and whether that ends them: the same until the decoder's table changes.
        self._known: dict[tuple[bytes, bool], Request] = {}
        self._known_changes = 0
        self._last: Request | None = None
        # When it was last seen to have a stream.
        self._active_s = time.monotonic()
        self._retired = False
        self.connection_made(before.transport)
        self.server.joined(self)
        self.server.awaits_head(self)
        settings = (
            (frames.MAX_CONCURRENT_STREAMS, STREAMS_MAX),
            (frames.MAX_HEADER_LIST_SIZE, min(self.head_bytes_max, 2**32 - 1)),
        )
        window = frames.window_update(0, CONNECTION_WINDOW - WINDOW_DEFAULT)
        self.write(frames.settings(settings) + window)

    # Called by the event loop.

    def data_received(self, data: bytes) -> None:
        if self._preface:
            begin = data[: len(self._preface)]
            if not self._preface.startswith(begin):
                self.transport.abort()  # not HTTP/2, and no head of HTTP/1 either
                return
            self._preface = self._preface[len(begin) :]
            data = data[len(begin) :]
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.server.left(self)
        self._leave()

    # For the server.

    def retire(self) -> None:
        """New requests go elsewhere, as soon as the caller has read this."""
        if not self._retired:
            self._retired = True
            self.say_goaway(STREAM_ID_MAX)

    def drain(self) -> None:
        """What has begun may finish; nothing else is answered."""
        self.ending = True
        self.say_goaway(self.last)
        if not self.streams:
            self.close_gently()

    def close_if_idle(self, now_s: float, idle_s: float) -> None:
        """Close if it has had no stream for `idle_s`; called now and then."""
        if self.streams:
            self._active_s = now_s
        elif now_s - self._active_s >= idle_s:
            self.drain()

    def abort(self) -> None:
        """Close now, whatever is in progress."""
        for stream in list(self.streams.values()):
            if stream.exchange is not None:
                stream.exchange.abort()
        self.transport.abort()

    def cut_tunnel(self) -> None:
        """There are none."""

    # For the frames.

    def fail(self, code: int, text: str) -> None:
        super().fail(code, text)
        self._leave()

    def emptied(self) -> None:
        if self.ending:
            self.close_gently()

    def is_idle(self, number: int) -> bool:
        return number > self.last or not number % 2

    def on_goaway(self, last: int, code: int) -> None:
        """It concerns streams that we would open."""

    def awaits_block(self) -> None:
        self.server.awaits_head(self)

    def has_block(self) -> None:
        self.server.has_head(self)

    def on_settings(self, pairs: Iterable[tuple[int, int]]) -> None:
        super().on_settings(pairs)
        self.server.has_head(self)

    def on_block(self, number: int, block: bytes, ended: bool) -> None:
        if number > self.last and number % 2:
            self.last = number
            self._begin(number, block, ended)
        else:
            super().on_block(number, block, ended)

    def _begin(self, number: int, block: bytes, ended: bool) -> None:
        stream = CallerStream(self, number)
        try:
            request = self._request(block, ended)
        except RemoteProtocolError as error:
            if not self.ending:
                self._refuse(stream, error, ended)
            return
        if self.ending:
            return  # GOAWAY has told so
        if len(self.streams) >= STREAMS_MAX:
            self.spend()
            self.write(frames.rst_stream(number, REFUSED_STREAM))
            return
        if self.server.retiring:
            self.retire()
        self.streams[number] = stream
        self._active_s = time.monotonic()
        stream.begin(request, ended)

    def _request(self, block: bytes, ended: bool) -> Request:
        known = self._known
        request = known.get((block, ended))
        if request is not None:
            return request
        fields = self.decoder.decode(block, self.head_bytes_max)
        changed = self.decoder.changes != self._known_changes
        if changed:
            known.clear()
            self._known_changes = self.decoder.changes
        if fields is None:
            raise RemoteProtocolError("request header too large", 431)
        server = self.server
        # Four of them are the request line.
        if len(fields) - 4 > server.headers_max:
            raise RemoteProtocolError(f"more than {server.headers_max} header lines", 431)
        request = read_request(fields, ended, self._last)
        if len(request.target) > server.target_bytes_max:
            raise RemoteProtocolError(f"request target longer than {server.target_bytes_max} bytes", 414)
        if len(request.head) > HEAD_KEPT_BYTES_MAX:
            return request
        self._last = request
        if not changed:
            if len(known) >= KNOWN_MAX:
                known.clear()
            known[block, ended] = request
        return request

    def _refuse(self, stream: CallerStream, error: RemoteProtocolError, ended: bool) -> None:
        """A request that cannot be read: a malformed one is reset (RFC 9113 section 8.1.1)."""
        self.spend()
        if error.status == 400:
            stream.reset(PROTOCOL_ERROR)
            return
        self.streams[stream.number] = stream
        stream.receiving = not ended
        stream.write_answer(*replies.refused(error), bodyless=False)

    def _leave(self) -> None:
        for stream in list(self.streams.values()):
            stream.close()
            stream.peer_reset(CANCEL)
