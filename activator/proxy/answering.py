"""The answering half of a caller's connection: how what an exchange writes goes out in HTTP/1.

Knows heads, chunks, and whether the connection can stay; does not know where requests begin.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from activator.proxy import replies
from activator.proxy.framing import Length
from activator.proxy.headers import response_head

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.proxy.framing import Chunked
    from activator.proxy.headers import Fields
    from activator.proxy.heads import Response
    from activator.proxy.server import ProxyServer

# Of a body that nobody wants, this much is read to keep the connection; with more to come it is closed.
DRAIN_BYTES_MAX: Final = 256 * 1024


class Answering(asyncio.Protocol):
    """`body` is what is still to come of the request's. The reading half fills all of this in."""

    __slots__ = ("_chunks", "_closes", "body", "server", "transport")

    server: ProxyServer
    transport: asyncio.Transport
    body: Length | Chunked | None
    # This answer is the last.
    _closes: bool
    # How a body goes out that does not come as it is to go.
    _chunks: bool

    def answer(self, exchange: Exchange, status: int, body: bytes, headers: replies.Headers) -> int:
        """Write a whole response of ours; returns its size."""
        added = self.connection_line(exchange)
        response = replies.response(status, body, headers, added=added, bodyless=exchange.method == b"HEAD")
        self.transport.write(response)
        return len(response)

    def connection_line(self, exchange: Exchange, *, self_delimiting: bool = True) -> bytes:
        """What the response's head has to say of this connection: a header line, or nothing.

        A body that does not say where it ends ends with the connection.
        """
        fields = exchange.fields
        keep = fields.keep_alive and self_delimiting and not self._closes and not self.server.retiring
        if keep and self.body is not None:
            keep = _is_drainable(self.body, exchange)
        if not keep:
            self._closes = True
            return replies.CLOSE
        return replies.KEEP_ALIVE if fields.version == "1.0" else b""

    def inform(self, response: Response) -> int:
        """Write an interim response; returns its size."""
        head = response_head(response, b"", False)
        self.transport.write(head)
        return len(head)

    def respond(self, exchange: Exchange, response: Response, ended: bool) -> None:
        """Write the head of a response whose body comes by `pass_on`; `ended`: there is none."""
        version, named = exchange.fields.version, response.named
        bodyless = exchange.method == b"HEAD" or response.status in (204, 304)
        told = bodyless or (b"content-length" in named and b"transfer-encoding" not in named)
        self._chunks = not told and version == "1.1"
        added = self.connection_line(exchange, self_delimiting=told or self._chunks) + exchange.head_lines()
        if self._chunks:
            # So that the caller sees a break.
            added += b"Transfer-Encoding: chunked\r\n"
        head = response_head(response, added, False)
        exchange.sent_bytes += len(head)
        exchange.overhead_bytes += len(head)
        self.transport.write(head)
        if ended:
            self.end(None)

    def pass_on(self, data: bytes, ended: bool = False) -> None:
        """Write a piece of the response's body."""
        if self._chunks and data:
            self.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
        else:
            self.transport.write(data)
        if ended:
            self.end(None)

    def end(self, trailers: Fields | None) -> None:
        """The response's body is complete."""
        if self._chunks:
            lines = b"".join(b"%b: %b\r\n" % pair for pair in trailers or ())
            self.transport.write(b"0\r\n%b\r\n" % lines)


def _is_drainable(body: Length | Chunked, exchange: Exchange) -> bool:
    """Whether the rest of a request's body that nobody wants will come, and be read, to its end."""
    if isinstance(body, Length) and body.left > DRAIN_BYTES_MAX:
        return False
    # One that waits for our 100 may send its body or not: there is no telling where the next request begins.
    return b"expect" not in exchange.fields.named or exchange.informed
