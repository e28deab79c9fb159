"""One request's stream on a caller's connection: to its exchange it is what a connection is.

Knows where the request ends; what becomes of it the exchange and the dispatcher know.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from activator.proxy import replies
from activator.proxy.errors import RemoteProtocolError
from activator.proxy.exchange import Exchange
from activator.proxy.framing import NO_LIMIT
from activator.proxy.http2.compression import encode
from activator.proxy.http2.frames import INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR, STREAM_CLOSED, StreamFault
from activator.proxy.http2.heads import check_trailers, response_block
from activator.proxy.http2.stream import Stream

if TYPE_CHECKING:
    import asyncio

    from activator.proxy.dispatcher import Dispatcher
    from activator.proxy.flow import Flow
    from activator.proxy.headers import Address, Fields, Origin
    from activator.proxy.heads import Request, Response
    from activator.proxy.http2.downstream import Caller
    from activator.proxy.http2.upstream_stream import AppStream
    from activator.proxy.server import ProxyServer
    from activator.proxy.upstream import Upstream
    from activator.proxy.upstreams import Upstreams


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
        """Raises `StreamFault`."""
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
