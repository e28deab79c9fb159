"""A connection to an app that speaks HTTP/2: each stream is one exchange, and to it what a connection is.

Knows where the response ends; the exchange knows what that means.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.exchange import BODY_AHEAD_BYTES_MAX
from activator.proxy.flow import PEER_FULL
from activator.proxy.framing import GOES_ON, Chunked, Length, request_body
from activator.proxy.heads import HEAD_KEPT_BYTES_MAX
from activator.proxy.http2 import frames
from activator.proxy.http2.connection import CONNECTION_WINDOW, Connection
from activator.proxy.http2.frames import (
    CANCEL,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_ID_MAX,
    WINDOW_DEFAULT,
    ConnectionFault,
    StreamFault,
)
from activator.proxy.http2.heads import check_trailers, read_response
from activator.proxy.http2.stream import Stream
from activator.proxy.states import HEAD
from activator.proxy.upstream import HEAD_BYTES_MAX, INTERIMS_MAX

if TYPE_CHECKING:
    import asyncio

    from activator.proxy.exchange import Address, Exchange
    from activator.proxy.flow import Flow
    from activator.proxy.framing import Spans
    from activator.proxy.headers import Fields
    from activator.proxy.heads import Response
    from activator.proxy.http2.shared import Shared

# Until the app has said how many streams it takes, it gets one; if it does not say, this many.
STREAMS_BEFORE_SETTINGS: Final = 1
STREAMS_DEFAULT: Final = 1000
# Responses that are remembered for those that are the same.
KNOWN_MAX: Final = 16


class AppConnection(Connection["AppStream"]):
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
        self.transport.write(frames.PREFACE + frames.settings(settings) + window)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        error = self._error(exc)
        self._owner.lost(self, error)
        unread = isinstance(exc, ConnectionResetError | BrokenPipeError)
        self._break(error, stale=self._used, unread=unread)

    # For the frames.

    def fail(self, code: int, text: str) -> None:
        super().fail(code, text)
        self._owner.lost(self, f"http2: {text}")
        self._break(f"http2: {text}")

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

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        super()._on_settings(flags, number, payload)
        if not self.settled:
            self.settled = True
            self.streams_max = STREAMS_DEFAULT
        self._owner.changed(self)

    def goaway_received(self, last: int, code: int) -> None:
        self.ending = True
        self._owner.lost(self, f"http2: server sent GOAWAY; {frames.error_name(code)}")
        for number, stream in list(self.streams.items()):
            if number > last:
                stream.close()
                stream.refused()
        if not self.streams:
            self.transport.close()

    def block_received(self, number: int, block: bytes, ended: bool) -> None:
        stream = self.streams.get(number)
        if stream is None or stream.responded:
            fields = self.decoder.decode(block, self.head_bytes_max)
            if stream is None:
                self._check_closed(number)
            else:
                stream.trailers_received(fields, ended)
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

    def _break(self, error: str, *, stale: bool = False, unread: bool = False) -> None:
        for stream in list(self.streams.values()):
            stream.close()
            stream.broken(error, stale=stale, unread=unread)

    def _error(self, exc: Exception | None) -> str:
        """Why the connection ended, in the words of Go."""
        if not isinstance(exc, OSError) or not exc.errno:
            return str(exc) if exc else "EOF"
        return f"read tcp {self.address[0]}:{self.address[1]}: {os.strerror(exc.errno).lower()}"


class AppStream(Stream):
    """The app's side of one exchange. `responded`: its final head has come.

    `transport` takes the body of a request as it comes over HTTP/1.1. `_kept` is what the app was sent of the body,
    in case it refuses the stream; None once that is too much.
    """

    __slots__ = ("_interims", "_kept", "_kept_bytes", "responded", "transport")

    connection: AppConnection
    exchange: Exchange | None
    transport: Unframed

    def __init__(self, connection: AppConnection) -> None:
        super().__init__(connection, 0)
        self.responded = False
        self._interims = 0
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0

    # For the exchange, and for the caller's side.

    def send(self, exchange: Exchange, parts: Sequence[bytes]) -> None:
        """Begin an exchange, with its head and what there is of its body as it comes over HTTP/1.1."""
        self.exchange = exchange
        self.number = self.connection.number(self)
        self.head(parts[0], not exchange.has_body)
        if exchange.has_body and not exchange.downstream.http2:
            self.transport = Unframed(self, request_body(exchange.named, exchange.fields.version))
            for part in parts[1:]:
                self.transport.write(part)

    def take_body(self, data: bytes, ended: bool) -> None:
        """A piece of the request's body, as data."""
        self.keep(data)
        self.pass_on(data, ended)

    def take_end(self, trailers: Fields) -> None:
        """The request's body ended with these."""
        self.end(trailers)

    def keep(self, data: bytes) -> None:
        """Remember what the app is sent."""
        if self._kept is not None:
            self._kept_bytes += len(data)
            self._kept.append(data)
            if self._kept_bytes > BODY_AHEAD_BYTES_MAX:
                self._kept = None

    def cut(self) -> None:
        """The answer is not wanted any more."""
        self._detach()
        self.reset(CANCEL)

    # For the connection.

    def response_received(self, response: Response, ended: bool) -> None:
        """A head, interim or final."""
        exchange = self.exchange
        assert exchange is not None
        if response.status < 200:
            self._interims += 1
            if ended or response.status == 101 or self._interims > INTERIMS_MAX:
                self._refuse("too many 1xx informational responses, or one of them the last")
            else:
                exchange.inform(response)
            return
        self.responded = True
        self._kept = None
        if exchange.method != b"HEAD" and response.status not in (204, 304):
            self.expect(response.named.get(b"content-length"))
        if ended:
            try:
                self.ended_by_head()
            except StreamFault as fault:
                self._refuse(str(fault))
                return
        exchange.step(HEAD)
        exchange.status = response.status
        exchange.downstream.respond(exchange, response, ended)
        if ended:
            self._finish()

    def data_received(self, data: bytes, ended: bool) -> None:
        exchange = self.exchange
        if exchange is None or not self.responded:
            self._refuse("data before the response's headers")
            return
        exchange.sent_bytes += len(data)
        exchange.downstream.pass_on(data, ended)
        if ended:
            self._finish()

    def trailers_received(self, fields: Fields | None, ended: bool) -> None:
        exchange = self.exchange
        try:
            if exchange is None or fields is None or not ended or not self.receiving:
                raise RemoteProtocolError("malformed trailers")
            check_trailers(fields)
            self.ended_by_head()
        except (RemoteProtocolError, StreamFault) as error:
            self._refuse(str(error))
            return
        exchange.downstream.end(fields)
        self._finish()

    def peer_reset(self, code: int) -> None:
        if code == REFUSED_STREAM and not self.responded:
            self.refused()
        else:
            self.broken(f"stream error: stream ID {self.number}; {frames.error_name(code)}; received from peer")

    def refused(self) -> None:
        """The app says that it has not looked at the request."""
        kept = self._kept
        exchange = self._detach()
        if exchange is not None:
            exchange.refused(None if kept is None else b"".join(kept))

    def broken(self, error: str, *, stale: bool = False, unread: bool = False) -> None:
        """There will be no more of the response."""
        exchange = self._detach()
        if exchange is not None:
            silent = not self.responded and not exchange.informed
            exchange.broken(error, stale=silent and stale, unread=silent and unread)

    def _refuse(self, error: str) -> None:
        self.reset(PROTOCOL_ERROR)
        self.broken(error)

    def _finish(self) -> None:
        """The response is complete."""
        exchange = self._detach()
        if self.sending:
            # It has answered without the rest of the request.
            self.reset(CANCEL)
        else:
            self.connection.forget(self)
        if exchange is not None:
            exchange.ended()

    def _detach(self) -> Exchange | None:
        exchange, self.exchange = self.exchange, None
        self._kept = None
        if self.full and exchange is not None:
            exchange.downstream.flow.release(PEER_FULL)
        return exchange

    def _other_flow(self) -> Flow | None:
        return None if self.exchange is None else self.exchange.downstream.flow


class Unframed:
    """Takes a body as it comes over HTTP/1.1, and passes its data on to a stream."""

    __slots__ = ("_body", "_stream")

    def __init__(self, stream: AppStream, body: Length | Chunked | None) -> None:
        self._stream = stream
        self._body = body

    def write(self, data: bytes) -> None:
        """What the caller's connection has found to be of the body."""
        stream, body = self._stream, self._body
        if body is None:
            return
        stream.keep(data)
        spans: Spans = []
        end = body.feed(data, 0, spans)
        for start, stop in spans:
            stream.pass_on(data if stop - start == len(data) else data[start:stop])
        if end != GOES_ON:
            self._body = None
            stream.end(body.trailers if isinstance(body, Chunked) else None)
