"""Probes over HTTP/2, against servers that are played down to the frame: spec dataplane 3.7."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from activator.queueproxy.probe import Outcome, Probe, attempt
from activator.queueproxy.probe_http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    RESET,
    SETTINGS,
    frame,
    request,
    status_of,
)
from swell.testing.peers import free_port

PASSED, ABSENT, FAILED = Outcome.PASSED, Outcome.ABSENT, Outcome.FAILED
OK = b"\x88"
SERVING = b"\0\0\0\0\2\x08\1"
TRAILERS = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40\x0bgrpc-status\x010")
HEAD = frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, OK)


class Server:
    """Answers each connection with the same bytes, in one piece or byte by byte; keeps what it got."""

    def __init__(self, answer: bytes, *, pieces: bool = False) -> None:
        self.answer = answer
        self.pieces = pieces
        self.got = b""
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got += await reader.read(65536)
        for piece in [self.answer[at : at + 1] for at in range(len(self.answer))] if self.pieces else [self.answer]:
            writer.write(piece)
            await writer.drain()
        while data := await reader.read(65536):
            self.got += data
        self.ended.set()
        writer.close()


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[int]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


NOT_FOUND = frame(HEADERS, END_HEADERS | END_STREAM, 1, OK + b"\x40\x0bgrpc-status\x015")
PADDED_PART = frame(DATA, PADDED, 1, b"\2" + SERVING[:3] + b"\0\0")
A_PING = frame(PING, 0, 0, b"12345678")
NO_HTTP2 = b"HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n"

GRPC = [
    ("serving", HEAD + frame(DATA, 0, 1, SERVING) + TRAILERS, PASSED),
    ("not serving", HEAD + frame(DATA, 0, 1, b"\0\0\0\0\2\x08\2") + TRAILERS, FAILED),
    ("unknown service", NOT_FOUND, FAILED),
    ("in two frames, padded", HEAD + PADDED_PART + frame(DATA, 0, 1, SERVING[3:]) + TRAILERS, PASSED),
    ("compressed, which was not asked for", HEAD + frame(DATA, 0, 1, b"\1" + SERVING[1:]) + TRAILERS, FAILED),
    ("a ping first", A_PING + HEAD + frame(DATA, 0, 1, SERVING) + TRAILERS, PASSED),
    ("reset", HEAD + frame(RESET, 0, 1, b"\0\0\0\7"), FAILED),
    ("going away", frame(GOAWAY, 0, 0, bytes(8)), FAILED),
    ("HTTP/1.1", NO_HTTP2, FAILED),
    ("an endless message", HEAD + frame(DATA, 0, 1, bytes(16384)) * 5, FAILED),
]


@pytest.mark.parametrize(("answer", "want"), [case[1:] for case in GRPC], ids=[case[0] for case in GRPC])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "bytewise"])
async def test_a_grpc_probe_passes_when_the_health_service_says_serving(
    answer: bytes, want: Outcome, pieces: bool
) -> None:
    async with running(Server(answer, pieces=pieces)) as port:
        assert await attempt(Probe("grpc", port, service="ready", period_s=1, timeout_s=5)) is want


async def test_a_grpc_probe_asks_for_its_service_and_answers_pings() -> None:
    server = Server(A_PING + HEAD + frame(DATA, 0, 1, SERVING) + TRAILERS)
    async with running(server) as port:
        await attempt(Probe("grpc", port, service="ready", period_s=1, timeout_s=5))
    assert server.got.startswith(PREFACE + frame(SETTINGS, 0, 0))
    assert b"\x05:path\x1c/grpc.health.v1.Health/Check" in server.got
    assert b"\x0auser-agent\x0ckube-probe//" in server.got
    assert frame(DATA, END_STREAM, 1, b"\0\0\0\0\x07\x0a\x05ready") in server.got
    await server.ended.wait()
    assert server.got.endswith(frame(PING, ACK, 0, b"12345678") + frame(SETTINGS, ACK, 0))


async def test_a_server_that_speaks_first_gets_the_preface_first() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(SETTINGS, 0, 0))
        got.append(await reader.readexactly(len(PREFACE)))
        writer.write(HEAD + frame(DATA, 0, 1, SERVING) + TRAILERS)

    for _ in range(20):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            assert await attempt(Probe("grpc", port, period_s=1, timeout_s=5)) is PASSED
    assert got == [PREFACE] * 20


async def test_a_grpc_probe_of_nobody_or_of_silence() -> None:
    assert await attempt(Probe("grpc", free_port())) is ABSENT
    async with running(Server(b"")) as port:
        assert await attempt(Probe("grpc", port, timeout_s=0.05)) is FAILED


BLOCKS = [
    ("indexed", b"\x8e", 500),
    ("a literal", b"\x48\x03302", 302),
    ("a literal that is not indexed", b"\x08\x03503", 503),
    ("in Huffman's code", b"\x48\x82\x64\x02", 302),
    ("all digits of it", b"\x08\x88" + bytes.fromhex("0044cb4db8ebcfff"), 123456789),
    ("behind a new table size", b"\x3f\xe1\x1f\x88", 200),
    ("something else first", b"\x40\x01a\x01b\x88", None),
    ("an index of another name", b"\x82", None),
]


@pytest.mark.parametrize(("block", "want"), [case[1:] for case in BLOCKS], ids=[case[0] for case in BLOCKS])
def test_the_status_is_read_from_what_a_header_block_begins_with(block: bytes, want: int | None) -> None:
    if want is not None:
        assert status_of(block) == want
    else:
        with pytest.raises(ValueError, match="does not begin with its status"):
            status_of(block)


@pytest.mark.parametrize(("block", "want"), [(OK, PASSED), (b"\x8c", FAILED), (b"\x48\x03302", PASSED)])
async def test_http2_is_detected_for_an_http_probe(block: bytes, want: Outcome) -> None:
    answer = frame(HEADERS, END_HEADERS | END_STREAM | PRIORITY, 1, bytes(5) + block)
    interim = frame(HEADERS, END_HEADERS, 1, b"\x08\x03103")
    server = Server(frame(SETTINGS, 0, 0) + interim + answer)
    async with running(server) as port:
        probe = Probe("httpGet", port, path="/ready", headers=(("X-Key", "k"),), detect_http2=True, timeout_s=5)
        assert await attempt(probe) is want
    assert b"\0\x05:path\x06/ready" in server.got
    assert b"\0\x05x-key\x01k" in server.got


async def test_an_app_without_http2_is_asked_in_http1() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        got.append(head)
        writer.write(b"HTTP/1.1 %b X\r\nContent-Length: 0\r\n\r\n" % (b"505" if head.startswith(b"PRI") else b"200"))
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        assert await attempt(Probe("httpGet", port, detect_http2=True, timeout_s=5)) is PASSED
    assert [head.split(b" ")[0] for head in got] == [b"PRI", b"GET"]
    assert await attempt(Probe("httpGet", free_port(), detect_http2=True)) is ABSENT


def test_a_long_value_is_told_with_its_length_in_more_bytes() -> None:
    assert b"\x05:path\x7f\x81\x01/" in request("GET", "h", "/" + "x" * 255)
