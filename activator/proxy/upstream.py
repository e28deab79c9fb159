"""A connection to an app: sends a request head, reads the response and passes it on to the caller.

Knows where the response ends; the exchange knows what that means.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.flow import PEER_FULL, Flow
from activator.proxy.framing import GOES_ON, Body, Chunked, Length, Spans, UntilClose, response_body
from activator.proxy.headers import response_head
from activator.proxy.heads import HEAD_KEPT_BYTES_MAX, Response
from activator.proxy.states import HEAD

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.proxy.headers import Address, Fields
    from activator.proxy.upstreams import Upstreams

HEAD_BYTES_MAX: Final = 1024 * 1024
# Interim responses in one read; what an app has to say before its answer is a few.
INTERIMS_MAX: Final = 16


class Upstream(asyncio.Protocol):
    """`full`: the app does not take what it was sent. `exchange` is None while the connection is idle."""

    __slots__ = (
        "_body",
        "_owner",
        "_partial",
        "_response",
        "_reused",
        "_same",
        "address",
        "exchange",
        "flow",
        "full",
        "transport",
    )

    flow: Flow
    transport: asyncio.Transport

    def __init__(self, owner: Upstreams, address: Address) -> None:
        self.address = address
        self.full = False
        self._owner = owner
        # The last response's; many are like the one before.
        self._response: Response | None = None
        self._reused = False
        self.exchange: Exchange | None = None
        self._body: Body | None = None
        # The body goes on to the caller as it comes.
        self._same = True
        self._partial = b""

    def send(self, exchange: Exchange, parts: Sequence[bytes]) -> None:
        """Begin an exchange on this idle connection, with its head and what there is of its body."""
        self.exchange = exchange
        if len(parts) == 1:
            self.transport.write(parts[0])
        else:
            self.transport.writelines(parts)

    def take_body(self, data: bytes, ended: bool) -> None:
        """A piece of the request's body, of a caller that speaks HTTP/2."""
        assert self.exchange is not None
        if b"transfer-encoding" not in self.exchange.named:
            self.transport.write(data)
            return
        if data:
            self.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
        if ended:
            self.transport.write(b"0\r\n\r\n")

    def take_end(self, trailers: Fields) -> None:
        """The request's body ended with these."""
        assert self.exchange is not None
        if b"transfer-encoding" in self.exchange.named:
            self.transport.write(b"0\r\n%b\r\n" % b"".join(b"%b: %b\r\n" % pair for pair in trailers))

    def cut(self) -> None:
        """Close at once; whatever the exchange was, it is over."""
        self._detach()
        self.transport.abort()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all that asyncio.Transport has, but do not inherit from it.
        self.transport = cast(asyncio.Transport, transport)
        self.flow = Flow(self.transport)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.transport.abort()  # nobody asked
        elif self._body is not None:
            self._pass_on(exchange, data)
        else:
            self._read_head(exchange, self._partial + data if self._partial else data)

    def connection_lost(self, exc: Exception | None) -> None:
        exchange = self.exchange
        if exchange is None:
            self._owner.lost(self)
        elif exc is None and self._body is not None and isinstance(self._body, UntilClose):
            if not self._same:
                exchange.downstream.end(None)
            self._finish(exchange, reusable=False)
        else:
            silent = not self._partial and not exchange.informed
            # A reset, rather than an end, is what the system sends for bytes that the app has not read: it died
            # before, or while the connection was still in its backlog.
            reset = isinstance(exc, ConnectionResetError | BrokenPipeError)
            self._detach()
            exchange.broken(self._error(exc), silent=silent, reused=self._reused, reset=reset)

    def pause_writing(self) -> None:
        self.full = True
        if self.exchange is not None:
            self.exchange.downstream.flow.hold(PEER_FULL)

    def resume_writing(self) -> None:
        self.full = False
        if self.exchange is not None:
            self.exchange.downstream.flow.release(PEER_FULL)

    # The response.

    def _error(self, exc: Exception | None) -> str:
        """Why the connection ended, in the words of Go."""
        if not isinstance(exc, OSError) or not exc.errno:
            return str(exc) if exc else "EOF"
        return f"read tcp {self.address[0]}:{self.address[1]}: {os.strerror(exc.errno).lower()}"

    def _read_head(self, exchange: Exchange, data: bytes, interims: int = 0) -> None:
        """Pass on the head that `data` begins with, after so many interim ones in the same read."""
        response = self._response
        if response is None or not data.startswith(response.head):
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self._partial = data
                if len(data) > HEAD_BYTES_MAX:
                    self._refuse(exchange, "response headers too large")
                return
            try:
                self._response = response = Response(data[:end])
            except RemoteProtocolError as error:
                self._refuse(exchange, str(error))
                return
        if len(data) == response.whole_bytes and not self.full and exchange.takes_whole():
            self._pass_on_whole(exchange, response, data)
        elif response.status < 200:
            self._interim(exchange, response, data[len(response.head) :], interims + 1)
        else:
            self._begin(exchange, response, data)

    def _pass_on_whole(self, exchange: Exchange, response: Response, data: bytes) -> None:
        """What `_begin` and `_finish` come to for a response that is all here: most are (bench.proxy)."""
        sent = response.sent
        if sent is not response.head:
            data = sent + data[len(response.head) :]
        exchange.status = response.status
        exchange.sent_bytes += len(data)
        exchange.overhead_bytes += len(sent)
        exchange.downstream.transport.write(data)
        self.exchange = None
        self._partial = b""
        self._reused = True
        if self.flow.holds:
            self.flow.release(PEER_FULL)
        if not self._owner.put(self):
            self.transport.abort()
        exchange.ended_whole()

    def _interim(self, exchange: Exchange, response: Response, rest: bytes, interims: int) -> None:
        """Interim heads go on as they are."""
        self._partial = b""
        if interims > INTERIMS_MAX:
            self._refuse(exchange, "too many 1xx informational responses")
        elif response.status != 101:
            exchange.inform(response)
            if rest:
                self._read_head(exchange, rest, interims)
        elif exchange.upgrade:
            self.exchange = None
            exchange.switch(response.head, rest)
        else:
            self._refuse(exchange, "unexpected 101 response")

    def _begin(self, exchange: Exchange, response: Response, data: bytes) -> None:
        """Pass on the final head, and what has come of the body with it."""
        try:
            body = response_body(response.named, response.status, exchange.method)
        except RemoteProtocolError as error:
            self._refuse(exchange, str(error))
            return
        exchange.step(HEAD)
        exchange.status = response.status
        self._body = body
        self._same = self._goes_on_as_it_is(exchange, body)
        start = len(response.head)
        caller = exchange.downstream
        if caller.http2 or not self._same:
            caller.respond(exchange, response, body is None)
            if body is None:
                self._finish(exchange, reusable=start == len(data))
            else:
                self._pass_on(exchange, data, start)
            return
        added = caller.connection_line(exchange) + exchange.head_lines()
        out = response_head(response, added, type(body) is Chunked)
        exchange.overhead_bytes += len(out)
        if out is response.head and body is not None:
            self._pass_on(exchange, data, start)
        elif body is None or start == len(data):
            self._write(exchange, out)
            if body is None:
                self._finish(exchange, reusable=start == len(data))
        else:
            self._pass_on(exchange, out + data[start:], len(out))

    def _goes_on_as_it_is(self, exchange: Exchange, body: Body | None) -> bool:
        """Whether the caller's connection has the same framing for this body."""
        if exchange.downstream.http2:
            return False
        return body is None or type(body) is Length or (type(body) is Chunked and exchange.fields.version == "1.1")

    def _write(self, exchange: Exchange, data: bytes) -> None:
        exchange.sent_bytes += len(data)
        exchange.downstream.transport.write(data)

    def _pass_on(self, exchange: Exchange, data: bytes, start: int = 0) -> None:
        """Pass on a received buffer, which holds body from `start` on."""
        body = self._body
        assert body is not None
        spans: Spans | None = None if self._same else []
        try:
            end = body.feed(data, start, spans)
        except RemoteProtocolError:
            self.cut()
            exchange.broken("")
            return
        if spans is None:
            part = data if end == GOES_ON or end == len(data) else data[:end]
            self._write(exchange, part)
        else:
            self._hand_over(exchange, data, spans, end != GOES_ON)
        if end != GOES_ON:
            self._finish(exchange, reusable=end == len(data))

    def _hand_over(self, exchange: Exchange, data: bytes, spans: Spans, ended: bool) -> None:
        """Pass on what a buffer holds of the body, to a caller whose connection frames it otherwise."""
        caller = exchange.downstream
        trailers = self._body.trailers if ended and isinstance(self._body, Chunked) else None
        last = len(spans) - 1
        for number, (start, end) in enumerate(spans):
            part = data if end - start == len(data) else data[start:end]
            exchange.sent_bytes += len(part)
            caller.pass_on(part, ended and not trailers and number == last)
        if ended and (trailers or not spans):
            caller.end(trailers)

    def _finish(self, exchange: Exchange, *, reusable: bool) -> None:
        """The response is complete."""
        if type(self._body) is Chunked and self._same:
            exchange.overhead_bytes = exchange.sent_bytes - self._body.size
        # An app that answers before it has got everything may read the rest as another request.
        response = self._response
        reusable = reusable and not self.full and exchange.downstream.body is None
        reusable = reusable and response is not None and response.keep_alive
        self._detach()
        self._reused = True
        if response is not None and len(response.head) > HEAD_KEPT_BYTES_MAX:
            self._response = None
        if not (reusable and self._owner.put(self)):
            self.transport.abort()
        exchange.ended()

    def _refuse(self, exchange: Exchange, error: str) -> None:
        self.cut()
        exchange.broken(error)

    def _detach(self) -> None:
        exchange = self.exchange
        self.exchange = None
        self._body = None
        self._partial = b""
        self._same = True
        if self.flow.holds:
            self.flow.release(PEER_FULL)
        if self.full and exchange is not None:
            exchange.downstream.flow.release(PEER_FULL)
