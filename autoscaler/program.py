"""The autoscaler as a program: one that works, or stands by while another leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from autoscaler.autoscaler import Autoscaler
from autoscaler.settings import Settings
from swell.kube.client import KubeClient
from swell.kube.figures import of_election
from swell.kube.leader import Elector
from swell.runtime.clock import Clock
from swell.runtime.vitals import Vitals

__all__ = ["Settings", "run"]

LEASE: Final = "swell-autoscaler"


async def run(
    settings: Settings,
    kube: KubeClient,
    clock: Clock,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until `stop` is set. `ready` is called with the port that listens once it does.

    With leader election no reports are taken, and nothing decided, while another autoscaler leads. Raises what
    a background task died of, or what kept it from starting.
    """
    vitals = Vitals()

    async def serve() -> None:
        program = Autoscaler(settings, kube, clock)
        vitals.add(program.figures)
        try:
            await program.start()
            vitals.ready = True
            if ready is not None:
                ready(program.port)
            raise await program.failed()
        finally:
            vitals.remove(program.figures)
            await program.close()

    elector = _elector(settings, kube, clock, vitals)
    vitals.add(lambda: of_election(LEASE, elector))
    async with vitals.served(settings.listen_ip, settings.admin_port):
        await _until_stopped(elector.run(serve) if elector is not None else serve(), stop)


def _elector(settings: Settings, kube: KubeClient, clock: Clock, vitals: Vitals) -> Elector | None:
    if not settings.leader_election:
        return None
    return Elector(kube, settings.system_namespace, LEASE, settings.pod_name, clock, on_standby=vitals.stand_by)


async def _until_stopped(working: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Returns once `stop` is set; raises what the work raises before."""
    work = asyncio.ensure_future(working)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        work.cancel()
        stopped.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
