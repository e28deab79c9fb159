"""The processes of bench.grpc: an app that answers calls as fast as it reads frames, and a load generator.

`python -m bench.grpc_parties PARTY ARGUMENT...`; each prints a line once it serves.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from activator.proxy.http2 import frames
from activator.proxy.http2.compression import encode

PATH = "/bench.Echo/Say"
HOST = "bench.default.localhost"
MESSAGE = b"\x00\x00\x00\x00\x0chello world\n"
CALL = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", PATH.encode()),
    (b":authority", HOST.encode()),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"grpc-python/1.80.0 grpc-c/52.0.0 (linux; chttp2)"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
]
RESPONSE = [(b":status", b"200"), (b"content-type", b"application/grpc")]
TRAILERS = [(b"grpc-status", b"0"), (b"grpc-message", b"")]
CALL_BLOCK, RESPONSE_BLOCK, TRAILERS_BLOCK = encode(CALL), encode(RESPONSE), encode(TRAILERS)


class Peer(asyncio.Protocol):
    """Splits what comes into frames, and gives the credit that the other side needs."""

    transport: asyncio.Transport

    def __init__(self, preface: bytes = b"") -> None:
        self._skip = len(preface)
        self._seen = b""
        self._taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        data = self._seen + data
        if len(data) < self._skip:
            self._seen = data
            return
        at, self._skip = self._skip, 0
        out: list[bytes] = []
        while len(data) - at >= 9:
            high, low, kind, flags, number = frames.read_head(data, at)
            size = high << 8 | low
            if len(data) - at < 9 + size:
                break
            if kind == frames.DATA:
                self._taken += size
            if kind == frames.SETTINGS and not flags & frames.ACK:
                out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
            elif kind in (frames.DATA, frames.HEADERS) and flags & frames.END_STREAM:
                out.append(self.ended(number))
            at += 9 + size
        self._seen = data[at:]
        if self._taken > 30_000:
            out.append(frames.window_update(0, self._taken))
            self._taken = 0
        if out:
            self.transport.write(b"".join(out))

    def ended(self, number: int) -> bytes:
        """The other side has said all on this stream; what to say to that."""
        raise NotImplementedError


class App(Peer):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(frames.settings(()))

    def ended(self, number: int) -> bytes:
        return (
            frames.headers(number, RESPONSE_BLOCK, 0)
            + frames.frame(frames.DATA, 0, number, MESSAGE)
            + frames.headers(number, TRAILERS_BLOCK, frames.END_STREAM)
        )


class Client(Peer):
    """So many calls at a time over one connection."""

    answers = 0

    def __init__(self, streams: int) -> None:
        super().__init__()
        self._streams = streams
        self._next = 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(
            frames.PREFACE + frames.settings(()) + b"".join(self._call() for _ in range(self._streams))
        )

    def ended(self, number: int) -> bytes:
        Client.answers += 1
        return self._call()

    def _call(self) -> bytes:
        number, self._next = self._next, self._next + 2
        head = frames.headers(number, CALL_BLOCK, 0)
        return head + frames.frame(frames.DATA, frames.END_STREAM, number, MESSAGE)


async def app(port: str) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: App(frames.PREFACE), "127.0.0.1", int(port))
    print("serving", flush=True)
    await server.serve_forever()


async def load(host: str, port: str, connections: str, streams: str, seconds: str) -> None:
    """What h2load does, where there is none: prints calls per second."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    for _ in range(int(connections)):
        await loop.create_connection(lambda: Client(int(streams)), host, int(port))
    await asyncio.sleep(float(seconds))
    took = time.perf_counter() - started
    print(json.dumps({"requests_s": Client.answers / took, "errors": 0}), flush=True)


PARTIES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"app": app, "load": load}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    uvloop.run(PARTIES[name](*arguments))
