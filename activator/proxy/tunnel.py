"""After a 101: bytes pass both ways as they come. Knows two connections, not what they speak."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from activator.proxy.flow import AHEAD, PEER_FULL, Flow

if TYPE_CHECKING:
    from activator.proxy.downstream import Downstream
    from activator.proxy.exchange import Exchange
    from activator.proxy.upstream import Upstream


class Tunnel:
    """Takes over the connections of an exchange, and ends it when both are closed.

    A caller that ends its sending still receives. An app that does is taken for closed: if it is, there is no
    other sign of it while the caller is silent. A side that closes takes the other with it, once that has got
    all that was sent to it.
    """

    __slots__ = ("_downstream", "_exchange", "_open", "app", "caller")

    def __init__(self, exchange: Exchange, downstream: Downstream, upstream: Upstream) -> None:
        self._exchange: Exchange | None = exchange
        self._downstream = downstream
        self._open = 2
        self.caller = Side(self, downstream.transport, downstream.flow)
        self.app = Side(self, upstream.transport, upstream.flow)
        self.caller.other, self.app.other = self.app, self.caller
        downstream.transport.set_protocol(self.caller)
        upstream.transport.set_protocol(self.app)
        early = downstream.handed_over()
        if early:
            self.app.transport.write(early)
        downstream.flow.release(AHEAD)

    def passed(self, side: Side, size: int) -> None:
        """Bytes came in from `side`."""
        if self._exchange is not None and side is self.app:
            self._exchange.sent_bytes += size

    def closed(self, side: Side) -> None:
        """One side is closed: so is the other, when it has got everything."""
        self._open -= 1
        exchange = self._exchange
        if side is self.caller and exchange is not None:
            self._downstream.left()
        if self._open:
            side.other.transport.close()
        elif exchange is not None:
            self._exchange = None
            exchange.ended()

    def cut(self) -> None:
        """Close both sides at once."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._downstream.left()
        self.caller.transport.abort()
        self.app.transport.abort()


class Side(asyncio.Protocol):
    """One connection of a tunnel."""

    __slots__ = ("_tunnel", "flow", "other", "transport")

    other: Side

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport, flow: Flow) -> None:
        self.transport = transport
        self.flow = flow
        self._tunnel = tunnel

    def data_received(self, data: bytes) -> None:
        self._tunnel.passed(self, len(data))
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        if self is self._tunnel.app:
            return False
        if not self.other.transport.is_closing():
            self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.closed(self)

    def pause_writing(self) -> None:
        self.other.flow.hold(PEER_FULL)

    def resume_writing(self) -> None:
        self.other.flow.release(PEER_FULL)
