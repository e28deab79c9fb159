"""The controller as a program: caches, queues and reconcilers put together, and taken apart in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from controller import configuration, gc, labeler, revision, route, service, triggers
from controller.apply import Applier
from controller.caches import Caches
from controller.settings import Settings
from swell.api.meta import Key
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.events import Recorder
from swell.kube.leader import Elector
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons

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
    """Reconcile until `stop` is set. `ready` is called, with 0, once the caches are full.

    With an election this one works only while it leads, and is ready before that.
    Raises what a background task died of.
    """
    caches = Caches(kube, settings, clock)
    applier = Applier(kube, Recorder(kube, "controller", clock))
    controllers = _controllers(settings, caches, applier, clock)
    triggers.connect(caches, controllers)
    stopped = asyncio.ensure_future(stop.wait())
    starting = asyncio.ensure_future(caches.start())
    daemons = Daemons()
    try:
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return
        starting.result()
        daemons.spawn(_work(settings, kube, clock, controllers), "controllers")
        if ready is not None:
            ready(0)
        _log.info("reconciling", leader_election=settings.leader_election)
        await daemons.watch(stopped)
    finally:
        starting.cancel()
        stopped.cancel()
        await asyncio.gather(starting, stopped, return_exceptions=True)
        await daemons.close()
        await caches.close()


def _controllers(settings: Settings, caches: Caches, applier: Applier, clock: Clock) -> dict[str, Controller]:
    """A queue and workers per reconciler."""

    def bound(reconcile: Reconcile) -> Callable[[Key], Awaitable[float | None]]:
        return lambda key: reconcile(key, caches, applier, clock.wall())

    return {
        name: Controller(name, bound(reconcile), clock=clock, workers=settings.workers)
        for name, reconcile in RECONCILERS.items()
    }


async def _work(settings: Settings, kube: KubeClient, clock: Clock, controllers: dict[str, Controller]) -> None:
    async def lead() -> None:
        async with asyncio.TaskGroup() as group:
            for each in controllers.values():
                group.create_task(each.run(), name=each.name)

    if not settings.leader_election:
        await lead()
        return
    elector = Elector(kube, settings.system_namespace, LEASE, settings.pod_name, clock)
    await elector.run(lead)
