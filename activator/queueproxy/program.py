"""A queue-proxy as a program: listeners, probes and timers put together, and taken apart in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from activator.proxy.server import ProxyServer
from activator.queueproxy.announcing import announce
from activator.queueproxy.ports import DrainPort, StatisticsPort
from activator.queueproxy.probe import TCP_SOCKET, Outcome, Probe, attempt
from activator.queueproxy.queueproxy import QueueProxy
from activator.queueproxy.readiness import Readiness
from activator.queueproxy.settings import Settings
from activator.queueproxy.statistics import Statistics
from swell.runtime import log
from swell.runtime.errors import SwellError
from swell.runtime.tasks import Daemons
from swell.wire.announce import Announcement

if TYPE_CHECKING:
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
        idle_max = settings.container_concurrency or IDLE_UNLIMITED
        self._server = ProxyServer(self.proxy, idle_per_address_max=idle_max, idle_max=idle_max)
        self._drain_port = ProxyServer(DrainPort(self.proxy.drain))
        self._statistics_port = ProxyServer(StatisticsPort(self.statistics))

    @property
    def port(self) -> int:
        """Where the traffic comes in."""
        return self._server.listening_port

    async def start(self) -> None:
        """Listen on all ports, and probe the app until it is ready for the first time."""
        settings = self.settings
        self._daemons.spawn(self.readiness.start(), "readiness")
        await asyncio.gather(
            self._listen(self._server, settings.serving_port),
            self._listen(self._drain_port, settings.admin_port),
            self._listen(self._statistics_port, settings.statistics_port),
        )
        if settings.http2:
            self._server.prepare_http2()
        self.statistics.start()
        self._daemons.spawn(self._announce_once_ready(), "announcement")

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
        self._server.stop_accepting()
        await self._server.drain(LAST_S)

    async def close(self) -> None:
        """Stop everything."""
        await self._daemons.close()
        await self.proxy.close()
        await self.readiness.close()
        self.statistics.close()
        for server in (self._server, self._drain_port, self._statistics_port):
            server.close()

    async def _listen(self, server: ProxyServer, port: int) -> None:
        host = self.settings.pod_ip
        try:
            await server.start(host, port)
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
