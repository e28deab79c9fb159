"""One probe of the app: what the environment asks for, and one attempt at it (spec dataplane 3.7).

Knows sockets and as much HTTP as a probe needs. When to probe, and for whom, is readiness.py's business.
"""

from __future__ import annotations

import asyncio
import enum
import errno
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httptools

from swell.runtime.errors import SettingsError

if TYPE_CHECKING:
    import ssl

KEY: Final = "SERVING_READINESS_PROBE"
HTTP_GET, TCP_SOCKET = "httpGet", "tcpSocket"
LOOPBACK: Final = "127.0.0.1"
# A probe without a period is "aggressive": the kubelet is not involved, so each attempt may be short.
AGGRESSIVE_TIMEOUT_S: Final = 0.1
REDIRECTS_MAX: Final = 10
REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
ANSWER_BYTES_MAX: Final = 64 * 1024
USER_AGENT: Final = "kube-probe//"
# What a probe may not say of itself: as in the reference, these have no effect.
_OURS: Final = frozenset(("host", "user-agent", "connection", "content-length", "transfer-encoding"))


class Outcome(enum.Enum):
    PASSED = enum.auto()
    ABSENT = enum.auto()  # nobody listens: asking again soon costs nobody anything
    FAILED = enum.auto()


@dataclass(frozen=True, slots=True)
class Probe:
    """A readiness probe. `period_s` 0 is the aggressive kind; `path` holds the query too."""

    kind: str
    port: int
    host: str = LOOPBACK
    path: str = "/"
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    period_s: float = 0.0
    timeout_s: float = AGGRESSIVE_TIMEOUT_S
    initial_delay_s: float = 0.0
    success_threshold: int = 1

    @property
    def aggressive(self) -> bool:
        return self.period_s == 0


def parse_probes(text: str, user_port: int) -> tuple[Probe, ...]:
    """The probes of `SERVING_READINESS_PROBE`: JSON of one core/v1 Probe or of a list; empty text is none.

    A port that is missing, 0 or a name is the app's. Raises `SettingsError`.
    """
    if not text:
        return ()
    try:
        found = json.loads(text)
        return tuple(_parse(one, user_port) for one in (found if isinstance(found, list) else [found]))
    except (ValueError, TypeError, AttributeError) as exc:
        raise SettingsError(KEY, text, f"a core/v1 Probe with httpGet or tcpSocket, as JSON ({exc})") from exc


def _parse(found: Mapping[str, Any], user_port: int) -> Probe:
    period_s = float(found.get("periodSeconds") or 0)
    timeout_s = max(1.0, float(found.get("timeoutSeconds") or 0)) if period_s else AGGRESSIVE_TIMEOUT_S
    common: dict[str, Any] = {
        "period_s": period_s,
        "timeout_s": timeout_s,
        "initial_delay_s": float(found.get("initialDelaySeconds") or 0),
        "success_threshold": max(1, int(found.get("successThreshold") or 1)),
    }
    if (http := found.get(HTTP_GET)) is not None:
        scheme = str(http.get("scheme") or "HTTP").lower()
        if scheme not in ("http", "https"):
            raise ValueError(f"scheme is {scheme!r}, allowed: HTTP, HTTPS")
        given = ((str(header["name"]), str(header["value"])) for header in http.get("httpHeaders") or ())
        return Probe(
            HTTP_GET,
            _port(http, user_port),
            http.get("host") or LOOPBACK,
            path="/" + str(http.get("path") or "").removeprefix("/"),
            scheme=scheme,
            headers=tuple((name, value) for name, value in given if name.lower() not in _OURS),
            **common,
        )
    if (tcp := found.get(TCP_SOCKET)) is not None:
        return Probe(TCP_SOCKET, _port(tcp, user_port), tcp.get("host") or LOOPBACK, **common)
    raise ValueError("it has neither httpGet nor tcpSocket")


def _port(handler: Mapping[str, Any], user_port: int) -> int:
    port = handler.get("port")
    return port if isinstance(port, int) and port else user_port


async def attempt(probe: Probe) -> Outcome:
    """Try once, within the probe's time limit."""
    try:
        async with asyncio.timeout(probe.timeout_s):
            if probe.kind == TCP_SOCKET:
                return await connects(probe.host, probe.port)
            return await _http(probe)
    except ConnectionRefusedError:
        return Outcome.ABSENT
    except (OSError, TimeoutError, ValueError):
        return Outcome.FAILED


async def connects(host: str, port: int) -> Outcome:
    """Whether somebody listens there. Raises `OSError` if not."""
    known = _connects_now(host, port) if host == LOOPBACK else None
    if known is not None:
        return known
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
    transport.abort()
    return Outcome.PASSED


def _connects_now(host: str, port: int) -> Outcome | None:
    """The result where the system knows it at once, as on loopback; None otherwise.

    An app that starts is asked every few milliseconds, perhaps many of them at a time: this costs 20 us of
    processor time, a connection of the event loop 300.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        error = asking.connect_ex((host, port))
        if error == errno.EINPROGRESS:
            error = asking.connect_ex((host, port))
    if error in (0, errno.EISCONN):
        return Outcome.PASSED
    return Outcome.ABSENT if error == errno.ECONNREFUSED else None


async def _http(probe: Probe) -> Outcome:
    """GET, redirects followed; the final status decides."""
    from urllib.parse import urljoin  # not above: the usual probe is TCP, and each cold start would pay 2 ms

    host = f"[{probe.host}]" if ":" in probe.host else probe.host
    url = f"{probe.scheme}://{host}:{probe.port}{probe.path}"
    for _ in range(1 + REDIRECTS_MAX):
        status, location = await _get(url, probe.headers)
        if status not in REDIRECTS or not location:
            return Outcome.PASSED if 200 <= status < 400 else Outcome.FAILED
        url = urljoin(url, location)
    return Outcome.FAILED


async def _get(url: str, headers: tuple[tuple[str, str], ...]) -> tuple[int, str]:
    """Status and Location of one GET. Raises `OSError` or `ValueError` if there is no answer."""
    from urllib.parse import urlsplit

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
