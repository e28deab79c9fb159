"""A caller's connection that speaks HTTP/2: each stream is a request, and is to its exchange what a connection is.

Knows where requests begin and end; what becomes of them the exchange and the dispatcher know.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal

from activator.proxy import replies
from activator.proxy.errors import RemoteProtocolError
from activator.proxy.exchange import Exchange
from activator.proxy.framing import NO_LIMIT
from activator.proxy.heads import HEAD_KEPT_BYTES_MAX
from activator.proxy.http2 import frames
from activator.proxy.http2.compression import encode
from activator.proxy.http2.connection import CONNECTION_WINDOW, Connection
from activator.proxy.http2.frames import (
    CANCEL,
    INTERNAL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    STREAM_ID_MAX,
    WINDOW_DEFAULT,
    StreamFault,
)
from activator.proxy.http2.heads import check_trailers, read_request, response_block
from activator.proxy.http2.stream import Stream

if TYPE_CHECKING:
    import asyncio

    from activator.proxy.downstream import Downstream
    from activator.proxy.exchange import Dispatcher
    from activator.proxy.flow import Flow
    from activator.proxy.headers import Address, Fields, Origin
    from activator.proxy.heads import Request, Response
    from activator.proxy.http2.upstream import AppStream
    from activator.proxy.server import ProxyServer
    from activator.proxy.upstream import Upstream
    from activator.proxy.upstreams import Upstreams

# spec dataplane 1.5
STREAMS_MAX: Final = 250
# Requests that are remembered for those that are the same.
KNOWN_MAX: Final = 16
PREFACE_REST: Final = b"SM\r\n\r\n"


class Caller(Connection["CallerStream"]):
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
        self.transport.write(frames.settings(settings) + window)

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

    def goaway_received(self, last: int, code: int) -> None:
        """It concerns streams that we would open."""

    def awaits_block(self) -> None:
        self.server.awaits_head(self)

    def has_block(self) -> None:
        self.server.has_head(self)

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        super()._on_settings(flags, number, payload)
        self.server.has_head(self)

    def block_received(self, number: int, block: bytes, ended: bool) -> None:
        if number > self.last and number % 2:
            self.last = number
            self._begin(number, block, ended)
            return
        stream = self.streams.get(number)
        fields = self.decoder.decode(block, self.head_bytes_max)
        if stream is None:
            self._check_closed(number)
            return
        try:
            stream.trailers_received(fields, ended)
        except StreamFault as fault:
            self.fault(stream, fault)

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
            self.transport.write(frames.rst_stream(number, REFUSED_STREAM))
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


class CallerStream(Stream):
    """One request's stream. `body` is None once all of the request has come, `trailers` what came behind its body."""

    __slots__ = ("_body_bytes", "_body_bytes_max", "body", "trailers")

    http2: Literal[True] = True
    # Never there: no bytes of HTTP/1.1 go to a stream.
    transport: asyncio.Transport
    connection: Caller
    exchange: Exchange | None

    def __init__(self, connection: Caller, number: int) -> None:
        super().__init__(connection, number)
        self.body: bool | None = None
        self.trailers: Fields | None = None
        self._body_bytes = 0
        self._body_bytes_max = NO_LIMIT

    @property
    def dispatcher(self) -> Dispatcher:
        return self.connection.server.dispatcher

    @property
    def upstreams(self) -> Upstreams:
        return self.connection.server.upstreams

    @property
    def server(self) -> ProxyServer:
        return self.connection.server

    @property
    def origin(self) -> Origin:
        return self.connection.origin

    @property
    def peer(self) -> Address:
        return self.connection.peer

    def begin(self, request: Request, ended: bool) -> None:
        """Its head came."""
        if ended:
            self.receiving = False
        else:
            self.body = True
            self.expect(request.fields.named.get(b"content-length"))
        self.exchange = exchange = Exchange(self, request, time.monotonic())
        self.connection.server.dispatcher.on_request(exchange)

    # For the connection.

    def data_received(self, data: bytes, ended: bool) -> None:
        if ended:
            self.body = None
        exchange = self.exchange
        if exchange is None:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._body_bytes_max:
            error = RemoteProtocolError(f"request body larger than {self._body_bytes_max} bytes", 413)
            if exchange.status:
                exchange.abort()
            else:
                exchange.refuse(error)
        elif exchange.upstream is None:
            exchange.body_received(data)
        else:
            exchange.upstream.take_body(data, ended)

    def trailers_received(self, fields: Fields | None, ended: bool) -> None:
        """A header block behind the first. Raises `StreamFault`."""
        if not self.receiving:
            raise StreamFault(STREAM_CLOSED, "headers behind the end")
        if not ended or fields is None:
            raise StreamFault(PROTOCOL_ERROR, "headers within a body, or too large")
        try:
            check_trailers(fields)
        except RemoteProtocolError as error:
            raise StreamFault(PROTOCOL_ERROR, str(error)) from error
        self.ended_by_head()
        self.body = None
        self.trailers = fields
        if self.exchange is not None and self.exchange.upstream is not None:
            self.exchange.upstream.take_end(fields)

    def peer_reset(self, code: int) -> None:
        if self.exchange is not None:
            self.exchange.caller_left()

    # For the exchange, and for the app's side.

    def limit_body(self, bytes_max: int) -> bool:
        """Whether the request says that its body is larger than this; else it is refused if it gets so."""
        assert self.exchange is not None
        self._body_bytes_max = bytes_max
        length = self.exchange.fields.named.get(b"content-length")
        return length is not None and int(length) > bytes_max

    def send_ahead(self, upstream: Upstream | AppStream, data: bytes) -> None:
        """Here is the other side: what came of the body so far goes there."""
        ended = self.body is None
        if data or (ended and self.trailers is None):
            upstream.take_body(data, ended and self.trailers is None)
        if self.trailers is not None:
            upstream.take_end(self.trailers)

    def answer(self, exchange: Exchange, status: int, body: bytes, headers: replies.Headers) -> int:
        """Write a whole response of ours; returns its size."""
        return self.write_answer(status, body, headers, bodyless=exchange.method == b"HEAD")

    def write_answer(self, status: int, body: bytes, headers: replies.Headers, *, bodyless: bool) -> int:
        pairs = [(b":status", b"%d" % status), *((name.lower(), value) for name, value in headers)]
        if status not in (204, 304):
            pairs.append((b"content-length", b"%d" % len(body)))
        block = encode(pairs)
        self.head(block, bodyless or not body)
        if not bodyless:
            self.pass_on(body, True)
        return len(block) + len(body)

    def inform(self, response: Response) -> int:
        """An interim response; returns its size."""
        block = response_block(response)
        self.head(block, False)
        return len(block)

    def respond(self, exchange: Exchange, response: Response, ended: bool) -> None:
        """The app's final head; `ended`: it is all."""
        block = response_block(response)
        if exchange.head_fields is not None:
            block += encode(exchange.head_fields())
        exchange.sent_bytes += len(block)
        exchange.overhead_bytes += len(block)
        self.head(block, ended)

    def cut(self) -> None:
        """Break off, so that the caller sees that its answer is not complete."""
        self.reset(INTERNAL_ERROR)

    def next(self) -> None:
        """The exchange is over; the stream closes when the caller has got everything."""

    def _other_flow(self) -> Flow | None:
        if self.exchange is None or self.exchange.upstream is None:
            return None
        return self.exchange.upstream.flow

    def _sent_all(self) -> None:
        if self.receiving:
            # What is still to come of the request is wanted by nobody (RFC 9113 section 8.1).
            self.sending = False
            self.reset(NO_ERROR)
        else:
            super()._sent_all()
