"""A source of metrics as tests need it: a real HTTP server that answers as Prometheus, as JSON, or badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from swell.local.ports import LOOPBACK


class Source:
    """`GET /state` tells `value` as JSON, `/api/v1/query` as Prometheus; `/slow`, `/huge`, `/away` (a redirect) and
    `/broken` are bad ones, and with `works` False so are all. `asked` counts requests by path.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self.works = True
        self.port = 0
        self.paths: list[str] = []
        self.queries: list[str] = []
        self.headers: dict[str, str] = {}
        self._changed = asyncio.Condition()

    def url(self, path: str = "/state") -> str:
        return f"http://{LOOPBACK}:{self.port}{path}"

    async def asked(self, path: str, times: int = 1) -> None:
        """Returns once that path was asked for so often."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.paths.count(path) >= times)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.paths.append(request.path)
        self.headers = dict(request.headers)
        async with self._changed:
            self._changed.notify_all()
        if not self.works:
            return web.Response(status=503, text="closed")
        match request.path:
            case "/state":
                return web.json_response({"queue": {"length": self.value}})
            case "/api/v1/query":
                self.queries.append(request.query.get("query", ""))
                result = [{"metric": {}, "value": [1.0, f"{self.value:g}"]}]
                return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})
            case "/slow":
                await asyncio.Event().wait()
            case "/huge":
                return web.Response(body=b'{"a": "' + b"x" * (4 << 20) + b'"}')
            case "/away":
                return web.Response(status=302, headers={"Location": self.url()})
        return web.Response(text="not JSON")


@asynccontextmanager
async def running_source() -> AsyncIterator[Source]:
    """One that listens on a free port of loopback."""
    source = Source()
    runner = web.ServerRunner(web.Server(source.serve, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    source.port = runner.addresses[0][1]
    try:
        yield source
    finally:
        await runner.cleanup()
