"""One GET of a metric's source: bounded, to the host in the URL and no other."""

from __future__ import annotations

from typing import Final

import aiohttp
from yarl import URL

from autoscaler.metrics.external_answers import Answer, SourceFailed

BODY_BYTES_MAX: Final = 1024 * 1024
CONNECTIONS_MAX: Final = 16


class HttpSource:
    """Asks with a session of its own, made when first needed: no cookies, no proxies, no redirects, no encodings."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> Answer:
        """The answer, whatever its status. Raises `SourceFailed`; whoever calls sets a time limit."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "swell"},
                auto_decompress=False,
            )
        try:
            # As it was checked: nothing is read into it or written otherwise.
            async with self._session.get(URL(url, encoded=True), allow_redirects=False) as response:
                return Answer(response.status, await _body(response))
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise SourceFailed(f"it cannot be asked: {exc or type(exc).__name__}") from exc

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            response.close()
            raise SourceFailed(f"its answer is longer than {BODY_BYTES_MAX} bytes")
    return bytes(body)
