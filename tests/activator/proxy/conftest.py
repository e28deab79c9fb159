"""A proxy between real sockets: callers and apps that say exactly what a test has them say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import uvloop

from activator.proxy.exchange import Exchange
from activator.proxy.headers import Address
from activator.proxy.server import ProxyServer

Talk = Callable[["Line"], Awaitable[None]]
T = TypeVar("T")
# Nothing here takes a second. A test that waits in vain is to fail, not to hang.
PATIENCE_S = 20.0


async def soon(what: Awaitable[T]) -> T:
    async with asyncio.timeout(PATIENCE_S):
        return await what


class Line:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        return await self.until(b"\r\n\r\n")

    async def hear(self, size: int) -> bytes:
        return await soon(self.reader.readexactly(size))

    async def rest(self) -> bytes:
        return await soon(self.reader.read())

    async def until(self, end: bytes) -> bytes:
        return await soon(self.reader.readuntil(end))

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


class App:
    """Listens, and has `talk` with each connection."""

    def __init__(self, talk: Talk, port: int = 0) -> None:
        self.talk = talk
        self.port = port
        self.connections = 0
        self.address: Address = ("", 0)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.talk(Line(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**20)
        self.address = self._server.sockets[0].getsockname()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class World:
    """A proxy whose dispatcher sends everything to `address`, or does what `handle` is set to.

    `http2`: what listens there speaks HTTP/2.
    """

    def __init__(self, **limits: Any) -> None:
        self.server = ProxyServer(self, **limits)
        self.address: Address = ("127.0.0.1", 1)
        self.http2 = False
        self.exchanges: list[Exchange] = []
        self.done: list[Exchange] = []
        self.unsent: list[str] = []
        self.handle: Callable[[Exchange], None] = lambda exchange: exchange.forward(self.address, http2=self.http2)
        self.handle_unsent: Callable[[Exchange, str], None] = lambda exchange, error: exchange.reply(
            502, error.encode() + b"\n"
        )
        self._changed = asyncio.Event()
        self._apps: list[App] = []
        self._lines: list[Line] = []

    # The dispatcher.

    def on_request(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self.handle(exchange)
        self._changed.set()

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        self.unsent.append(error)
        self.handle_unsent(exchange, error)

    def on_done(self, exchange: Exchange) -> None:
        assert exchange not in self.done
        self.done.append(exchange)
        self._changed.set()

    # For tests.

    soon = staticmethod(soon)

    async def app(self, talk: Talk, port: int = 0) -> App:
        app = App(talk, port)
        await app.start()
        self.address = app.address
        self._apps.append(app)
        return app

    async def caller(self) -> Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.listening_port, limit=2**20)
        self._lines.append(Line(reader, writer))
        return self._lines[-1]

    async def ask(self, request: bytes) -> bytes:
        """All that comes back for a request that closes its connection."""
        line = await self.caller()
        line.say(request)
        return await line.rest()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that an exchange brings about."""
        while not holds():
            self._changed.clear()
            await soon(self._changed.wait())

    async def until_done(self, count: int = 1) -> None:
        await self.until(lambda: len(self.done) >= count)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        await self.server.start("127.0.0.1", 0)
        try:
            yield self
        finally:
            for line in self._lines:
                line.close()
            self.server.close()
            for app in self._apps:
                await app.stop()
            assert len(self.done) == len(self.exchanges), "each exchange is done exactly once"


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """The loop that the programs run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World().running() as running:
        yield running


@pytest.fixture
def make_world() -> Callable[..., World]:
    """A world with other limits; run it with `running()`."""
    return World
