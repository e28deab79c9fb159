"""The processes of bench.proxy: a fast app, the real front door, a plain aiohttp proxy, a load generator.

`python -m bench.proxy_parties PARTY ARGUMENT...`; each prints a line once it serves.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-cache\r\nServer: bench\r\n"
    b"Date: Tue, 24 Nov 2026 15:00:00 GMT\r\nContent-Length: 12\r\n\r\nHello World\n"
)
HOST = "bench.default.localhost"
# What wrk sends by itself, and what a browser does.
BARE = {"Host": HOST}
BROWSER = {
    "Host": HOST,
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
}
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade"}
)


class App(asyncio.Protocol):
    """Answers every request head with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        data = self._seen + data
        *whole, self._seen = data.split(b"\r\n\r\n")
        self._transport.write(ANSWER * len(whole))  # type: ignore[attr-defined]


async def app(port: str) -> None:
    server = await asyncio.get_running_loop().create_server(App, "127.0.0.1", int(port))
    print("serving", flush=True)
    await server.serve_forever()


async def door(port: str, pod_ip: str, pod_port: str) -> None:
    """The front door as the activator program puts it together, with one Route, Revision and pod."""
    from activator.activator import Activator, Health
    from activator.backends import Backends
    from activator.gateway import Gateway, Target
    from activator.proxy.server import ProxyServer
    from activator.reporting.report import Reporter
    from activator.requestlog.live import LiveLog
    from activator.revision import read_revision
    from activator.settings import Settings
    from swell.runtime.clock import SystemClock

    clock, gateway, settings = SystemClock(), Gateway(), Settings()
    backends = Backends(
        clock,
        lambda address, done: None,
        lambda revision: dispatcher.pods_changed(revision),
        lambda facts: None,
        lambda address: None,
        probe_first_s=settings.probe_first_s,
        probe_last_s=settings.probe_last_s,
    )
    reporter = Reporter("bench", clock, lambda message: None, lambda: "")
    dispatcher = Activator(settings, clock, gateway, backends, reporter, Health(), LiveLog())
    traffic = [{"revisionName": "bench-00001", "percent": 100}]
    gateway.set_route(
        {
            "metadata": {"name": "bench", "namespace": "default"},
            "status": {"url": f"http://{HOST}", "traffic": traffic},
        }
    )
    dispatcher.revision_changed(Target("default", "bench-00001"), read_revision({"spec": {}}))
    ports = [{"name": "queue-port", "containerPort": int(pod_port)}]
    backends.pod_changed(
        None,
        {
            "metadata": {
                "name": "bench",
                "namespace": "default",
                "uid": "bench",
                "labels": {"serving.knative.dev/revision": "bench-00001"},
            },
            "spec": {"containers": [{"name": "queue-proxy", "ports": ports}]},
            "status": {"podIP": pod_ip, "conditions": [{"type": "Ready", "status": "True"}]},
        },
    )
    await ProxyServer(dispatcher).start("127.0.0.1", int(port))
    print("serving", flush=True)
    await asyncio.Event().wait()


async def plain(port: str, app_port: str) -> None:
    """A plain reverse proxy on aiohttp that does the same: hop-by-hop headers, X-Forwarded-For, streaming."""
    import aiohttp
    from aiohttp import web
    from multidict import CIMultiDict

    # It logs each caller that hangs up, as they all do when a round is over.
    logging.disable()
    upstream = f"http://127.0.0.1:{app_port}"

    def passed_on(headers: aiohttp.typedefs.LooseHeaders) -> CIMultiDict[str]:
        items = CIMultiDict(headers).items()
        return CIMultiDict((name, value) for name, value in items if name.lower() not in HOP_BY_HOP)

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = passed_on(request.headers)
        before = headers.get("X-Forwarded-For")
        headers["X-Forwarded-For"] = f"{before}, {request.remote}" if before else str(request.remote)
        body = request.content if request.body_exists else None
        async with session.request(
            request.method, upstream + request.path_qs, headers=headers, data=body, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=passed_on(answer.headers))
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    async with aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0)) as session:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(port)).start()
        print("serving", flush=True)
        await asyncio.Event().wait()


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered. Counts answers, and those that are not 200."""

    answers = 0
    errors = 0

    def __init__(self, kind: str) -> None:
        headers = BROWSER if kind == "browser" else BARE
        self._varied = kind == "varied"
        self._rest = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if self._seen.endswith(b"Hello World\n"):
            Client.answers += 1
            Client.errors += not self._seen.startswith(b"HTTP/1.1 200 ")
            self._seen = b""
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        Client.errors += 1

    def _ask(self) -> None:
        path = Client.answers if self._varied else ""
        self._transport.write(f"GET /{path} HTTP/1.1\r\n{self._rest}\r\n".encode())  # type: ignore[attr-defined]


async def load(port: str, connections: str, seconds: str, kind: str) -> None:
    """What wrk does, where there is none: prints requests per second and errors."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    for _ in range(int(connections)):
        await loop.create_connection(lambda: Client(kind), "127.0.0.1", int(port))
    await asyncio.sleep(float(seconds))
    took = time.perf_counter() - started
    print(json.dumps({"requests_s": Client.answers / took, "errors": Client.errors}), flush=True)


PARTIES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"app": app, "door": door, "plain": plain, "load": load}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    # The plain proxy runs as aiohttp comes: on asyncio's own loop.
    (asyncio.run if name == "plain" else uvloop.run)(PARTIES[name](*arguments))
