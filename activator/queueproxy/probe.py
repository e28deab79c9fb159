"""One probe of the app: what the environment asks for, and one attempt at it (spec dataplane 3.7).

Knows sockets; what a probe says over them is in probe_http.py and probe_http2.py, which are loaded when there is such
a probe. When to probe, and for whom, is readiness.py's business.
"""

from __future__ import annotations

import asyncio
import enum
import errno
import json
import socket
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from swell.runtime.errors import SettingsError

KEY: Final = "SERVING_READINESS_PROBE"
HTTP_GET, TCP_SOCKET, GRPC = "httpGet", "tcpSocket", "grpc"
LOOPBACK: Final = "127.0.0.1"
# A probe without a period is "aggressive": the kubelet is not involved, so each attempt may be short.
AGGRESSIVE_TIMEOUT_S: Final = 0.1
USER_AGENT: Final = "kube-probe//"
# What a probe may not say of itself: as in the reference, these have no effect.
_OURS: Final = frozenset(("host", "user-agent", "connection", "content-length", "transfer-encoding"))


class Outcome(enum.Enum):
    PASSED = enum.auto()
    ABSENT = enum.auto()  # nobody listens: asking again soon costs nobody anything
    FAILED = enum.auto()


class Probe(NamedTuple):
    """A readiness probe. `period_s` 0 is the aggressive kind.

    Of httpGet: `path` holds the query too; with `detect_http2` HTTP/2 is tried before HTTP/1.1. Of grpc: `service`
    is what the health service is asked about.
    """

    kind: str
    port: int
    host: str = LOOPBACK
    path: str = "/"
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    detect_http2: bool = False
    service: str = ""
    period_s: float = 0.0
    timeout_s: float = AGGRESSIVE_TIMEOUT_S
    initial_delay_s: float = 0.0
    success_threshold: int = 1

    @property
    def aggressive(self) -> bool:
        return self.period_s == 0


def parse_probes(text: str, user_port: int, detect_http2: bool = False) -> tuple[Probe, ...]:
    """The probes of `SERVING_READINESS_PROBE`: JSON of one core/v1 Probe or of a list; empty text is none.

    A port that is missing, 0 or a name is the app's. Raises `SettingsError`, for an exec probe too: the kubelet
    runs those in the app's own container.
    """
    if not text:
        return ()
    try:
        found = json.loads(text)
        return tuple(_parse(one, user_port, detect_http2) for one in (found if isinstance(found, list) else [found]))
    except (ValueError, TypeError, AttributeError, KeyError) as exc:
        raise SettingsError(KEY, text, f"a core/v1 Probe with httpGet, tcpSocket or grpc, as JSON ({exc})") from exc


def _parse(found: Mapping[str, Any], user_port: int, detect_http2: bool) -> Probe:
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
            detect_http2=detect_http2 and scheme == "http",
            **common,
        )
    if (tcp := found.get(TCP_SOCKET)) is not None:
        return Probe(TCP_SOCKET, _port(tcp, user_port), tcp.get("host") or LOOPBACK, **common)
    if (grpc := found.get(GRPC)) is not None:
        return Probe(GRPC, _port(grpc, user_port), service=str(grpc.get("service") or ""), **common)
    raise ValueError("it has none of them")


def _port(handler: Mapping[str, Any], user_port: int) -> int:
    port = handler.get("port")
    return port if isinstance(port, int) and port else user_port


async def attempt(probe: Probe) -> Outcome:
    """Try once, within the probe's time limit."""
    try:
        async with asyncio.timeout(probe.timeout_s):
            if probe.kind == TCP_SOCKET:
                return await connects(probe.host, probe.port)
            return await _ask(probe)
    except ConnectionRefusedError:
        return Outcome.ABSENT
    except (OSError, TimeoutError, ValueError):
        return Outcome.FAILED


async def _ask(probe: Probe) -> Outcome:
    # Not above: the usual probe is TCP, and each cold start would pay some milliseconds.
    if probe.kind == GRPC:
        from activator.queueproxy.probe_http2 import is_serving

        return Outcome.PASSED if await is_serving(probe) else Outcome.FAILED
    from activator.queueproxy.probe_http import passes

    return Outcome.PASSED if await passes(probe) else Outcome.FAILED


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
