"""The HTTPS server around the decisions. Knows HTTP and TLS; which certificate to serve with, it is told."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import orjson
from aiohttp import web

from controller.webhook.review import BadReview, Review, parse
from swell.api.meta import Obj
from swell.runtime import log
from swell.runtime.errors import SwellError

BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""A review holds an object twice, and the store of a cluster takes objects of about 1.5 MiB."""
KEEPALIVE_S: Final = 120.0
"""Longer than API servers keep idle connections (90 s), so that they never write into one that is being closed."""
SHUTDOWN_S: Final = 5.0

Decide = Callable[[Review], Obj]

logger = log.get(__name__)


class CannotListen(SwellError):
    """The port of the webhook cannot be had."""


class Server:
    """Answers `POST PATH` by the decision for that path, once it is told what to serve with."""

    def __init__(self, decisions: Mapping[str, Decide]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._draining = False
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for path, decide in decisions.items():
            app.router.add_post(path, self._handler(decide))
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=SHUTDOWN_S)

    @property
    def port(self) -> int:
        """The one that it listens on."""
        return int(self._runner.addresses[0][1])

    def serve_with(self, pem: bytes) -> None:
        """Take a key and its certificate, as PEM, for connections from now on."""
        # ssl reads files only, and the disk of a pod is read-only.
        descriptor = os.memfd_create("webhook", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            file.write(pem)
            self._context.load_cert_chain(f"/proc/self/fd/{descriptor}")

    async def start(self, host: str | None, port: int) -> None:
        """Returns once it listens at `host` (None: all addresses). Raises `CannotListen`."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._context).start()
        except OSError as exc:
            why = os.strerror(exc.errno or 0)
            raise CannotListen(f"SWELL_WEBHOOK_PORT={port}: cannot listen there: {why}; choose another") from exc

    def drain(self) -> None:
        """Have each caller come back on another connection: this server will close."""
        self._draining = True

    async def close(self) -> None:
        """Stop listening, and finish what is under way."""
        await self._runner.cleanup()

    def _handler(self, decide: Decide) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            response = _respond(decide, body)
            if self._draining:
                response.force_close()
            return response

        return handle


def _respond(decide: Decide, body: bytes) -> web.Response:
    try:
        answer = decide(parse(body))
    except BadReview as exc:
        return web.Response(status=400, text=f"{exc}\n")
    except Exception:
        logger.exception("a review could not be answered")
        return web.Response(status=500, text="a fault of the webhook's own: its log says which\n")
    return web.Response(body=orjson.dumps(answer), content_type="application/json")
