"""The HTTPS front of the API server: who may ask, what a path is about, and errors as `v1.Status`.

Knows HTTP; what is done to objects is in `operations`.
"""

from __future__ import annotations

import asyncio
import hmac
import ssl
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from swell.kube.errors import KubeError, Unavailable
from swell.local.apiserver.calls import Call, json_response
from swell.local.apiserver.discovery import Discovery
from swell.local.apiserver.failures import no_such_resource, status_of
from swell.local.apiserver.kubeconfig import read_token
from swell.local.apiserver.operations import Operations
from swell.local.apiserver.podlogs import PodLogs
from swell.local.apiserver.server import ApiServer
from swell.local.apiserver.targets import target_of
from swell.runtime import log

BODY_BYTES_MAX: Final = 8 * 1024 * 1024
# Writes are done by the time others run; only watches and logs are ever under way.
CLOSE_TIMEOUT_S: Final = 0.1
HEAD_LINE_BYTES_MAX: Final = 64 * 1024
_HEALTH: Final = ("healthz", "livez", "readyz")

logger = log.get(__name__)


class HttpsServer:
    """A front that serves. `port` is the one it listens on; `url` is what a kubeconfig names."""

    def __init__(self, runner: web.ServerRunner, host: str, port: int) -> None:
        self._runner = runner
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    async def close(self) -> None:
        """Stop listening, and end what is under way, watches too."""
        await self._runner.cleanup()


async def serve_https(
    server: ApiServer, *, host: str, port: int, pki: Path, logs: PodLogs | None = None
) -> HttpsServer:
    """Serve `server` at `host`:`port` (0: a free port) to whoever has the token in `pki`.

    `pki` is a folder made by `swell.local.apiserver.pki`; `logs` answers for the log subresource of pods.
    Returns once it listens; raises OSError if the port is taken.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki / "server.crt", pki / "server.key")
    front = _Front(server, read_token(pki), logs)
    http = web.Server(
        front.handle,
        request_factory=_request,
        # A client that goes ends its watch at once.
        handler_cancellation=True,
        access_log=None,
        max_line_size=HEAD_LINE_BYTES_MAX,
        max_field_size=HEAD_LINE_BYTES_MAX,
    )
    runner = web.ServerRunner(http, shutdown_timeout=CLOSE_TIMEOUT_S)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=context)
    await site.start()
    return HttpsServer(runner, host, runner.addresses[0][1])


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """A request whose body may be as large as an object may be."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_BYTES_MAX)


class _Front:
    """Every request comes in at `handle`."""

    def __init__(self, server: ApiServer, token: str, logs: PodLogs | None) -> None:
        self._registry = server.registry
        self._authorization = f"Bearer {token}".encode()
        self._discovery = Discovery(server.registry)
        self._operations = Operations(server, logs)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._route(request)
        except KubeError as exc:
            return _refusal(exc)
        except web.HTTPRequestEntityTooLarge:
            message = f"the body of the request is larger than {BODY_BYTES_MAX} bytes"
            return _refusal(KubeError(413, "RequestEntityTooLarge", message))
        except ConnectionError:
            if request.transport is not None and not request.transport.is_closing():
                raise
            # The client went: there is nobody left to tell.
            return web.Response()
        except Exception as exc:
            logger.exception("a request failed", method=request.method, path=request.path)
            if request.writer.output_size:
                # Half an answer is out: closing the connection is all that is left to tell.
                raise
            return _refusal(Unavailable(500, "InternalError", f"Internal error occurred: {exc!r}"))

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        first = request.path.strip("/").partition("/")[0]
        if first in _HEALTH:
            return web.Response(text="ok")
        if first == "version":
            return json_response(self._discovery.version())
        self._authorize(request)
        if first in ("api", "apis", "openapi"):
            found = self._discovery.answer(request) if request.method in ("GET", "HEAD") else None
            if found is not None:
                return found
        if first not in ("api", "apis"):
            raise no_such_resource()
        return await self._operations.run(Call.of(request, target_of(self._registry, request.path)))

    def _authorize(self, request: web.BaseRequest) -> None:
        sent = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(sent, self._authorization):
            raise KubeError(401, "Unauthorized", "Unauthorized")


def _refusal(error: KubeError) -> web.Response:
    return json_response(status_of(error), error.status)
