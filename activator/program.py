"""The front door as a program: caches, sockets and timers put together, and taken apart in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from activator.activator import Activator, Health, Outside
from activator.admin import Admin
from activator.backends import Backends
from activator.gateway import Gateway, Target
from activator.peers import place
from activator.pods import REVISION_LABEL
from activator.probing import probe
from activator.proxy.server import ProxyServer
from activator.reporting.owners import Owners
from activator.requestlog.live import LiveLog
from activator.revision import read_revision
from activator.settings import Settings
from activator.state import describe, metrics
from swell.api.kinds import CONFIG_MAP, POD, REVISION, ROUTE
from swell.api.labels import ACTIVATOR_SELECTOR
from swell.config.observability import NAME as OBSERVABILITY
from swell.kube.informer import Informer
from swell.runtime import log
from swell.runtime.tasks import Daemons
from swell.wire.errors import WireError
from swell.wire.loads import PodLoads, decode_question, encode_loads

if TYPE_CHECKING:
    from activator.admission.throttler import Address
    from activator.proxy.dispatcher import Dispatcher
    from swell.kube.client import KubeClient, Obj
    from swell.runtime.clock import Cancellable, Clock

__all__ = ["FrontDoor", "Settings", "run"]

# How long the last report may take to reach the socket.
FLUSH_S: Final = 1.0

_log = log.get("activator")


async def run(
    settings: Settings,
    kube: KubeClient,
    clock: Clock,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until `stop` is set, then drain. `ready` is called with the gateway's port once it serves.

    Raises what a background task died of, or what kept the front door from starting.
    """
    door = FrontDoor(settings, kube, clock)
    stopped = asyncio.ensure_future(stop.wait())
    starting = asyncio.ensure_future(door.start())
    try:
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return
        starting.result()
        if ready is not None:
            ready(door.gateway_port)
        await door.serve_until(stopped)
        await door.drain()
    finally:
        starting.cancel()
        stopped.cancel()
        await asyncio.gather(starting, stopped, return_exceptions=True)
        await door.close()


