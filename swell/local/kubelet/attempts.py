"""One attempt at a probe or hook over the network: raw sockets, no HTTP client. Knows no thresholds."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from swell.local.kubelet.podspec import PodFacts, address_of

USER_AGENT: Final = "kube-probe/1.34"
HEAD_BYTES_MAX: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class HttpGet:
    """A GET, ready to be sent."""

    address: tuple[str, int]
    request: bytes
    tls: bool = False


def http_get_of(action: Mapping[str, Any], container: Mapping[str, Any], facts: PodFacts) -> HttpGet:
    """An `httpGet` of a probe or hook. Raises ValueError for a port without number."""
    address = address_of(container, facts, action["port"], action.get("host") or "")
    headers = {
        "host": f"{address[0]}:{address[1]}",
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "connection": "close",
    }
    headers.update((each["name"].lower(), each.get("value", "")) for each in action.get("httpHeaders") or ())
    path = action.get("path") or "/"
    path = path if path.startswith("/") else f"/{path}"
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return HttpGet(address, "\r\n".join(lines).encode(), action.get("scheme", "HTTP").upper() == "HTTPS")


async def http_get(action: HttpGet, timeout_s: float) -> str:
    """ "" for an answer with status 200 to 399, else what went wrong."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    context = _trusting_anyone() if action.tls else None
    return await _connected(action.address, lambda: _Get(action.request, answer), answer, timeout_s, context)


async def tcp_connect(address: tuple[str, int], timeout_s: float) -> str:
    """ "" if something listens there, else what went wrong."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await _connected(address, lambda: _Connect(answer), answer, timeout_s, None)


async def _connected(
    address: tuple[str, int],
    make: Any,
    answer: asyncio.Future[str],
    timeout_s: float,
    context: ssl.SSLContext | None,
) -> str:
    transport: asyncio.WriteTransport | None = None
    try:
        async with asyncio.timeout(timeout_s):
            transport, _ = await asyncio.get_running_loop().create_connection(make, *address, ssl=context)
            return await answer
    except TimeoutError:
        return f"no answer from {address[0]}:{address[1]} within {timeout_s:g} s"
    except OSError as exc:
        why = os.strerror(exc.errno) if exc.errno else str(exc)
        return f"{address[0]}:{address[1]}: {why}"
    finally:
        if transport is not None:
            transport.abort()


class _Get(asyncio.Protocol):
    def __init__(self, request: bytes, answer: asyncio.Future[str]) -> None:
        self._request = request
        self._answer = answer
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance: uvloop's transports are of classes of its own.
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._head += data
        line, end, _ = self._head.partition(b"\r\n")
        if end or len(self._head) > HEAD_BYTES_MAX:
            self._finish(_verdict(line))

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish("the connection was closed before an answer came")

    def _finish(self, verdict: str) -> None:
        if not self._answer.done():
            self._answer.set_result(verdict)


class _Connect(asyncio.Protocol):
    def __init__(self, answer: asyncio.Future[str]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._answer.done():
            self._answer.set_result("")


def _verdict(status_line: bytes) -> str:
    version, _, rest = status_line.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or not code.isdigit():
        return "the answer is not HTTP/1.1"
    return "" if 200 <= int(code) < 400 else f"HTTP probe failed with statuscode: {int(code)}"


def _trusting_anyone() -> ssl.SSLContext:
    """As Kubernetes probes: the certificate is not checked."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
