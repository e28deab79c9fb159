"""An HTTP probe's one attempt, over HTTP/1.1 (spec dataplane 3.7). Knows as much HTTP as that needs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import httptools

from activator.queueproxy.probe import USER_AGENT, Probe

if TYPE_CHECKING:
    import ssl

REDIRECTS_MAX: Final = 10
REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
ANSWER_BYTES_MAX: Final = 64 * 1024


async def passes(probe: Probe) -> bool:
    """GET, redirects followed; the final status decides. Raises `OSError` or `ValueError` if there is no answer."""
    if probe.detect_http2 and await _passes_http2(probe):
        return True
    host = f"[{probe.host}]" if ":" in probe.host else probe.host
    url = f"{probe.scheme}://{host}:{probe.port}{probe.path}"
    for _ in range(1 + REDIRECTS_MAX):
        status, location = await _get(url, probe.headers)
        if status not in REDIRECTS or not location:
            return 200 <= status < 400
        url = urljoin(url, location)
    return False


async def _passes_http2(probe: Probe) -> bool:
    """Whether the app speaks HTTP/2 and calls itself ready there. Raises `ConnectionRefusedError`: nobody listens."""
    from activator.queueproxy.probe_http2 import get

    try:
        async with asyncio.timeout(probe.timeout_s / 2):  # the other half is HTTP/1.1's
            return 200 <= await get(probe) < 400
    except ConnectionRefusedError:
        raise
    except (OSError, TimeoutError, ValueError):
        return False


async def _get(url: str, headers: tuple[tuple[str, str], ...]) -> tuple[int, str]:
    """Status and Location of one GET. Raises `OSError` or `ValueError` if there is no answer."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an HTTP URL: {url}")
    secure = parts.scheme == "https"
    lines = [f"GET {parts.path or '/'}{'?' * bool(parts.query)}{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"User-Agent: {USER_AGENT}", "Connection: close", *(f"{name}: {value}" for name, value in headers)]
    transport, answer = await asyncio.get_running_loop().create_connection(
        _Answer, parts.hostname, parts.port or (443 if secure else 80), ssl=_unverified() if secure else None
    )
    try:
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return await answer.head
    finally:
        transport.abort()


def _unverified() -> ssl.SSLContext:
    """The app's certificate is not checked, as the kubelet would not (spec dataplane 6)."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class _Answer(asyncio.Protocol):
    """Reads the head of one answer; `head` is its status and Location."""

    def __init__(self) -> None:
        self.head: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._location = b""
        self._seen = 0

    def data_received(self, data: bytes) -> None:
        self._seen += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"not an HTTP answer: {error}")
        if self._seen > ANSWER_BYTES_MAX:
            self._fail("endless head")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self._location = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self.head.done():
            self.head.set_result((status, self._location.decode("latin-1")))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("closed without an answer")

    def _fail(self, why: str) -> None:
        if not self.head.done():
            self.head.set_exception(ValueError(why))
