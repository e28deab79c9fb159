"""The autoscaler as a program: caches, its port and its timers put together, and taken apart in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from autoscaler import figures
from autoscaler.address import Address
from autoscaler.leaving import Leaving
from autoscaler.ledger import Ledger
from autoscaler.metrics.receive import Receiver, Reports
from autoscaler.pace import Pace, cpus_of
from autoscaler.podautoscaler import PodAutoscalers
from autoscaler.pods import Owner, PodCounts, owner_of
from autoscaler.policies.policies import Policies
from autoscaler.revisions import Revisions, Ticked
from autoscaler.scale import Scaler
from autoscaler.schedules import Schedules
from autoscaler.settings import Settings
from autoscaler.ticker import Ticker
from swell.api.kinds import CONFIG_MAP, DEPLOYMENT, NODE, POD, POD_AUTOSCALER
from swell.api.labels import REVISION
from swell.api.meta import Key, Obj, key_of
from swell.config import autoscaler, deployment
from swell.kube.client import KubeClient
from swell.kube.controller import GATHER_S, Controller
from swell.kube.events import Recorder
from swell.kube.figures import of_controllers, of_election
from swell.kube.informer import Informer
from swell.kube.leader import Elector
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.errors import SettingsError, SwellError
from swell.runtime.tasks import Daemons
from swell.runtime.vitals import Vitals
from swell.wire.report import ProvenPod

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Autoscaler", "Settings", "run"]

LEASE: Final = "swell-autoscaler"
# A start that takes less is written down once, when its pods are ready: on a busy node each write costs others time.
STARTING_S: Final = 2.0
WORKERS: Final = 4

logger = log.get(__name__)


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


class Autoscaler:
    """All parts of one autoscaler. `start`, then `failed`, then `close`."""

    def __init__(self, settings: Settings, kube: KubeClient, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._daemons = Daemons()
        self.revisions = Revisions()
        self.ledger = Ledger()
        self._pods = PodCounts()
        self._pace = Pace(clock)
        self.scaler = Scaler(kube, clock, self._scaled, self._pace, self._choose)
        self._owners: dict[Key, Key] = {}
        self.schedules = Schedules(clock, self._due, self._pods_of, self._pace.takes_s)
        self._recorder = Recorder(kube, "swell-autoscaler", clock)
        self.policies = Policies(clock, lambda key: self.podautoscalers.seen(key), self._due, self._policy_failed)
        self.podautoscalers = PodAutoscalers(
            kube,
            clock,
            self.revisions,
            self._pods,
            self.scaler,
            self.schedules,
            self.policies,
            lambda: self.receiver.connected,
        )
        self.receiver = Receiver(clock, self._reported, self._proven, self._answer)
        self.ticker = Ticker(self.revisions, clock, self._decided, lambda: self.receiver.hears)
        self._controller = Controller("podautoscaler", self.podautoscalers.reconcile, clock=clock, workers=WORKERS)
        self._address = (
            Address(kube, clock, settings.system_namespace, settings.pod_ip)
            if settings.leader_election and settings.pod_ip
            else None
        )
        self._nodes = Informer(kube, NODE, clock=clock)
        self._nodes.add_handler(self._node_changed)
        self._counting: asyncio.Task[None] | None = None
        self._configs = Informer(kube, CONFIG_MAP, namespace=settings.system_namespace, clock=clock)
        self._deployments = Informer(kube, DEPLOYMENT, label_selector=REVISION, clock=clock)
        self._revision_pods = Informer(kube, POD, label_selector=REVISION, clock=clock)
        self._autoscalers = Informer(kube, POD_AUTOSCALER, clock=clock)
        self._revision_pods.add_index(REVISION, _revision_of)
        self._leaving = Leaving(kube, clock, self._pods_of, self.receiver.loads)
        self._configs.add_handler(self._config_changed)
        self._deployments.add_handler(self._deployment_changed)
        self._revision_pods.add_handler(self._pod_changed)
        self._autoscalers.add_handler(self._autoscaler_changed)

    @property
    def port(self) -> int:
        return self.receiver.port

    async def start(self) -> None:
        """Fill the caches, then listen: a report must not meet an autoscaler that does not know its revision.

        Settings, Deployments and pods come before the PodAutoscalers that they matter to.
        """
        if self._settings.pace_starts:
            # Not waited for: without nodes, by rights say, pods start as they always did.
            self._counting = asyncio.create_task(self._nodes.start())
        for informer in (self._configs, self._deployments, self._revision_pods, self._autoscalers):
            await informer.start()
        self._daemons.spawn(self._controller.run(), "podautoscaler controller")
        await self._listen(self._settings.listen_ip, self._settings.port)
        if self._address is not None:
            await self._address.start(self.port)
        logger.info("serving", port=self.port, revisions=len(self.revisions))

    async def _listen(self, ip: str, port: int) -> None:
        try:
            await self.receiver.start(ip, port)
        except OSError as exc:
            raise SwellError(
                f"cannot listen on {ip}:{port}, where activators report to the autoscaler: "
                f"{os.strerror(exc.errno or 0)}; stop the program that has the port, then start again"
            ) from exc

    def figures(self) -> Iterable[Metric]:
        """For metrics."""
        yield from of_controllers({"podautoscaler": self._controller})
        yield from self.policies.figures()
        yield from figures.of_decisions(self.ticker, self.receiver, len(self.revisions))

    async def failed(self) -> BaseException:
        """The exception of the first background task that dies; may wait for ever."""
        return await self._daemons.wait_failed()

    async def close(self) -> None:
        """Send the activators away, to whoever comes next, then stop everything."""
        if self._address is not None:
            await self._address.close()
        await self.receiver.close()
        self.ticker.close()
        self.schedules.close()
        await self.policies.close()
        for informer in (self._autoscalers, self._revision_pods, self._deployments, self._configs, self._nodes):
            await informer.close()
        if self._counting is not None:
            await asyncio.gather(self._counting, return_exceptions=True)
        await self._daemons.close()
        await self.scaler.close()

    def _reported(self, reports: Reports) -> None:
        """A cold start runs through here: report, decision and replicas, without a queue in between."""
        for ticked in self.revisions.receive(reports, self._clock.wall()):
            self._decided(ticked)
        self.ticker.wake()

    def _decided(self, ticked: Ticked) -> None:
        self.ledger.decided(ticked, self._clock.wall())
        for key in ticked.changed():
            step = self.podautoscalers.act(key)
            # What is left is the status.
            self._enqueue(key, STARTING_S if step is not None and step.want > 0 else GATHER_S)
        self.policies.decided(ticked.changed())

    def _due(self, keys: list[Key]) -> None:
        """Other pods are wanted for these by the time, or by their policies."""
        for key in keys:
            self.podautoscalers.act(key)
            self._enqueue(key, GATHER_S)

    def _policy_failed(self, policy: str, message: str) -> None:
        config = self._configs.get(self._settings.system_namespace, autoscaler.NAME)
        if config is not None:
            about = {"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, **config}
            event = self._recorder.event(about, "Warning", "PolicyFailed", message)
            self._daemons.spawn(event, f"event of policy {policy}")

    def _pods_of(self, revision: Key) -> list[Obj]:
        return self._revision_pods.indexed(REVISION, str(revision))

    def _node_changed(self, old: Obj | None, new: Obj | None) -> None:
        self._pace.set_cpus(cpus_of(self._nodes.items()))

    async def _choose(self, deployment: Key, replicas: int) -> None:
        revision = self._owners.get(deployment)
        if revision is not None:
            await self._leaving.choose(revision, replicas)

    def _scaled(self, target: Key, before: int, after: int) -> None:
        self.ledger.scaled(self._owners.get(target, target), before, after, self._clock.wall())

    def _config_changed(self, old: Obj | None, new: Obj | None) -> None:
        obj = new if new is not None else old
        assert obj is not None
        if key_of(obj).name not in (autoscaler.NAME, deployment.NAME):
            return
        try:
            config = autoscaler.parse(self._data(autoscaler.NAME))
            deadline_s = float(deployment.parse(self._data(deployment.NAME)).progress_deadline_s)
        except SettingsError as exc:
            logger.error("the settings stay as they were", error=str(exc))
            return
        self.policies.configure(config.policies)
        for key in self.podautoscalers.configure(config, deadline_s):
            self._enqueue(key)

    def _data(self, name: str) -> dict[str, str]:
        found = self._configs.get(self._settings.system_namespace, name)
        return (found or {}).get("data") or {}

    def _deployment_changed(self, old: Obj | None, new: Obj | None) -> None:
        self.scaler.changed(old, new)
        obj = new if new is not None else old
        owner = owner_of(obj) if obj is not None else None
        if obj is None or owner is None:
            return
        if new is None:
            self._owners.pop(key_of(obj), None)
            return
        self._owners[key_of(obj)] = owner.revision
        if old is None:
            self._enqueue(owner.revision)
        elif old["spec"].get("replicas") != new["spec"].get("replicas"):
            # Most often it is our own write. If it was somebody else's, this puts it right.
            self.podautoscalers.act(owner.revision)
            self._enqueue(owner.revision, STARTING_S if new["spec"].get("replicas") else GATHER_S)

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        self.schedules.pod_changed(old, new)
        self._counted(self._pods.changed(old, new), STARTING_S if old is None else 0.0)

    def _proven(self, pods: Iterable[ProvenPod]) -> None:
        """Pods that answer. One that is not known yet, or by another uid, is left to Kubernetes."""
        for pod in pods:
            found = self._revision_pods.get(pod.namespace, pod.name)
            if found is not None and found["metadata"]["uid"] == pod.uid:
                self.schedules.pod_proven(found)
                self._counted(self._pods.proven(found))

    def _counted(self, owners: Iterable[Owner], delay_s: float = 0.0) -> None:
        for owner in owners:
            self.podautoscalers.pods_changed(owner)
            self._enqueue(owner.revision, delay_s)

    def _autoscaler_changed(self, old: Obj | None, new: Obj | None) -> None:
        self.podautoscalers.changed(old, new)
        obj = new if new is not None else old
        assert obj is not None
        if new is None:
            self.ledger.forget(key_of(obj))
        self._enqueue(key_of(obj))

    def _enqueue(self, key: Key, delay_s: float = 0.0) -> None:
        if key in self.podautoscalers:
            self._controller.enqueue_after(key, delay_s)
        self.ticker.wake()

    def _answer(self, path: str) -> Any:
        """GET /decisions: the last numbers of all; /decisions/NAMESPACE/NAME: what happened to one; /policies."""
        match path.strip("/").split("/"):
            case ["decisions"]:
                return self.revisions.describe(self._clock.wall())
            case ["policies"]:
                return self.policies.describe()
            case ["decisions", namespace, name] if Key(namespace, name) in self.podautoscalers:
                return self.ledger.of(Key(namespace, name))
        raise KeyError(path)


def _revision_of(pod: Obj) -> list[str]:
    """For the index of pods."""
    owner = owner_of(pod)
    return [str(owner.revision)] if owner is not None else []
