"""The controller as a program: caches, queues and reconcilers put together, and taken apart in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from controller import configuration, gc, labeler, revision, route, service, triggers
from controller.apply import Applier
from controller.caches import Caches
from controller.settings import Settings
from swell.api.meta import Key
from swell.config.admission import LiveSettings
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.events import Recorder
from swell.kube.figures import of_controllers, of_elections
from swell.kube.leader import Elector
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons
from swell.runtime.vitals import Vitals

if TYPE_CHECKING:
    from controller.webhook.webhook import Webhook

__all__ = ["Settings", "run"]

LEASE: Final = "swell-controller"

Reconcile = Callable[[Key, Caches, Applier, float], Awaitable[float | None]]
RECONCILERS: Final[dict[str, Reconcile]] = {
    triggers.SERVICES: service.reconcile,
    triggers.CONFIGURATIONS: configuration.reconcile,
    triggers.REVISIONS: revision.reconcile,
    triggers.ROUTES: route.reconcile,
    triggers.LABELER: labeler.reconcile,
    triggers.GC: gc.reconcile,
}

_log = log.get("controller")


async def run(
    settings: Settings,
    kube: KubeClient,
    clock: Clock,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Reconcile until `stop` is set. `ready` is called, with 0, once the caches are full and the webhook serves.

    With an election this one works only while it leads, and is ready before that.
    Raises what a background task died of.
    """
    caches = Caches(kube, settings, clock)
    applier = Applier(kube, Recorder(kube, "controller", clock))
    controllers = _controllers(settings, caches, applier, clock)
    triggers.connect(caches, controllers)
    webhook = _webhook(settings, kube, caches, clock)
    elector = (
        Elector(kube, settings.system_namespace, LEASE, settings.pod_name, clock) if settings.leader_election else None
    )
    vitals = _vitals(controllers, elector)
    daemons = Daemons()

    async def start() -> None:
        await caches.start()
        # Running services need no webhook: what they need is done before there is one.
        daemons.spawn(_work(controllers, elector), "controllers")
        if webhook is not None:
            await webhook.start(daemons)
        vitals.ready = True
        if ready is not None:
            ready(0)
        _log.info("reconciling", leader_election=settings.leader_election)

    stopped = asyncio.ensure_future(stop.wait())
    daemons.spawn(start(), "start")
    try:
        async with vitals.served(settings.listen_ip, settings.admin_port):
            await daemons.watch(stopped)
    finally:
        stopped.cancel()
        await daemons.close()
        if webhook is not None:
            await webhook.close()
        await caches.close()


def _webhook(settings: Settings, kube: KubeClient, caches: Caches, clock: Clock) -> Webhook | None:
    """Admission by the ConfigMaps that the caches follow; None where the home has its own."""
    if not settings.webhook_port:
        return None
    # What it needs for HTTP and certificates takes memory and time to load.
    from controller.webhook.webhook import Webhook

    live = LiveSettings(settings.system_namespace)
    caches.on_config_map(live.on_config_map)
    return Webhook(kube, settings, live, clock)


def _controllers(settings: Settings, caches: Caches, applier: Applier, clock: Clock) -> dict[str, Controller]:
    """A queue and workers per reconciler."""

    def bound(reconcile: Reconcile) -> Callable[[Key], Awaitable[float | None]]:
        return lambda key: reconcile(key, caches, applier, clock.wall())

    return {
        name: Controller(name, bound(reconcile), clock=clock, workers=settings.workers)
        for name, reconcile in RECONCILERS.items()
    }


def _vitals(controllers: dict[str, Controller], elector: Elector | None) -> Vitals:
    vitals = Vitals()
    vitals.add(lambda: of_elections({LEASE: elector}))
    vitals.add(lambda: of_controllers(controllers))
    return vitals


async def _work(controllers: dict[str, Controller], elector: Elector | None) -> None:
    async def lead() -> None:
        async with asyncio.TaskGroup() as group:
            for each in controllers.values():
                group.create_task(each.run(), name=each.name)

    await (lead() if elector is None else elector.run(lead))
