"""One exchange's stream on a connection to an app: to the exchange it is what a connection is.

Knows where the response ends; the exchange knows what that means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.exchange import BODY_AHEAD_BYTES_MAX
from activator.proxy.flow import PEER_FULL
from activator.proxy.framing import GOES_ON, Chunked, Length, request_body
from activator.proxy.http2 import frames
from activator.proxy.http2.frames import CANCEL, PROTOCOL_ERROR, REFUSED_STREAM, StreamFault
from activator.proxy.http2.heads import check_trailers
from activator.proxy.http2.stream import Stream
from activator.proxy.states import HEAD
from activator.proxy.upstream import INTERIMS_MAX

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.proxy.flow import Flow
    from activator.proxy.framing import Spans
    from activator.proxy.headers import Fields
    from activator.proxy.heads import Response
    from activator.proxy.http2.upstream import AppConnection


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

    def broken(self, error: str) -> None:
        """There will be no more of the response."""
        exchange = self._detach()
        if exchange is not None:
            exchange.broken(error)

    def cut_off(self, error: str, *, reused: bool, reset: bool) -> None:
        """The connection has closed."""
        exchange = self._detach()
        if exchange is not None:
            silent = not self.responded and not exchange.informed
            exchange.broken(error, silent=silent, reused=reused, reset=reset)

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
