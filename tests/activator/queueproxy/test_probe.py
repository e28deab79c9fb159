"""One probe of the app over real sockets: spec dataplane 3.7."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from activator.queueproxy.probe import Outcome, Probe, attempt, parse_probes
from swell.runtime.errors import SettingsError
from swell.testing.certificates import certify
from swell.testing.peers import free_port

PASSED, ABSENT, FAILED = Outcome.PASSED, Outcome.ABSENT, Outcome.FAILED


@asynccontextmanager
async def answering(answer: bytes, *, close: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that answers each connection with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if not close:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def head(status: int, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "Content-Length: 0", "", ""]).encode()


ANSWERS = [
    ("ok", head(200), PASSED),
    ("the last that passes", head(399), PASSED),
    ("client error", head(404), FAILED),
    ("server error", head(500), FAILED),
    ("an interim response first", b"HTTP/1.1 103 Early Hints\r\n\r\n" + head(200), PASSED),
    ("a redirect to nowhere in particular", head(302), PASSED),
    ("redirects without end", head(302, "Location: /"), FAILED),
    ("a redirect to no HTTP", head(302, "Location: ftp://127.0.0.1/"), FAILED),
    ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n", FAILED),
    ("an endless head", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, FAILED),
]


@pytest.mark.parametrize(("answer", "want"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
async def test_the_status_decides(answer: bytes, want: Outcome) -> None:
    async with answering(answer) as port:
        assert await attempt(Probe("httpGet", port, timeout_s=5)) is want


async def test_an_app_that_closes_or_says_nothing_fails() -> None:
    async with answering(b"HTTP/1.1 200 O", close=True) as port:
        assert await attempt(Probe("httpGet", port, timeout_s=5)) is FAILED
    async with answering(b"") as port:
        assert await attempt(Probe("httpGet", port, timeout_s=0.05)) is FAILED


async def test_nobody_listening_is_absent() -> None:
    port = free_port()
    assert await attempt(Probe("tcpSocket", port)) is ABSENT
    assert await attempt(Probe("httpGet", port)) is ABSENT


async def test_a_tcp_probe_passes_when_somebody_listens() -> None:
    async with answering(b"") as port:
        assert await attempt(Probe("tcpSocket", port)) is PASSED


async def test_with_https_the_certificate_is_not_checked(tmp_path: Path) -> None:
    certify(tmp_path, "somebody.else")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    async with answering(head(200), tls=tls) as port:
        assert await attempt(Probe("httpGet", port, scheme="https", timeout_s=5)) is PASSED


async def test_what_the_kubelet_or_nobody_runs_is_refused() -> None:
    for wrong in ({"exec": {"command": ["true"]}}, {}):
        with pytest.raises(SettingsError, match="httpGet, tcpSocket or grpc"):
            parse_probes(json.dumps(wrong), 8080)


def test_what_the_controller_prepares_is_read() -> None:
    http = {
        "httpGet": {"path": "ready?x=1", "port": 9, "scheme": "HTTPS", "httpHeaders": [{"name": "a", "value": "b"}]},
        "periodSeconds": 5,
        "initialDelaySeconds": 2,
        "successThreshold": 2,
    }
    tcp = {"tcpSocket": {"port": "user-port", "host": "127.0.0.1"}}
    assert parse_probes(json.dumps([http, tcp]), 8080) == (
        Probe(
            "httpGet",
            9,
            path="/ready?x=1",
            scheme="https",
            headers=(("a", "b"),),
            period_s=5,
            timeout_s=1,
            initial_delay_s=2,
            success_threshold=2,
        ),
        Probe("tcpSocket", 8080),
    )
    assert parse_probes("", 8080) == ()


def test_grpc_and_the_detection_of_http2_are_read() -> None:
    found = parse_probes(json.dumps([{"grpc": {"port": 0, "service": "ready"}}, {"httpGet": {}}]), 8080, True)
    assert found == (Probe("grpc", 8080, service="ready"), Probe("httpGet", 8080, detect_http2=True))
    assert not parse_probes('{"httpGet": {"scheme": "HTTPS"}}', 8080, True)[0].detect_http2
