"""One probe of a pod: `GET /healthz` at its queue-proxy (spec dataplane 2.6). Knows HTTP, not Kubernetes."""

from __future__ import annotations

import asyncio
from typing import Final

import httptools

Address = tuple[str, int]

PASS_STATUS: Final = 200
PASS_BODY: Final = b"queue"
ANSWER_BYTES_MAX: Final = 16 * 1024


async def probe(address: Address, timeout_s: float) -> bool:
    """True if the queue-proxy at `address` says that its app is ready: status 200 and body `queue`."""
    loop = asyncio.get_running_loop()
    host, port = address
    try:
        async with asyncio.timeout(timeout_s):
            transport, answer = await loop.create_connection(_Answer, host, port)
            try:
                transport.write(_request(address))
                return await answer.passed
            finally:
                transport.abort()
    except (OSError, TimeoutError):
        return False


def _request(address: Address) -> bytes:
    return (
        b"GET /healthz HTTP/1.1\r\nHost: %b:%d\r\nUser-Agent: Knative-Activator-Probe\r\n"
        b"K-Network-Probe: queue\r\nConnection: close\r\n\r\n" % (address[0].encode(), address[1])
    )


class _Answer(asyncio.Protocol):
    """Reads one answer; `passed` is set once it is whole, broken, or too long."""

    def __init__(self) -> None:
        self.passed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._seen = 0

    def data_received(self, data: bytes) -> None:
        self._seen += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._finish(False)
        if self._seen > ANSWER_BYTES_MAX:
            self._finish(False)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._finish(self._parser.get_status_code() == PASS_STATUS and self._body == PASS_BODY)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(False)

    def _finish(self, passed: bool) -> None:
        if not self.passed.done():
            self.passed.set_result(passed)
