"""The autoscaler as a program: the owner of some buckets, or of none while others lead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from autoscaler.autoscaler import Autoscaler
from autoscaler.configmaps import OF_ELECTIONS, ConfigMaps
from autoscaler.settings import Settings
from swell.api.buckets import Share
from swell.api.kinds import CONFIG_MAP
from swell.config import leader_election
from swell.kube.client import KubeClient
from swell.kube.figures import of_elections
from swell.kube.informer import Informer
from swell.kube.leader import Elector, Turns
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.vitals import Vitals

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Settings", "run"]

logger = log.get(__name__)


async def run(
    settings: Settings,
    kube: KubeClient,
    clock: Clock,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until `stop` is set. `ready` is called with each port that listens, once it does.

    With leader election each bucket has a Lease, and who holds it takes the reports of its revisions and decides for
    them, until the Lease is lost. Raises what a background task died of, or what kept it from starting.
    """
    replica = _Replica(settings, kube, clock, ready or (lambda port: None))
    async with replica.vitals.served(settings.listen_ip, settings.admin_port):
        await _until_done(stop, replica.run())


class _Replica:
    """One program: an `Autoscaler` for each bucket that it owns."""

    def __init__(self, settings: Settings, kube: KubeClient, clock: Clock, ready: Callable[[int], None]) -> None:
        self._settings = settings
        self._kube = kube
        self._clock = clock
        self._ready = ready
        self._serving: dict[Share, Autoscaler] = {}
        self._electors: dict[str, Elector | None] = {Share().name: None}
        self._buckets_changed = asyncio.Event()
        self.vitals = Vitals()
        self.vitals.add(lambda: of_elections(self._electors))
        self.vitals.add(self._figures)

    async def run(self) -> None:
        """Serve until cancelled."""
        if not self._settings.leader_election:
            await self._serve(Share())
            return
        followed = Informer(
            self._kube,
            CONFIG_MAP,
            namespace=self._settings.system_namespace,
            field_selector=f"metadata.name={leader_election.NAME}",
            clock=self._clock,
        )
        configs = ConfigMaps(self._kube, self._clock, self._buckets_changed.set, OF_ELECTIONS)
        followed.add_handler(configs.seen)
        try:
            await followed.start()
            # Nothing is known that it said before: with another number than the others have, two would own a revision.
            for config in followed.items():
                leader_election.parse(config.get("data") or {})
            while True:
                self._buckets_changed.clear()
                await _until_done(self._buckets_changed, self._take_part(configs.config.leader_election.buckets))
                logger.info("the number of buckets has changed", buckets=configs.config.leader_election.buckets)
        finally:
            await followed.close()
            await configs.close()

    async def _take_part(self, buckets: int) -> None:
        """Be a candidate for all buckets, until cancelled. Raises what one of them died of."""
        turns = Turns()
        shares = [Share(ordinal, buckets) for ordinal in range(buckets)]
        electors = {share: self._elector(share.name, turns) for share in shares}
        self._electors = {share.name: elector for share, elector in electors.items()}
        leading = [
            asyncio.create_task(elector.run(lambda share=share: self._serve(share)), name=share.name)  # type: ignore[misc]
            for share, elector in electors.items()
        ]
        try:
            done, _ = await asyncio.wait(leading, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in leading:
                each.cancel()
            await asyncio.gather(*leading, return_exceptions=True)

    def _elector(self, lease: str, turns: Turns) -> Elector:
        settings = self._settings
        return Elector(
            self._kube,
            settings.system_namespace,
            lease,
            settings.pod_name,
            self._clock,
            turns=turns,
            on_standby=self.vitals.stand_by,
        )

    async def _serve(self, share: Share) -> None:
        program = self._serving[share] = Autoscaler(self._settings, self._kube, self._clock, share)
        try:
            await program.start()
            self.vitals.ready = True
            self._ready(program.port)
            raise await program.failed()
        finally:
            del self._serving[share]
            await program.close()

    def _figures(self) -> Iterable[Metric]:
        """Of all buckets that are owned here; which one, where there are several, is in a label."""
        families: dict[str, Metric] = {}
        for share, program in self._serving.items():
            for family in program.figures():
                if share.total > 1:
                    bucket = {"bucket": f"{share.ordinal:02d}"}
                    family.samples = [each._replace(labels=each.labels | bucket) for each in family.samples]
                if (known := families.setdefault(family.name, family)) is not family:
                    known.samples.extend(family.samples)
        return families.values()


async def _until_done(event: asyncio.Event, working: Coroutine[Any, Any, None]) -> None:
    """Returns once `event` is set, with the work cancelled; raises what the work raises before."""
    work = asyncio.ensure_future(working)
    stopped = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        work.cancel()
        stopped.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
