"""The autoscaler's parts put together: caches, its port and its timers; taken apart in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from autoscaler import figures
from autoscaler.address import Address
from autoscaler.caches import Caches
from autoscaler.configmaps import ConfigMaps
from autoscaler.explain import reason
from autoscaler.extra import ExtraMetrics
from autoscaler.forwarding import Forwarder
from autoscaler.handover import Running, ready_since_s
from autoscaler.hpa_controller import HorizontalAutoscalers
from autoscaler.leaving import Leaving
from autoscaler.ledger.keeper import keeper
from autoscaler.ledger.ledger import Ledger
from autoscaler.metrics.receive import Elsewhere, Receiver, Reports
from autoscaler.metrics.scrape import Scraper
from autoscaler.pace import Pace, cpus_of
from autoscaler.podautoscaler import PodAutoscalers
from autoscaler.pods import Owner, PodCounts, owner_of
from autoscaler.policies.policies import Policies
from autoscaler.revisions import Revisions, Ticked
from autoscaler.scale import Scaler
from autoscaler.scale_events import ScaleEvents
from autoscaler.schedules import Schedules
from autoscaler.settings import Settings
from autoscaler.steady import Steady
from autoscaler.takeover import TakeOver
from autoscaler.ticker import Ticker
from autoscaler.why import document, why
from swell.api.buckets import Share, bucket_of
from swell.api.kinds import CONFIG_MAP
from swell.api.meta import Key, Obj, key_of
from swell.config.autoscaler import NAME as AUTOSCALER_CONFIG
from swell.kube.client import KubeClient
from swell.kube.controller import GATHER_S, Controller
from swell.kube.events import Recorder
from swell.kube.figures import of_controllers
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.errors import SwellError
from swell.runtime.tasks import Daemons
from swell.wire.history import History
from swell.wire.report import ProvenPod

if TYPE_CHECKING:
    from prometheus_client.core import Metric

# A start that takes less is written down once, when its pods are ready: on a busy node each write costs others time.
STARTING_S: Final = 2.0
WORKERS: Final = 4

logger = log.get(__name__)


class Autoscaler:
    """All parts of one autoscaler. `start`, then `failed`, then `close`.

    Objects of revisions that are not in its `share` are as if they were not there.
    """

    def __init__(self, settings: Settings, kube: KubeClient, clock: Clock, share: Share) -> None:
        self._settings = settings
        self._share = share
        self._clock = clock
        self._now = Steady(clock)
        self._daemons = Daemons()
        self._caches = caches = Caches(kube, clock, settings.system_namespace, share)
        self.revisions = Revisions()
        self.ledger = Ledger()
        self._pods = PodCounts()
        self._pace = Pace(clock)
        self.scaler = Scaler(kube, clock, self._written, self._pace, self._choose)
        self._owners: dict[Key, Key] = {}
        self.extra = ExtraMetrics(
            kube, clock, self.revisions, caches.pods_of, self._now, self._decided, lambda: self.ticker.wake()
        )
        self.schedules = Schedules(clock, self._due, caches.pods_of, self._pace.takes_s)
        self._recorder = Recorder(kube, "autoscaler", clock)
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
            self.ledger,
            self.extra,
            self._now,
        )
        self._keeper = keeper(settings.ledger, self.ledger, kube, settings.system_namespace, share.ordinal, clock)
        self._events = ScaleEvents(self._recorder, clock, self.podautoscalers.object)
        self._forwarder = Forwarder(kube, clock, settings.system_namespace, share) if share.total > 1 else None
        self.receiver = Receiver(
            clock, self._reported, self._proven, self._told, self._answer, share.total, self._forwarder
        )
        self.ticker = Ticker(self.revisions, clock, self._decided, lambda: self.receiver.hears, self._now)
        self.scraper = Scraper(clock, self._now, self._scraped, self._set_blind)
        self._takeover = TakeOver(self._now, self.revisions, self._running, self.ticker.at_once)
        self._controller = Controller("podautoscaler", self.podautoscalers.reconcile, clock=clock, workers=WORKERS)
        self._address = (
            Address(kube, clock, settings.system_namespace, settings.pod_ip, share.ordinal)
            if settings.leader_election and settings.pod_ip
            else None
        )
        self.horizontal = HorizontalAutoscalers(kube, clock, self._pods)
        self._config_maps = ConfigMaps(kube, clock, self._configured)
        self._leaving = Leaving(kube, clock, caches.pods_of, self.receiver.loads)
        caches.nodes.add_handler(self._node_changed)
        caches.activators.add_handler(lambda old, new: self._takeover.expect(caches.activators.items()))
        caches.config_maps.add_handler(self._config_maps.seen)
        caches.deployments.add_handler(self._deployment_changed)
        caches.pods.add_handler(self._pod_changed)
        caches.autoscalers.add_handler(self._autoscaler_changed)

    @property
    def port(self) -> int:
        return self.receiver.port

    async def start(self) -> None:
        """Fill the caches, then listen: a report must not meet an autoscaler that does not know its revision."""
        await self.horizontal.start()
        await self._caches.start(nodes=self._settings.pace_starts)
        if self._keeper is not None:
            await self._keeper.load(self.podautoscalers.__contains__)
            self._daemons.spawn(self._keeper.run(), "ledger")
        self._daemons.spawn(self._events.run(), "events")
        self._daemons.spawn(self._controller.run(), "podautoscaler controller")
        self._daemons.spawn(self.horizontal.run(), "hpa controller")
        await self._listen(self._settings.listen_ip, self._port(self._share.ordinal))
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

    def _port(self, bucket: int) -> int:
        """Each owner has its own, because one program may be several."""
        return self._settings.port + bucket if self._settings.port else 0

    def figures(self) -> Iterable[Metric]:
        """For metrics."""
        yield from of_controllers({"podautoscaler": self._controller, "hpa": self.horizontal.controller})
        yield from figures.of_decisions(self.ticker, self.receiver, self.revisions)
        yield from self.extra.figures()
        yield from figures.of_scrapes(self.scraper)
        yield from figures.of_revisions(self.revisions.describe(self._now()), self.podautoscalers, self._pods)
        yield from self.policies.figures()
        if self._forwarder is not None:
            yield from figures.of_forwarding(self._forwarder)

    async def failed(self) -> BaseException:
        """The exception of the first background task that dies; may wait for ever."""
        return await self._daemons.wait_failed()

    async def close(self) -> None:
        """Send the activators away, to whoever comes next, then stop everything."""
        if self._address is not None:
            await self._address.close()
        await self.receiver.close()
        if self._forwarder is not None:
            await self._forwarder.close()
        self.ticker.close()
        self.schedules.close()
        await self.scraper.close()
        await self.policies.close()
        await self._caches.close()
        await self.horizontal.close()
        await self._config_maps.close()
        self._events.close()
        await self._daemons.close()
        await self.extra.close()
        await self.scaler.close()
        if self._keeper is not None:
            await self._keeper.close()

    def _reported(self, reports: Reports) -> None:
        """A cold start runs through here: report, decision and replicas, without a queue in between."""
        for ticked in self.revisions.receive(reports, self._now()):
            self._decided(ticked)
        self.ticker.wake()

    def _told(self, history: History) -> None:
        self._takeover.told(history)
        self.ticker.wake()

    def _running(self) -> dict[Key, Running]:
        return {
            key: Running(replicas, ready_since_s(self._caches.pods_of(key)))
            for key, replicas in self.podautoscalers.held()
        }

    def _scraped(self, stats: Reports) -> None:
        self.revisions.record(stats, self._now())
        self.ticker.wake()

    def _set_blind(self, key: Key, blind: bool) -> None:
        self.revisions.set_blind(key, blind)
        self.ticker.wake()

    def _decided(self, ticked: Ticked) -> None:
        self.ledger.ticked(ticked, self._clock.wall())
        self._events.ticked(ticked)
        for key, began in ticked.panics():
            logger.info("panic has begun" if began else "panic is over", revision=key)
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
        config = self._caches.config_maps.get(self._settings.system_namespace, AUTOSCALER_CONFIG)
        if config is not None:
            about = {"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, **config}
            event = self._recorder.event(about, "Warning", "PolicyFailed", message)
            self._daemons.spawn(event, f"event of policy {policy}")

    def _node_changed(self, old: Obj | None, new: Obj | None) -> None:
        self._pace.set_cpus(cpus_of(self._caches.nodes.items()) / self._share.total)

    async def _choose(self, deployment: Key, replicas: int) -> None:
        revision = self._owners.get(deployment)
        if revision is not None:
            await self._leaving.choose(revision, replicas)

    def _written(self, target: Key, before: int, after: int) -> None:
        revision = self._owners.get(target)
        if revision is not None and revision in self.podautoscalers:
            row = self.ledger.scaled(revision, before, after, self._clock.wall())
            self._events.scaled(revision, before, after, reason(document(row)))

    def _configured(self) -> None:
        config = self._config_maps.config
        self.scraper.configure(
            config.network.mesh_compatibility_mode, passthrough=config.network.enable_mesh_pod_addressability
        )
        self.extra.allow(config.autoscaler.metrics_allowed_hosts)
        self.policies.configure(config.autoscaler.policies)
        for key in self.podautoscalers.configure(config.autoscaler, config.progress_deadline_s):
            self.scraper.follow(key, self.podautoscalers.scrape_window_s(key))
            self._enqueue(key)
        self.horizontal.configure(config.autoscaler)

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
        self.scraper.pod_changed(old, new)

    def _proven(self, pods: Iterable[ProvenPod]) -> None:
        """Pods that answer. One that is not known yet, or by another uid, is left to Kubernetes."""
        for pod in pods:
            found = self._caches.pods.get(pod.namespace, pod.name)
            if found is not None and found["metadata"]["uid"] == pod.uid:
                self.schedules.pod_proven(found)
                self._counted(self._pods.proven(found))

    def _counted(self, owners: Iterable[Owner], delay_s: float = 0.0) -> None:
        for owner in owners:
            self.podautoscalers.pods_changed(owner)
            self.horizontal.pods_changed(owner)
            self._enqueue(owner.revision, delay_s)

    def _autoscaler_changed(self, old: Obj | None, new: Obj | None) -> None:
        self.podautoscalers.changed(old, new)
        self.horizontal.changed(old, new)
        obj = new if new is not None else old
        assert obj is not None
        self.scraper.follow(key_of(obj), self.podautoscalers.scrape_window_s(key_of(obj)))
        self._enqueue(key_of(obj))

    def _enqueue(self, key: Key, delay_s: float = 0.0) -> None:
        if key in self.podautoscalers:
            self._controller.enqueue_after(key, delay_s)
        self.ticker.wake()

    def _answer(self, path: str, query: Mapping[str, str]) -> Any:
        """GET /decisions: the last numbers of all; /why/NAMESPACE/REVISION?at=UNIX_SECONDS: why one is as it is;
        /policies: what those of operators have done."""
        match path.strip("/").split("/"):
            case ["decisions"]:
                return self.revisions.describe(self._now())
            case ["policies"]:
                return self.policies.describe()
            case ["why", namespace, name] if (key := Key(namespace, name)) in self.podautoscalers:
                return why(key, self.ledger, self.revisions, self._clock.wall(), query.get("at"))
            case ["why", namespace, name] if not self._share.owns(namespace, name):
                raise Elsewhere(self._port(bucket_of(namespace, name, self._share.total)))
        raise KeyError(path)
