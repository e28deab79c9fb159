"""The admin port: health, metrics, state, and announcements of pods. Knows HTTP only as far as that needs.

GET /livez (the process turns its loop), GET /healthz and /readyz (it should get traffic), GET /metrics,
GET /state, POST /announce. One small request per connection at a time; not for the open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import httptools

from activator.answers import JSON
from activator.proxy.replies import PLAIN_ERROR, TEXT, Answer
from swell.wire import announce
from swell.wire.errors import WireError

if TYPE_CHECKING:
    from swell.wire.announce import Announcement

REQUEST_BYTES_MAX: Final = 16 * 1024
CONNECTIONS_MAX: Final = 256
_REASONS: Final = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 409: "Conflict"}


class Admin:
    """What the admin port answers. The callables are asked at each request."""

    def __init__(
        self,
        *,
        unready: Callable[[], str],
        announced: Callable[[Announcement], bool],
        state: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
    ) -> None:
        self._unready = unready
        self._announced = announced
        self._state = state
        self._metrics = metrics
        self._server: asyncio.Server | None = None
        self.connections: set[Connection] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to one request."""
        match (method, path):
            case ("GET" | "HEAD", "/livez"):
                return Answer(200, b"ok\n", TEXT)
            case ("GET" | "HEAD", "/healthz" | "/readyz"):
                unready = self._unready()
                return Answer(500, unready.encode() + b"\n", PLAIN_ERROR) if unready else Answer(200)
            case ("GET", "/metrics"):
                return Answer(200, self._metrics(), ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),))
            case ("GET", "/state"):
                return Answer(200, json.dumps(self._state(), indent=1).encode() + b"\n", JSON)
            case ("POST", announce.PATH):
                return self._announce(body)
        return Answer(404, f"no {method} {path} here\n".encode(), PLAIN_ERROR)

    def _announce(self, body: bytes) -> Answer:
        try:
            announcement = announce.decode(body)
        except WireError as error:
            return Answer(400, f"{error}\n".encode(), PLAIN_ERROR)
        if self._announced(announcement):
            return Answer(202)
        text = f"pod {announcement.uid} has another address than {announcement.address}\n"
        return Answer(409, text.encode(), PLAIN_ERROR)


class Connection(asyncio.Protocol):
    """One caller. Requests are answered in order, as they are whole."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._target = b""
        self._body = b""
        self._seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._admin.connections) >= CONNECTIONS_MAX:
            self._transport.abort()
            return
        self._admin.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._admin.connections.discard(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._seen += len(data)
        try:
            if self._seen > REQUEST_BYTES_MAX:
                raise httptools.HttpParserError("request too long")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._write(Answer(400, f"{error}\n".encode(), PLAIN_ERROR), keep=False)
            self.close()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        path = self._target.partition(b"?")[0].decode("latin-1")
        keep = self._parser.should_keep_alive()
        self._write(self._admin.answer(method, path, self._body), keep=keep, head_only=method == "HEAD")
        self._target, self._body, self._seen = b"", b"", 0
        if not keep:
            self.close()

    def _write(self, answer: Answer, *, keep: bool, head_only: bool = False) -> None:
        assert self._transport is not None
        head = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Error')}".encode()]
        head += [name + b": " + value for name, value in answer.headers]
        head += [b"content-length: %d" % len(answer.body)]
        if not keep:
            head.append(b"connection: close")
        self._transport.write(b"\r\n".join(head) + b"\r\n\r\n" + (b"" if head_only else answer.body))
