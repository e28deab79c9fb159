"""Both ends of a proxied connection, played by a test: an HTTP/1.1 app and a caller, down to the bytes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

Address = tuple[str, int]
Serve = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

WAIT_S: Final = 30.0
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"

# Below those that the system and clusters give out by themselves: between finding one here and listening on it, nobody
# else who listens or connects gets it by chance. Tests that seed `random` must not all get the same.
_PORTS: Final = range(10_000, 20_000)
_RANDOM: Final = random.SystemRandom()


def free_port(host: str = "127.0.0.1") -> int:
    """A port of `host` that nobody listens on."""
    (port,) = free_ports(1, host)
    return port


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """So many different ports of `host` that nobody listens on."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            port = _RANDOM.choice(_PORTS)
            with contextlib.suppress(OSError):
                stack.enter_context(socket.socket()).bind((host, port))
                found.append(port)
    return found


def free_ports_in_a_row(count: int, host: str = "127.0.0.1") -> int:
    """The first of so many ports of `host`, one after the other, that nobody listens on."""
    while True:
        first = free_port(host)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind((host, port))
            return first


async def echo(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the head of the request."""
    writer.write(OK % (len(head), head))


@dataclass
class App:
    """An HTTP/1.1 app: `serve(head, reader, writer)` answers a request. It listens between `start` and `stop`."""

    serve: Serve = echo
    port: int = field(default_factory=free_port)
    heads: list[bytes] = field(default_factory=list)
    running: int = 0
    running_max: int = 0
    connections: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=4096)

    async def stop(self) -> None:
        """As if it had been killed: listener and connections are gone."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def until(self, true: Callable[[App], bool]) -> None:
        """Wait for something to be true of the requests so far."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: true(self))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._count(head)
                try:
                    await self.serve(head, reader, writer)
                finally:
                    self.running -= 1
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the queue-proxy has closed the connection
        finally:
            self._writers.discard(writer)
            writer.close()
            async with self.changed:
                self.changed.notify_all()

    async def _count(self, head: bytes) -> None:
        self.heads.append(head)
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        async with self.changed:
            self.changed.notify_all()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `complete` is False if it was broken off; `interim` are the 1xx statuses before it."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool = True
    interim: tuple[int, ...] = ()


class Caller:
    """One connection of a caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: Address) -> Caller:
        return cls(*await asyncio.open_connection(*address))

    def close(self) -> None:
        self.writer.close()

    def send(self, path: str = "/", headers: Mapping[str, str] | None = None, method: str = "GET") -> None:
        """Send the head of a request."""
        fields = {"Host": "app.example.com", **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def answer(self) -> Answer:
        """Read one answer."""
        interim: list[int] = []
        async with asyncio.timeout(WAIT_S):
            while True:
                status, headers = await self._head()
                if status >= 200 or status == 101:
                    break
                interim.append(status)
            body, complete = (b"", True) if status == 101 else await self._body(headers)
        return Answer(status, headers, body, complete, tuple(interim))

    async def _head(self) -> tuple[int, dict[str, str]]:
        line, *fields = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        pairs = (field.partition(":") for field in fields)
        return int(line.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    async def _body(self, headers: Mapping[str, str]) -> tuple[bytes, bool]:
        body = b""
        try:
            if "content-length" in headers:
                return await self.reader.readexactly(int(headers["content-length"])), True
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readuntil(b"\r\n")
            return body, True
        except asyncio.IncompleteReadError as broken:
            return body + broken.partial, False
        except ConnectionError:
            return body, False


async def call(address: Address, path: str = "/", headers: Mapping[str, str] | None = None) -> Answer:
    """One GET on a connection of its own."""
    caller = await Caller.connect(address)
    try:
        caller.send(path, headers)
        return await caller.answer()
    finally:
        caller.close()
