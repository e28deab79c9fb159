"""A caller's connection: reads requests, one exchange at a time. What it writes is in `answering`.

Knows where requests begin and end; what becomes of them the exchange and the dispatcher know.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Literal, cast

from activator.proxy import replies
from activator.proxy.answering import DRAIN_BYTES_MAX, Answering
from activator.proxy.errors import RemoteProtocolError
from activator.proxy.exchange import Exchange
from activator.proxy.flow import AHEAD, PEER_FULL, Flow
from activator.proxy.framing import Chunked, Length, request_body
from activator.proxy.headers import NO_NAMES, Address, Origin
from activator.proxy.heads import HEAD_KEPT_BYTES_MAX, HTTP2_HEAD, Request, read_request
from activator.proxy.inbox import Inbox, is_one_head, too_large
from activator.proxy.states import TUNNEL

if TYPE_CHECKING:
    from activator.proxy.server import ProxyServer

# How long a caller may take to notice that we closed our side, before its unread bytes make a reset of it.
LINGER_S: Final = 1.0
# What may arrive behind a request before its answer is complete; then the connection is not read.
AHEAD_BYTES_MAX: Final = 64 * 1024
NOBODY: Final = Origin(b"", NO_NAMES)


class Downstream(Answering):
    """`full`: the caller does not take what it was sent. `body` is what is still to come of the request's.

    `active_s`: when the last request began, or something else was last seen to be going on.
    """

    __slots__ = (
        "_awaited",
        "_drain_left",
        "_inbox",
        "_known",
        "_linger",
        "_taking",
        "active_s",
        "dispatcher",
        "exchange",
        "flow",
        "full",
        "origin",
        "peer",
        "upstreams",
    )

    http2: Literal[False] = False
    flow: Flow

    def __init__(self, server: ProxyServer) -> None:
        self.server = server
        self.dispatcher = server.dispatcher
        self.upstreams = server.upstreams
        self.peer: Address = ("", 0)
        self.origin = NOBODY
        self.full = False
        self.exchange: Exchange | None = None
        self.body: Length | Chunked | None = None
        self._inbox = Inbox(server.head_bytes_max)
        # The last request, if it was not too large: many are like the one before.
        self._known: Request | None = None
        self._awaited = False
        self._linger: asyncio.TimerHandle | None = None
        self._taking = False
        self._closes = False
        self._chunks = False
        self._drain_left = 0
        self.active_s = time.monotonic()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all that asyncio.Transport has, but do not inherit from it.
        self.transport = cast(asyncio.Transport, transport)
        self.flow = Flow(self.transport, self.server.hangups)
        host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.comes_from((host.removeprefix("::ffff:"), port))
        self.server.joined(self)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        inbox = self._inbox
        if self.body is not None:
            self._body_received(data)
        elif self.exchange is None and not self._taking and not self.full and not self._closes:
            known = self._known
            alike = known is not None and data == known.head
            if not inbox.data and inbox.partial is None and (alike or is_one_head(data)):
                self._begin(data)  # as `_take` would, a little later (bench.proxy)
            else:
                inbox.data += data
                self._take()
        elif not self._closes or self.exchange is not None:
            inbox.data += data
            if len(inbox.data) > AHEAD_BYTES_MAX:
                self.flow.hold(AHEAD)

    def eof_received(self) -> None:
        # As the reference has it, a caller that ends its side does not want the answer any more.
        self._closes = True
        if self.exchange is not None:
            self.exchange.caller_left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closes = True
        self.left()
        if self.exchange is not None:
            self.exchange.caller_left()

    def pause_writing(self) -> None:
        self.full = True
        if self.exchange is not None and self.exchange.upstream is not None:
            self.exchange.upstream.flow.hold(PEER_FULL)

    def resume_writing(self) -> None:
        self.full = False
        if self.exchange is None:
            self._take()
        elif self.exchange.upstream is not None:
            self.exchange.upstream.flow.release(PEER_FULL)

    # For the server.

    def retire(self) -> None:
        """Each answer says that it is the last, as long as the server is retiring."""

    def cut_tunnel(self) -> None:
        """Close now, if it carries another protocol."""
        if self.exchange is not None and self.exchange.state is TUNNEL:
            self.abort()

    def comes_from(self, peer: Address) -> None:
        """Who the caller is; before its first request."""
        trust = self.server.trust
        self.peer = peer
        self.origin = Origin(peer[0].encode(), NO_NAMES if trust is None else trust.dropped(peer[0]))

    def drain(self) -> None:
        """Close now if nothing is in progress; else the answer in progress is the last."""
        if self.exchange is None and self._inbox.partial is None:
            self.transport.close()

    def close_if_idle(self, now_s: float, idle_s: float) -> None:
        """Close if nothing has gone on for `idle_s`; called now and then."""
        if self.exchange is not None:
            self.active_s = now_s
        elif now_s - self.active_s >= idle_s:
            self.transport.close()

    def abort(self) -> None:
        """Close now, whatever is in progress."""
        if self.exchange is not None:
            self.exchange.abort()
        else:
            self.transport.abort()

    def left(self) -> None:
        """The connection is closed: the server need not know of it any more."""
        self.server.left(self)
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    # For the exchange.

    def cut(self) -> None:
        """Close at once, so that the caller sees that its answer is not complete."""
        self._closes = True
        self.transport.abort()

    def next(self) -> None:
        """The exchange is over: what came behind it, or the end."""
        if self.body is not None:
            if self._closes:
                self._close_gently()
            else:
                self._drain_left = DRAIN_BYTES_MAX
                self.flow.release(AHEAD)
        elif self._closes or self.server.draining:
            self.transport.close()
        elif self._inbox.data:
            self._take()
        elif self.flow.holds:
            self.flow.release(AHEAD)

    def handed_over(self) -> bytes:
        """This connection is a tunnel's from now on; returns what was read ahead."""
        self._closes = True
        self.flow.hangups = None  # who has ended his side of a tunnel still receives
        data, self._inbox.data = self._inbox.data, b""
        return data

    # Heads.

    def _take(self) -> None:
        """Begin with the requests that were received, as far as each can be answered at once.

        A loop, not a recursion through `next`: a caller may send any number of requests in one go.
        """
        if self._taking:
            return
        inbox = self._inbox
        self._taking = True
        while inbox.data and self.exchange is None and self.body is None and not self.full and not self._closes:
            try:
                head = inbox.take_head()
            except RemoteProtocolError as error:
                self._refuse(error)
                break
            if head is not None:
                self._begin(head)
            elif inbox.partial is not None:
                self._await_head()
        self._taking = False
        if self.flow.holds and len(inbox.data) <= AHEAD_BYTES_MAX:
            self.flow.release(AHEAD)

    def _begin(self, head: bytes) -> None:
        """A head came whole."""
        if self._awaited:
            self._awaited = False
            self.server.has_head(self)
        known = self._known
        early, body = b"", None
        try:
            request = known if known is not None and head == known.head else self._read(head, known)
            if request.fields.has_body:
                self.body = body = request_body(request.fields.named, request.fields.version)
                early = self._next_of_body()
        except RemoteProtocolError as error:
            if head == HTTP2_HEAD and known is None:
                self._speak_http2()
            else:
                self._refuse(error)
            return
        self.active_s = time.monotonic()
        self.exchange = exchange = Exchange(self, request, self.active_s, body)
        if early:
            exchange.body_received(early)
        self.dispatcher.on_request(exchange)

    def _read(self, head: bytes, known: Request | None) -> Request:
        size = len(head)
        server = self.server
        if size > server.head_bytes_max:
            raise too_large(head)
        # Before they are read: a megabyte of one-letter lines takes a while.
        if head.count(b"\n") - 2 > server.headers_max:
            raise RemoteProtocolError(f"more than {server.headers_max} header lines", 431)
        request = read_request(head, known)
        if len(request.target) > server.target_bytes_max:
            raise RemoteProtocolError(f"request target longer than {server.target_bytes_max} bytes", 414)
        self._known = request if size <= HEAD_KEPT_BYTES_MAX else None
        return request

    def _speak_http2(self) -> None:
        """The caller does; its connection is another object's from now on."""
        from activator.proxy.http2.downstream import Caller

        self._closes = True
        data, self._inbox.data = self._inbox.data, b""
        caller = Caller(self)
        self.transport.set_protocol(caller)
        self.left()
        if data:
            caller.data_received(data)

    def _await_head(self) -> None:
        if not self._awaited:
            self._awaited = True
            self.server.awaits_head(self)

    def _refuse(self, error: RemoteProtocolError) -> None:
        """Nothing that follows can be read with any certainty."""
        self.body = None
        self._inbox.data = b""
        self.transport.write(replies.refusal(error))
        self._close_gently()

    # Bodies.

    def _body_received(self, data: bytes) -> None:
        if self._linger is not None:
            return  # nobody listens any more
        self._inbox.data = data
        try:
            data = self._next_of_body()
        except RemoteProtocolError as error:
            self._break_off(error)
            return
        if self.exchange is not None:
            self.exchange.body_received(data)
        elif not self._closes:
            self._drain(len(data))

    def _next_of_body(self) -> bytes:
        """Take from the inbox what belongs to the body, which is None once it has ended."""
        assert self.body is not None
        if not self._inbox.data:
            return b""
        data, ended = self._inbox.take_body(self.body)
        if ended:
            self.body = None
        return data

    def _break_off(self, error: RemoteProtocolError) -> None:
        """The body of the request in progress is malformed: so far as nothing was answered, say so."""
        exchange = self.exchange
        self._closes = True
        self._inbox.data = b""
        if exchange is None:
            self.transport.close()
        elif exchange.status:
            exchange.abort()
        else:
            exchange.refuse(error)

    def _drain(self, size: int) -> None:
        """Read on, to the end of a body that nobody wants."""
        self._drain_left -= size
        if self.body is None:
            self.next()
        elif self._drain_left < 0:
            self._close_gently()

    def _close_gently(self) -> None:
        """Close our side and read on for a moment: a reset could overtake the answer otherwise."""
        self._closes = True
        self.flow.release(AHEAD)
        if self.transport.is_closing() or self._linger is not None:
            return
        if not self.transport.can_write_eof():  # TLS ends both ways at once
            self.transport.close()
            return
        self.transport.write_eof()
        self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)
