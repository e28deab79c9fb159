"""Probes of pods over real sockets: what counts as healthy (spec dataplane 2.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from activator.probing import Address, probe

QUEUE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nqueue"


class Pod:
    """Answers each connection with the same bytes; keeps the requests it got."""

    def __init__(self, answer: bytes, *, close: bool = False) -> None:
        self.answer = answer
        self.close = close
        self.requests: list[bytes] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        if not self.close:
            await reader.read()
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Address]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield ("127.0.0.1", server.sockets[0].getsockname()[1])


CASES = [
    ("the queue-proxy says that its app is ready", QUEUE, True),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nqueue\r\n0\r\n\r\n", True),
    ("case 13: 200 from somebody else", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", False),
    ("not ready", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", False),
    ("draining", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nqueue", False),
    ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n", False),
    ("endless", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000, False),
]


@pytest.mark.parametrize(("answer", "want"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_case_13_a_probe_passes_on_status_200_and_the_word_queue(answer: bytes, want: bool) -> None:
    async with Pod(answer).running() as address:
        assert await probe(address, 5.0) is want


async def test_a_probe_says_who_it_is() -> None:
    pod = Pod(QUEUE)
    async with pod.running() as address:
        await probe(address, 5.0)
    lines = pod.requests[0].split(b"\r\n")
    assert lines[0] == b"GET /healthz HTTP/1.1"
    assert b"User-Agent: Knative-Activator-Probe" in lines
    assert b"K-Network-Probe: queue" in lines


async def test_nobody_listening_and_a_closed_connection_are_failures() -> None:
    async with Pod(b"HTTP/1.1 200 OK\r\nContent-Le", close=True).running() as address:
        assert not await probe(address, 5.0)
    assert not await probe(address, 5.0)


async def test_a_pod_that_says_nothing_fails_at_the_time_limit() -> None:
    async with Pod(b"").running() as address:
        assert not await probe(address, 0.05)
