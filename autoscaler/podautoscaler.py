"""PodAutoscalers: which revisions there are, what is decided for them, and what becomes of a decision.

Knows objects and decisions; the numbers behind them are `Revisions`', the writing of replicas `Scaler`'s.

The reference puts the activator into the path before it takes the last pod away, and waits for the grace
period until every ingress has heard of it. Here the front door is always in the path, so what it has been
waiting for has been so for ever, and nothing remains of the grace: the last pod goes as soon as the
PodAutoscaler is not active, unless the retention period says otherwise. What the reference asks its
activator by a probe, whether requests have somewhere to wait, is known here by its connection: without
any activator connected the last pod stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from autoscaler.decision.bounds import ScaleState, ScaleStep, scale_step
from autoscaler.decision.rows import UNDECIDED
from autoscaler.decision.schedule import with_floor
from autoscaler.extra import ExtraMetrics
from autoscaler.ledger.ledger import Ledger
from autoscaler.parameters import Parameters, parameters
from autoscaler.pods import Owner, PodCounts, owner_of
from autoscaler.policies.policies import Policies
from autoscaler.revisions import Revisions
from autoscaler.scale import Scaler
from autoscaler.schedules import Schedules
from autoscaler.status import Pods, activity, is_initialized, next_status
from swell.api.autoscaling import PodAutoscaler
from swell.api.fields import Malformed
from swell.api.kinds import DEPLOYMENT, POD_AUTOSCALER
from swell.api.labels import CLASS_KPA
from swell.api.meta import Key, Obj, key_of
from swell.config.autoscaler import AutoscalerConfig
from swell.config.deployment import DeploymentConfig
from swell.kube.apply import write_status
from swell.kube.client import KubeClient
from swell.policy import Seen
from swell.runtime import log
from swell.runtime.clock import Clock

FOREVER_S = math.inf

logger = log.get(__name__)


@dataclass(slots=True)
class _Managed:
    """One PodAutoscaler that is ours, as last seen. `owner` is how its pods name their revision."""

    obj: Obj
    pa: PodAutoscaler
    parameters: Parameters
    owner: Owner

    @property
    def deployment(self) -> Key:
        return Key(self.pa.meta.namespace, self.pa.scale_target_ref.name)


class PodAutoscalers:
    """All PodAutoscalers of our class. Everything but `reconcile` is done at once, without waiting."""

    def __init__(
        self,
        kube: KubeClient,
        clock: Clock,
        revisions: Revisions,
        pods: PodCounts,
        scaler: Scaler,
        schedules: Schedules,
        policies: Policies,
        buffer_answers: Callable[[], bool],
        ledger: Ledger,
        extra: ExtraMetrics,
        now: Callable[[], float],
    ) -> None:
        """`buffer_answers`: whether an activator would take requests if the last pod went now. `extra` is told of
        metrics beside requests. `now()` is the time that windows go by.
        """
        self._kube = kube
        self._clock = clock
        self._revisions = revisions
        self._pods = pods
        self._scaler = scaler
        self._schedules = schedules
        self._policies = policies
        self._buffer_answers = buffer_answers
        self._ledger = ledger
        self._extra = extra
        self._now = now
        self._managed: dict[Key, _Managed] = {}
        self._config = AutoscalerConfig()
        self._progress_deadline_s = float(DeploymentConfig().progress_deadline_s)

    def __contains__(self, key: Key) -> bool:
        return key in self._managed

    def object(self, key: Key) -> Obj | None:
        """The PodAutoscaler as last seen; None if there is none of ours."""
        managed = self._managed.get(key)
        return None if managed is None else managed.obj

    def __iter__(self) -> Iterator[tuple[PodAutoscaler, Owner]]:
        """Each that is ours, and how its pods name their revision."""
        return ((managed.pa, managed.owner) for managed in self._managed.values())

    def changed(self, old: Obj | None, new: Obj | None) -> None:
        """Take in one event of a PodAutoscaler: from now on reports of its revision count, or no more."""
        obj = new if new is not None else old
        assert obj is not None
        key = key_of(obj)
        pa = self._read(new) if new is not None else None
        known = self._managed.get(key)
        if known is not None and (pa is None or pa.meta.uid != known.pa.meta.uid):
            self._forget(key)
            known = None
        if new is None or pa is None:
            return
        found = self._parameters(pa)
        managed = _Managed(new, pa, found, owner_of(new) or Owner(key, ""))
        self._managed[key] = managed
        self._schedules.set(key, found.schedule)
        self._policies.set(key, found.policy)
        if known is None:
            self._open(key, managed)
        else:
            self._update(key, known.parameters, found)

    def configure(self, config: AutoscalerConfig, progress_deadline_s: float) -> list[Key]:
        """Apply the cluster's settings; returns the PodAutoscalers to reconcile: all."""
        self._config = config
        self._progress_deadline_s = progress_deadline_s
        for key, managed in self._managed.items():
            before, managed.parameters = managed.parameters, self._parameters(managed.pa)
            self._update(key, before, managed.parameters)
            self._policies.set(key, managed.parameters.policy)
        return list(self._managed)

    def held(self) -> Iterator[tuple[Key, int]]:
        """The revisions that have been ready once and have replicas, and how many."""
        for key, managed in self._managed.items():
            if replicas := self._held(managed):
                yield key, replicas

    def scrape_window_s(self, key: Key) -> float | None:
        """The stable window of a revision whose pods are to be scraped, None for any other (spec autoscaling 1.5)."""
        managed = self._managed.get(key)
        if managed is None or managed.parameters.rules.always_buffered:
            return None
        return managed.parameters.target.stable_window_s

    def pods_changed(self, owner: Owner) -> None:
        """Tell the decisions how many pods of a revision are ready now."""
        managed = self._managed.get(owner.revision)
        if managed is not None and managed.owner == owner:
            ready = self._pods.ready(owner)
            self._revisions.pods_ready(owner.revision, ready)
            self._scaler.ready(managed.deployment, ready)

    def seen(self, key: Key) -> Seen | None:
        """What a policy is told of a revision; None before anything was decided for it."""
        managed = self._managed.get(key)
        want = self._revisions.status(key)[0]
        if managed is None or want == UNDECIDED:
            return None
        rules = managed.parameters.rules
        stable, panic, in_panic, target = self._revisions.numbers(key)
        floor = self._schedules.floor(key).replicas if rules.reachable else 0
        return Seen(
            namespace=key.namespace,
            name=key.name,
            now_s=self._clock.wall(),
            ready=self._pods.ready(managed.owner),
            want=want,
            stable=stable,
            panic=panic,
            in_panic=in_panic,
            target=target,
            min_scale=rules.least,
            max_scale=rules.most,
            floor=min(floor, rules.most) if rules.most else floor,
            last=self._policies.last(key),
        )

    def act(self, key: Key) -> ScaleStep | None:
        """Do now what is decided for the revision: the replicas are on their way when this returns.

        None if the PodAutoscaler is not ours. The status is `reconcile`'s.
        """
        managed = self._managed.get(key)
        if managed is None:
            return None
        floor, replicas = self._schedules.floor(key).replicas, self._scaler.replicas(managed.deployment)
        state, rules = with_floor(self._state(key, managed), managed.parameters.rules, floor, replicas)
        step = scale_step(state, rules)
        # As it counts: not where it is below min-scale, and no more than max-scale.
        bounds = {"floor": float(rules.least)} if rules.least > managed.parameters.rules.least else {}
        if (answer := self._policies.last(key)) is not None:
            bounds["policy"] = float(answer)
        self._ledger.stepped(key, state, managed.parameters, step, self._clock.wall(), bounds)
        if step.apply and step.want >= 0:
            self._scaler.want(managed.deployment, step.want)
            if step.want == 0:
                self._revisions.put_to_zero(key)
        elif replicas == 0 and step.want == 0:
            # Nothing is left to take away, so there is nothing to look after either.
            step = replace(step, requeue_s=None)
        return step

    async def reconcile(self, key: Key) -> float | None:
        """Act, and write the status; returns when to do so again, in seconds. Raises a `KubeError`."""
        step = self.act(key)
        if step is None:
            return None
        managed = self._managed[key]
        pods = Pods(
            want=step.want,
            ready=self._pods.ready(managed.owner),
            least=managed.parameters.rules.least,
            initial=managed.parameters.rules.initial,
        )
        pa = managed.pa
        status = next_status(pa.status, pods, pa.meta.generation, self._clock.wall())
        if status != pa.status:
            await write_status(self._kube, POD_AUTOSCALER, managed.obj, status.to_obj())
        return step.requeue_s

    def _read(self, obj: Obj) -> PodAutoscaler | None:
        """The PodAutoscaler if it is ours: of our class, in order, and of a Deployment."""
        try:
            pa = PodAutoscaler.parse(obj)
        except Malformed as exc:
            logger.error("a PodAutoscaler cannot be read", podautoscaler=key_of(obj), error=str(exc))
            return None
        if pa.meta.deleting or (pa.annotations.scaling_class() or self._config.pod_autoscaler_class) != CLASS_KPA:
            return None
        ref = pa.scale_target_ref
        if (ref.api_version, ref.kind) != (DEPLOYMENT.api_version, DEPLOYMENT.kind):
            logger.error("only Deployments are scaled", podautoscaler=pa.meta.key, kind=f"{ref.api_version} {ref.kind}")
            return None
        return pa

    def _parameters(self, pa: PodAutoscaler) -> Parameters:
        return parameters(pa, self._config, self._progress_deadline_s)

    def _open(self, key: Key, managed: _Managed) -> None:
        found, now_s = managed.parameters, self._now()
        replicas = self._scaler.replicas(managed.deployment)
        self._revisions.collect(key, found.collection, now_s)
        self._revisions.open(
            key,
            found.target,
            now_s=now_s,
            ready_pods=self._pods.ready(managed.owner),
            held_pods=float(self._held(managed)),
            rps=found.rps,
            initial_scale=found.rules.initial,
            delay_s=found.delay_s,
            at_zero=replicas == 0 or (replicas is None and managed.pa.status.desired_scale == 0),
            listens_from=1 if is_initialized(managed.pa.status) else max(1, found.rules.initial),
        )
        if found.extra:
            self._extra.follow(key, managed.obj, found.extra)

    def _held(self, managed: _Managed) -> int:
        return (self._scaler.replicas(managed.deployment) or 0) if is_initialized(managed.pa.status) else 0

    def _update(self, key: Key, before: Parameters, after: Parameters) -> None:
        if before.collection != after.collection:
            self._revisions.collect(key, after.collection, self._now())
        if (before.target, before.rps) != (after.target, after.rps):
            self._revisions.update(key, after.target, rps=after.rps)
        if before.extra != after.extra:
            self._extra.follow(key, self._managed[key].obj, after.extra)

    def _forget(self, key: Key) -> None:
        del self._managed[key]
        self._schedules.set(key, ())
        self._extra.forget(key)
        self._policies.set(key, "")
        self._revisions.close(key)
        self._ledger.forget(key)

    def _state(self, key: Key, managed: _Managed) -> ScaleState:
        status = managed.pa.status
        active, since_s = activity(status, self._clock.wall())
        desired = self._revisions.status(key)[0] if key in self._revisions else UNDECIDED
        return ScaleState(
            desired=self._policies.desired(key, desired),
            activity=active,
            activity_s=since_s,
            initialized=is_initialized(status),
            proxying_s=FOREVER_S,
            buffer_answers=self._buffer_answers(),
        )
