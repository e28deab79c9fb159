"""One request and its answer: how it fares, and what a dispatcher may do with it.

Knows the two connections by the few calls that it makes on them; does not know sockets or bytes on a wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from activator.proxy.asked import Asked
from activator.proxy.errors import LocalProtocolError
from activator.proxy.flow import AHEAD, PEER_FULL
from activator.proxy.replies import PLAIN_ERROR, bad_gateway
from activator.proxy.states import (
    ABORT,
    CONNECTED,
    DONE,
    END,
    FORWARD,
    GONE,
    HELD,
    NEXT,
    REDIAL,
    REPLY,
    SENT,
    SWITCH,
    UNSENT,
    Event,
    State,
)
from activator.proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from activator.proxy.downstream import Downstream
    from activator.proxy.errors import RemoteProtocolError
    from activator.proxy.framing import Chunked, Length
    from activator.proxy.headers import Address
    from activator.proxy.heads import Request, Response
    from activator.proxy.http2.downstream_stream import CallerStream
    from activator.proxy.http2.shared import Shared
    from activator.proxy.http2.upstream_stream import AppStream
    from activator.proxy.upstream import Upstream
    from activator.proxy.upstreams import Dial

# What a caller may send of a body before there is a connection for it; then it is not read.
BODY_AHEAD_BYTES_MAX: Final = 64 * 1024
# A process that dies may reset a connection out of its backlog, and its successor too, but an app that reads
# requests and resets them must not be asked for ever.
RESETS_MAX: Final = 2


class Exchange(Asked):
    """One request and its answer: what becomes of it."""

    __slots__ = ("_address", "_ahead", "_body", "_dial", "_head", "_resets", "_shared", "tunnel", "upstream")

    # Where the request went last, and as what; set by `forward`.
    _address: Address
    _head: bytes

    def __init__(
        self,
        downstream: Downstream | CallerStream,
        request: Request,
        started_s: float,
        body: Length | Chunked | None = None,
    ) -> None:
        self.request = request
        self.fields = request.fields
        self.host = request.host
        self.started_s = started_s
        self._resets = 0
        # The connections that its head is made for, if they speak HTTP/2.
        self._shared: Shared | None = None
        # How it fares.
        self.state: State = HELD
        self.status = 0
        self.gone = False
        self.aborted = False
        self.hung_up = False
        self.informed = False
        self.sent_bytes = 0
        self.overhead_bytes = 0
        self.tag = None
        self.head_fields = None
        # Both sides; what waits until there is another side.
        self.downstream = downstream
        self.upstream: Upstream | AppStream | None = None
        self.tunnel: Tunnel | None = None
        self._dial: Dial | None = None
        self._ahead: bytearray | None = None
        self._body = body

    # For the dispatcher.

    def limit_body(self, bytes_max: int) -> bool:
        """Whether the request's body is larger than this already; if it gets so later, it is answered with 413."""
        if self.downstream.http2:
            return self.downstream.limit_body(bytes_max)
        return self._body is not None and self._body.limit(bytes_max)

    def forward(
        self,
        address: Address,
        *,
        set_headers: tuple[tuple[bytes, bytes], ...] = (),
        drop_headers: frozenset[bytes] = frozenset(),
        trace: bytes = b"",
        http2: bool = False,
    ) -> None:
        """Send the request to `address`, which speaks HTTP/1.1 or HTTP/2.

        Names are in lower case; `set_headers` replace all of their name. `trace` is a `traceparent` for a request
        without one.
        """
        if self.state is not HELD:
            self.step(FORWARD)  # which is not possible
        downstream = self.downstream
        self._address = address
        if http2 or downstream.http2:
            if http2:
                self._shared = shared = downstream.upstreams.shared
                self._head = shared.head(self.request, downstream.origin, address, set_headers, drop_headers, trace)
            else:
                self._head = self.request.sent_as(downstream.origin, address, set_headers, drop_headers, trace)
            self.step(FORWARD)
            self._reach()
            return
        self._head = head = self.request.sent_as(downstream.origin, address, set_headers, drop_headers, trace)
        upstream = downstream.upstreams.take(address)
        if upstream is None:
            self.step(FORWARD)
            self._dial = downstream.upstreams.dial(address, self)
        elif self._ahead is not None or downstream.full:
            self.step(FORWARD)
            self.connected(upstream)
        else:
            # What the two lines above come to: most requests go this way (bench.proxy).
            self.state = SENT
            self.upstream = upstream
            upstream.exchange = self
            upstream.transport.write(head)

    def reply(self, status: int, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Answer by ourselves; allowed until an app's response head was passed on."""
        self.step(REPLY)
        self.status = status
        self._let_go()
        size = self.downstream.answer(self, status, body, headers)
        self.sent_bytes += size
        self.overhead_bytes += size - (0 if self.method == b"HEAD" else len(body))
        self._finish()

    def abort(self) -> None:
        """Cut both sides, now."""
        self.step(ABORT)
        self.aborted = True
        self._let_go()
        self.downstream.cut()
        self._finish()

    # For the connections.

    def step(self, event: Event) -> None:
        """Go to the state that follows. Raises `LocalProtocolError`, and changes nothing, if there is none."""
        try:
            self.state = NEXT[self.state][event]
        except KeyError:
            raise LocalProtocolError(f"{event.name} is not possible in state {self.state.name}") from None

    def _reach(self) -> None:
        """Take a connection to where the request goes, or dial."""
        upstreams = self._shared or self.downstream.upstreams
        upstream = upstreams.take(self._address)
        if upstream is None:
            self._dial = upstreams.dial(self._address, self)
        else:
            self.connected(upstream)

    def connected(self, upstream: Upstream | AppStream) -> None:
        """Here is the connection: head and what has come of the body go out."""
        self.step(CONNECTED)
        self._dial = None
        self.upstream = upstream
        downstream = self.downstream
        ahead, self._ahead = self._ahead, None
        if downstream.http2:
            upstream.send(self, (self._head,))
            downstream.send_ahead(upstream, bytes(ahead or b""))
        elif ahead is None:
            upstream.send(self, (self._head,))
        else:
            upstream.send(self, (self._head, bytes(ahead)))
        downstream.flow.release(AHEAD)
        if downstream.full:
            upstream.flow.hold(PEER_FULL)

    def unsent(self, error: str) -> None:
        """There is no connection to be had."""
        self.step(UNSENT)
        self._dial = None
        self.downstream.dispatcher.on_unsent(self, error)

    def body_received(self, data: bytes) -> None:
        """A piece of the request's body came."""
        if self.upstream is not None:
            self.upstream.transport.write(data)
            return
        if self._ahead is None:
            self._ahead = bytearray()
        self._ahead += data
        if len(self._ahead) > BODY_AHEAD_BYTES_MAX:
            self.downstream.flow.hold(AHEAD)

    def inform(self, response: Response) -> None:
        """An interim response; HTTP/1.0 has none."""
        if self.fields.version == "1.1":
            self.informed = True
            size = self.downstream.inform(response)
            self.sent_bytes += size
            self.overhead_bytes += size

    def switch(self, head: bytes, rest: bytes) -> None:
        """The app agreed to speak something else; `rest` is the first of it."""
        self.step(SWITCH)
        self.status = 101
        # HTTP/2 has no upgrades.
        downstream, upstream = cast("Downstream", self.downstream), cast("Upstream", self.upstream)
        downstream.transport.write(head + rest)
        self.sent_bytes += len(head) + len(rest)
        self.overhead_bytes += len(head)
        self.tunnel = Tunnel(self, downstream, upstream)
        self.upstream = None

    def ended(self) -> None:
        """The response, or the tunnel, is complete, and its upstream connection gone or in the pool."""
        self.step(END)
        self.upstream = None
        self._finish()

    def takes_whole(self) -> bool:
        """Whether a response that is all here goes to the caller as it is, and nothing else is in progress."""
        caller = self.downstream
        plain = self.request.lasting and self.head_fields is None and not caller.server.retiring
        return plain and caller.body is None and self.state is SENT

    def ended_whole(self) -> None:
        """As `ended`, for a response that was passed on in one go: HEAD and END in one step (bench.proxy)."""
        self.state = DONE
        self.upstream = None
        downstream = self.downstream
        downstream.exchange = None
        downstream.dispatcher.on_done(self)
        downstream.next()

    def broken(self, error: str, *, silent: bool = False, reused: bool = False, reset: bool = False) -> None:
        """The answer ends too early.

        `silent`: the upstream connection has closed before anything came back. `reused`: it was an old one. `reset`:
        the app has most likely not read the request, which is sent again `RESETS_MAX` times at the most, for that is
        not certain.
        """
        self.upstream = None
        if self.state is not SENT:
            self.abort()
        elif silent and reused and self.repeatable:
            self.step(REDIAL)
            self._dial = (self._shared or self.downstream.upstreams).dial(self._address, self)
        elif silent and reset and self.repeatable and self._resets < RESETS_MAX:
            self._resets += 1
            self.step(UNSENT)
            self.downstream.dispatcher.on_unsent(self, error)
        else:
            self.hung_up = silent
            self.reply(*bad_gateway(error))

    def refused(self, sent: bytes | None) -> None:
        """The app says that it has not looked at the request, of whose body it was `sent` this; None if it is lost.

        Sent again over another connection, and if that is refused too, elsewhere.
        """
        self.upstream = None
        if sent is None or self.informed:
            self.reply(*bad_gateway("http2: request refused after part of its body was sent"))
            return
        self._ahead = bytearray(sent) if sent else None
        self._resets += 1
        if self._resets < RESETS_MAX:
            self.step(REDIAL)
            self._reach()
        else:
            self.step(UNSENT)
            self.downstream.dispatcher.on_unsent(self, "http2: request refused")

    def refuse(self, error: RemoteProtocolError) -> None:
        """The caller has sent a malformed body."""
        self.reply(error.status, f"{error}\n".encode(), PLAIN_ERROR)

    def caller_left(self) -> None:
        """The caller closed its side before the answer was complete."""
        self.step(GONE)
        self.gone = True
        self._let_go()
        self._finish()

    def _let_go(self) -> None:
        """Give up whatever is there on the app's side."""
        if self.upstream is not None:
            self.upstream.cut()
            self.upstream = None
        elif self._dial is not None:
            self._dial.exchange = None
            self._dial = None
        elif self.tunnel is not None:
            self.tunnel.cut()
        self._ahead = None

    def _finish(self) -> None:
        downstream = self.downstream
        downstream.exchange = None
        downstream.dispatcher.on_done(self)
        downstream.next()
