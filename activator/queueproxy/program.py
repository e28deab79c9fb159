"""A queue-proxy as a program: listeners, probes and timers put together, and taken apart in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from activator.proxy.server import ProxyServer
from activator.queueproxy.announcing import announce
from activator.queueproxy.ports import DrainPort, StatisticsPort, UserMetricsPort
from activator.queueproxy.probe import TCP_SOCKET, Outcome, Probe, attempt
from activator.queueproxy.queueproxy import QueueProxy
from activator.queueproxy.readiness import Readiness
from activator.queueproxy.settings import Settings
from activator.queueproxy.statistics import Statistics
from swell.runtime import log
from swell.runtime.errors import SwellError
from swell.runtime.tasks import Daemons
from swell.wire.announce import Announcement
from swell.wire.observability import NONE

if TYPE_CHECKING:
    import ssl

    from activator.proxy.dispatcher import Dispatcher
    from activator.queueproxy.tls import Certificate
    from swell.runtime.clock import Clock

__all__ = ["Settings", "Sidecar", "run"]

# After the drain: what is still open then, tunnels above all, may take so long (spec dataplane 3.8).
LAST_S: Final = 60.0
# Idle connections to the app when its concurrency has no limit (spec dataplane 1.5).
IDLE_UNLIMITED: Final = 1000

_log = log.get("queue-proxy")


async def run(
    settings: Settings,
    clock: Clock,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until `stop` is set, then drain. `ready` is called with the traffic's port once it serves.

    Raises `SwellError` when it cannot listen, or what a background task died of.
    """
    sidecar = Sidecar(settings, clock)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await sidecar.start()
        if ready is not None:
            ready(sidecar.port)
        await sidecar.serve_until(stopped)
        await sidecar.finish()
    finally:
        stopped.cancel()
        await asyncio.gather(stopped, return_exceptions=True)
        await sidecar.close()


class Sidecar:
    """All parts of one queue-proxy. `start`, then `serve_until`, `finish`, `close`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._daemons = Daemons()
        self.statistics = Statistics(settings, clock)
        self.readiness = Readiness(settings.probes, attempt, clock)
        self.proxy = QueueProxy(settings, clock, self.readiness, self.statistics, self._dial)
        self._server = self._traffic_server()
        # What takes requests for the app, and what answers by itself.
        self._traffic = [self._server]
        self._own: list[ProxyServer] = []
        self._certificate: Certificate | None = None

    @property
    def port(self) -> int:
        """Where the traffic comes in."""
        return self._server.listening_port

    async def start(self) -> None:
        """Listen on all ports, and probe the app until it is ready for the first time."""
        settings = self.settings
        self._daemons.spawn(self.readiness.start(), "readiness")
        recorded = settings.observability
        if recorded.enable_request_log or recorded.request_metrics_protocol != NONE:
            await self._start_watching()
        await asyncio.gather(
            self._listen(self._server, settings.serving_port),
            self._serve(DrainPort(self.proxy.drain), settings.admin_port),
            self._serve(StatisticsPort(self.statistics), settings.statistics_port),
        )
        if settings.http2:
            self._server.prepare_http2()
        self.statistics.start()
        self._daemons.spawn(self._announce_once_ready(), "announcement")
        if settings.certificates:
            await self._start_tls()

    async def serve_until(self, stopped: asyncio.Future[Any]) -> None:
        """Returns once `stopped` is done; raises if a background task has died before."""
        await self._daemons.watch(stopped)

    async def finish(self) -> None:
        """Drain: probes fail, requests are served on until it has been quiet; then what is open may finish."""
        _log.info("draining", quiet_s=self.settings.drain_quiet_s)
        drained = asyncio.Event()
        self.proxy.drain.terminate()
        self.proxy.drain.ask(drained.set)
        await drained.wait()
        for server in self._traffic:
            server.stop_accepting()
        await asyncio.gather(*(server.drain(LAST_S) for server in self._traffic))

    async def close(self) -> None:
        """Stop everything."""
        await self._daemons.close()
        await self.proxy.close()
        await self.readiness.close()
        self.statistics.close()
        if self._certificate is not None:
            self._certificate.close()
        for server in (*self._traffic, *self._own):
            server.close()
        if self.proxy.watch is not None:
            self.proxy.watch.close()

    async def _start_watching(self) -> None:
        """Request log and user metrics: loaded for the pods that have them."""
        from activator.queueproxy.watching import Watch

        self.proxy.watch = watch = Watch(self.settings, self.proxy.breaker)
        if watch.metrics is not None:
            await self._serve(UserMetricsPort(watch.metrics), self.settings.user_metrics_port)

    async def _start_tls(self) -> None:
        from activator.queueproxy.tls import Certificate

        self._certificate = Certificate(self.settings.certificates, self.settings.tls, self._clock)
        server = self._traffic_server()
        self._traffic.append(server)
        await self._listen(server, self.settings.tls_port, self._certificate.context)
        self._certificate.start()

    def _traffic_server(self) -> ProxyServer:
        idle_max = self.settings.container_concurrency or IDLE_UNLIMITED
        return ProxyServer(self.proxy, idle_per_address_max=idle_max, idle_max=idle_max)

    async def _serve(self, dispatcher: Dispatcher, port: int) -> None:
        server = ProxyServer(dispatcher)
        self._own.append(server)
        await self._listen(server, port)

    async def _listen(self, server: ProxyServer, port: int, tls: ssl.SSLContext | None = None) -> None:
        host = self.settings.pod_ip
        try:
            await server.start(host, port, tls)
        except OSError as exc:
            raise SwellError(f"cannot listen on {host}:{port}: {exc}") from exc

    async def _dial(self) -> bool:
        """Whether the app listens now."""
        ip, port = self.settings.user_address
        return await attempt(Probe(TCP_SOCKET, port, ip)) is Outcome.PASSED

    async def _announce_once_ready(self) -> None:
        await self.readiness.ready_once.wait()
        settings = self.settings
        _log.info("the app is ready", port=settings.user_port)
        if not settings.announce_to or self.proxy.drain.draining:
            return
        ip = f"[{settings.pod_ip}]" if ":" in settings.pod_ip else settings.pod_ip
        protocol = "h2c" if settings.http2 else "http1"
        address = f"{ip}:{self.port}"
        word = Announcement(settings.namespace, settings.revision, settings.pod, settings.pod_uid, address, protocol)
        await announce(word, settings.announce_to, self._clock)