class FrontDoor:
    """All parts of one front door. `start`, then `serve_until`, `drain`, `close`."""

    def __init__(self, settings: Settings, kube: KubeClient, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._daemons = Daemons()
        self._probes: set[asyncio.Task[bool]] = set()
        self._patience: Cancellable | None = None
        self.owners = Owners(
            settings.pod_name,
            clock,
            settings.autoscaler_url,
            lambda: self.activator.waiting(),
            self._answer,
            self._looked,
            self._daemons.spawn,
        )
        self.gateway = Gateway(settings.cluster_domain)
        self.health = Health()
        self.request_log = LiveLog()
        self.backends = Backends(
            clock,
            self._start_probe,
            lambda revision: self.activator.pods_changed(revision),
            lambda facts: self.owners.proven(facts.revision, facts.name, facts.uid),
            self._drop,
            probe_first_s=settings.probe_first_s,
            probe_last_s=settings.probe_last_s,
        )
        self.activator = Activator(
            settings, clock, self.gateway, self.backends, self.owners, self.health, self.request_log
        )
        shared = settings.trust_revision_headers or not settings.local_port
        outside = self.activator if shared else Outside(self.activator)
        self._servers = {"gateway": _server(outside, settings)}
        if settings.local_port:
            self._servers["local"] = _server(self.activator, settings)
        self.admin = Admin(
            unready=self.health.unready,
            announced=self.backends.announced,
            state=lambda: describe(self.activator, self.owners),
            metrics=lambda: metrics(self.activator, self.owners),
        )
        self._revisions = Informer(kube, REVISION, clock=clock)
        self._pods = Informer(kube, POD, label_selector=REVISION_LABEL, clock=clock)
        self._routes = Informer(kube, ROUTE, clock=clock)
        self._peers = Informer(
            kube, POD, namespace=settings.system_namespace, label_selector=ACTIVATOR_SELECTOR, clock=clock
        )
        self._config = Informer(
            kube,
            CONFIG_MAP,
            namespace=settings.system_namespace,
            field_selector=f"metadata.name={OBSERVABILITY}",
            clock=clock,
        )
        self._config.add_handler(self.request_log.config_changed)
        self._revisions.add_handler(self._revision_changed)
        self._pods.add_handler(self.backends.pod_changed)
        self._routes.add_handler(self._route_changed)
        self._peers.add_handler(self._peer_changed)

    @property
    def gateway_port(self) -> int:
        return self._servers["gateway"].listening_port

    async def start(self) -> None:
        """Fill the caches, then listen. Revisions and pods come before the Routes that point at them."""
        self._patience = self._clock.call_later(self.settings.autoscaler_patience_s, self._looked)
        await self.admin.start(self.settings.listen_ip, self.settings.admin_port)
        self.owners.start()
        for informer in (self._config, self._peers, self._revisions, self._pods, self._routes):
            await informer.start()
        ports = {"gateway": self.settings.gateway_port, "local": self.settings.local_port}
        for name, server in self._servers.items():
            await server.start(self.settings.listen_ip, ports[name])
        self.health.serving = True
        _log.info("serving", gateway=self.gateway_port, admin=self.admin.port)

    async def serve_until(self, stopped: asyncio.Future[Any]) -> None:
        """Returns once `stopped` is done; raises if a background task has died before."""
        await self._daemons.watch(stopped)

    async def drain(self) -> None:
        """Readiness fails at once; new requests for the grace; then what is in flight may finish.

        During the grace callers are told that their connections end, and those that say nothing may stay: closing
        an idle connection could meet a request that is on its way.
        """
        self.health.terminating = True
        for server in self._servers.values():
            server.retire()
        _log.info("draining", grace_s=self.settings.shutdown_grace_s)
        if self.settings.shutdown_grace_s:
            await self._clock.sleep(self.settings.shutdown_grace_s)
        for server in self._servers.values():
            server.stop_accepting()
        deadline_s, tunnels_s = self.settings.drain_deadline_s, self.settings.drain_tunnels_s
        await asyncio.gather(*(server.drain(deadline_s, tunnels_s=tunnels_s) for server in self._servers.values()))

    async def close(self) -> None:
        """Stop everything; whoever still waits is told so."""
        if self._patience is not None:
            self._patience.cancel()
        self.activator.shut()
        for server in self._servers.values():
            server.stop_accepting()
        self.owners.close()
        try:
            async with asyncio.timeout(FLUSH_S):
                await self.owners.drained()
        except TimeoutError:
            _log.warning("the last report was not taken by the autoscaler")
        for informer in (self._routes, self._pods, self._revisions, self._peers, self._config):
            await informer.close()
        self.request_log.close()
        self.backends.close()
        for task in self._probes:
            task.cancel()
        await self._daemons.close()
        await self.admin.close()

    def _drop(self, address: Address) -> None:
        for server in self._servers.values():
            server.drop(address)

    def _answer(self, question: bytes) -> bytes | None:
        """An autoscaler is about to take pods away, and asks which of them have nothing to do."""
        try:
            target = Target(*decode_question(question))
        except WireError as error:
            _log.warning("a question of the autoscaler cannot be read", bytes=len(question), error=str(error))
            return None
        return encode_loads(PodLoads(*target, self.backends.loads(target)))

    def _looked(self) -> None:
        """The autoscaler was found, or has been looked for long enough."""
        self.health.looking = False

    def _start_probe(self, address: Address, done: Callable[[bool], None]) -> None:
        task = asyncio.ensure_future(probe(address, self.settings.probe_timeout_s))
        self._probes.add(task)

        def finished(task: asyncio.Task[bool]) -> None:
            self._probes.discard(task)
            if not task.cancelled():
                done(task.result())

        task.add_done_callback(finished)

    def _revision_changed(self, old: Obj | None, new: Obj | None) -> None:
        if new is not None:
            self.activator.revision_changed(_target(new), read_revision(new))
        elif old is not None:
            self.activator.revision_removed(_target(old))

    def _route_changed(self, old: Obj | None, new: Obj | None) -> None:
        if new is not None:
            self.gateway.set_route(new)
        elif old is not None:
            self.gateway.remove_route(old)

    def _peer_changed(self, old: Obj | None, new: Obj | None) -> None:
        found = place(self._peers.items(), self.settings.pod_name)
        if found is not None:
            self.activator.set_share(*found)


def _server(dispatcher: Dispatcher, settings: Settings) -> ProxyServer:
    return ProxyServer(
        dispatcher,
        trust=settings.trust,
        head_bytes_max=settings.head_bytes_max,
        headers_max=settings.headers_max,
        target_bytes_max=settings.target_bytes_max,
        head_timeout_s=settings.head_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
    )


def _target(obj: Obj) -> Target:
    return Target(obj["metadata"]["namespace"], obj["metadata"]["name"])
