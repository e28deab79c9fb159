"""Requests to an API server: JSON out, JSON or a stream in, every failure as a `KubeError`. Knows no kinds."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
import orjson

from swell.kube.connect import Access
from swell.kube.errors import KubeError, Unavailable, from_status

REQUEST_TIMEOUT_S: Final = 60.0
CONNECT_TIMEOUT_S: Final = 10.0
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of a watch; an object is far smaller than this."""
MESSAGE_CHARACTERS_MAX: Final = 500

# A stream whose server is silent for so long is asked whether it still is there, so often, before it is given up.
SILENT_S: Final = 15
PROBE_EACH_S: Final = 5
PROBES: Final = 3

JSON: Final = "application/json"
USER_AGENT: Final = "swell"


class Transport:
    """Requests by path to one cluster."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """The decoded answer. Raises a `KubeError`."""
        async with self.stream(
            method, path, query=query, body=body, content_type=content_type, accept=accept, timeout_s=REQUEST_TIMEOUT_S
        ) as response:
            return _decoded(await response.read())

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response whose body is still to be read. Raises a `KubeError`, also for what is read."""
        headers = {"Accept": accept, "User-Agent": USER_AGENT, "Content-Type": content_type}
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._access.session.request(
                method,
                self._access.host + path,
                params=query,
                headers={**headers, **await self._access.headers()},
                data=None if body is None else orjson.dumps(body),
                timeout=timeout,
                **self._access.options,
            )
            if response.status >= 300:
                raise _refused(response, await response.read())
            yield response
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as exc:
            raise self._unavailable(exc) from exc
        finally:
            if response is not None:
                # After a whole answer the connection is free again; anything else is cut.
                response.close()

    async def close(self) -> None:
        await self._access.session.close()

    def _unavailable(self, error: BaseException) -> Unavailable:
        what = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return Unavailable(503, "ServiceUnavailable", f"the API server {self._access.host} cannot be reached: {what}")


def notice_loss(response: aiohttp.ClientResponse) -> None:
    """Have a stream end soon after its server went without a word: by itself TCP would wait for ever."""
    connection = response.connection
    transport = connection.transport if connection is not None else None
    if transport is None:
        return  # all of it is here already
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", SILENT_S), ("TCP_KEEPINTVL", PROBE_EACH_S), ("TCP_KEEPCNT", PROBES)):
        if hasattr(socket, name):  # not all of them on every system
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a body as they come in, of any length up to `LINE_BYTES_MAX`; half a line at the end is dropped."""
    rest = bytearray()
    async for chunk in response.content.iter_any():
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            yield bytes(rest) + chunk[start:end] if rest else chunk[start:end]
            rest.clear()
            start = end + 1
        rest += chunk[start:]
        if len(rest) > LINE_BYTES_MAX:
            raise Unavailable(500, "InternalError", f"a line of more than {LINE_BYTES_MAX} bytes in a watch")


def _decoded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Unavailable(500, "InternalError", f"the API server's answer is no JSON: {exc}") from exc


def _refused(response: aiohttp.ClientResponse, body: bytes) -> KubeError:
    """From the `Status` that API servers send, or from what a proxy before them says."""
    status: Any = None
    with suppress(orjson.JSONDecodeError):
        status = orjson.loads(body)
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = body.decode(errors="replace").strip()[:MESSAGE_CHARACTERS_MAX]
        status = {"reason": response.reason or "Unknown", "message": text or response.reason}
    return from_status({**status, "code": response.status})
