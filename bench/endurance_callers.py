"""The callers of bench.endurance. As a program it is the flood: `ADDRESS PORT HOST PATH RATE`, until stdin ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
import time
from collections import Counter, deque

import uvloop

from swell.runtime.limits import raise_open_files

Address = tuple[str, int]
PIECE = bytes(256 * 1024)
OPENED_AT_ONCE = 200


def head(host: str, path: str, method: str = "GET", body_bytes: int = 0) -> bytes:
    """A request without its body, as a front door would send it on, so that a queue-proxy takes it too."""
    length = f"Content-Length: {body_bytes}\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n".encode()


class Connection(asyncio.Protocol):
    """Asks when told to, and sets `answer` to the status, or to 0 when the connection is lost."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]
        return self.answer

    def data_received(self, data: bytes) -> None:
        # Answers are small: each comes in one piece.
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(int(data[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)


async def connect(address: Address) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, *address)
    return connection


class Idle:
    """Connections that have each had an answer, and stay."""

    def __init__(self) -> None:
        self._connections: list[Connection] = []

    @classmethod
    async def opened(cls, address: Address, host: str, count: int) -> Idle:
        found = cls()
        request = head(host, "/")

        async def one() -> None:
            connection = await connect(address)
            assert await connection.ask(request) == 200
            found._connections.append(connection)

        for at in range(0, count, OPENED_AT_ONCE):
            await asyncio.gather(*(one() for _ in range(min(OPENED_AT_ONCE, count - at))))
        return found

    @property
    def open(self) -> int:
        return sum(not connection.lost for connection in self._connections)

    async def close(self) -> None:
        for connection in self._connections:
            connection.transport.abort()  # type: ignore[attr-defined]
        await asyncio.sleep(1)


async def upload(address: Address, host: str, size: int) -> int:
    """POST so many bytes; returns how many were sent."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(head(host, "/", "POST", size))
    for at in range(0, size, len(PIECE)):
        writer.write(PIECE[: size - at])
        await writer.drain()
    assert (await reader.readuntil(b"\r\n")).split()[1] == b"200"
    writer.close()
    return size


async def download(address: Address, host: str, size: int, *, pause_s: float = 0.0, read_s: float = 3600.0) -> int:
    """GET so many bytes, for `read_s` at most, with a pause after each piece; returns how many came."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(head(host, f"/?bytes={size}"))
    assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"200"
    came, end_s = 0, time.monotonic() + read_s
    while came < size and time.monotonic() < end_s:
        piece = await reader.read(len(PIECE))
        assert piece, f"broken off after {came} bytes"
        came += len(piece)
        if pause_s:
            await asyncio.sleep(pause_s)
    writer.transport.abort()
    return came


async def latencies(address: Address, host: str, path: str, rate: float, for_s: float) -> list[float]:
    """Ask so often a second, whatever the answers do; the seconds that each took from when it was due."""
    request, free, took = head(host, path), deque[Connection](), list[float]()

    async def one(due_s: float) -> None:
        connection = free.pop() if free else await connect(address)
        assert await connection.ask(request) == 200
        took.append(time.perf_counter() - due_s)
        free.append(connection)

    began_s = time.perf_counter()
    asked: list[asyncio.Task[None]] = []
    for number in range(int(rate * for_s)):
        due_s = began_s + number / rate
        if (wait_s := due_s - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        asked.append(asyncio.create_task(one(due_s)))
    await asyncio.gather(*asked)
    for connection in free:
        connection.transport.abort()  # type: ignore[attr-defined]
    return took


async def flood(address: Address, host: str, path: str, rate: int) -> Counter[int]:
    """Ask so often a second until stdin ends; the answers by status, 0 for connections that were lost."""
    request, free, statuses = head(host, path), deque[Connection](), Counter[int]()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    waiting: set[asyncio.Task[None]] = set()

    async def one() -> None:
        connection = free.pop() if free else await connect(address)
        status = await connection.ask(request)
        statuses[status] += 1
        if not connection.lost:
            free.append(connection)

    began_s, number = time.perf_counter(), 0
    while not ended.is_set():
        due = int((time.perf_counter() - began_s) * rate)
        for _ in range(due - number):
            task = asyncio.create_task(one())
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        number = due
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.005)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return statuses


if __name__ == "__main__":
    raise_open_files()
    gc.disable()
    ip, port, host_, path_, rate_ = sys.argv[1:]
    print(json.dumps(uvloop.run(flood((ip, int(port)), host_, path_, int(rate_)))))
