"""A small HTTP server for kubelets, scrapers and operators: requests in, whole answers out. Knows no paths.

One small request per connection at a time; not for the open.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple, cast

import httptools

from swell.runtime.errors import SwellError

REQUEST_BYTES_MAX: Final = 16 * 1024
CONNECTIONS_MAX: Final = 256
PLAIN: Final = ((b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff"))
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = PLAIN


Respond = Callable[[str, str, bytes], Answer]


class AdminPort:
    """Listens between `start` and `close`; `respond(method, path, body)` answers, at once and in the event loop."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises `SwellError` when the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self), host, port)
        except OSError as exc:
            raise SwellError(
                f"cannot listen on {host}:{port}, the admin port: {os.strerror(exc.errno or 0)}; "
                "stop the program that has it, or set SWELL_ADMIN_PORT to another port"
            ) from exc

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()


class Connection(asyncio.Protocol):
    """One caller. Requests are answered in order, as they are whole."""

    def __init__(self, admin: AdminPort) -> None:
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
            self._write(Answer(400, f"{error}\n".encode()), keep=False)
            self.close()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        path = self._target.partition(b"?")[0].decode("latin-1")
        keep = self._parser.should_keep_alive()
        self._write(self._admin.respond(method, path, self._body), keep=keep, head_only=method == "HEAD")
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
