"""Metrics beside requests, put together: who asks for them, what they do to decisions, who is told when they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from autoscaler.decision.extras import Kind, Metric
from autoscaler.metrics.external import External
from autoscaler.metrics.external_answers import SourceFailed, address, resource_value, value_of
from autoscaler.metrics.external_http import HttpSource
from autoscaler.pods import State, state_of
from autoscaler.revisions import Revisions, Ticked
from swell.api.allowed_hosts import endpoint_of, is_allowed
from swell.api.extra_metrics import ALLOWED_HOSTS_KEY, REMOTE, ExtraMetric, MetricType
from swell.api.kinds import POD_METRICS
from swell.api.labels import REVISION
from swell.api.meta import Key, Obj
from swell.kube.client import KubeClient
from swell.kube.errors import KubeError, NotFound
from swell.kube.events import Recorder
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

FAILED: Final = "MetricFailed"
RECOVERED: Final = "MetricRecovered"
_KINDS: Final = {each: Kind[each.name] for each in MetricType}

logger = log.get(__name__)


class ExtraMetrics:
    """`pods(revision)` are the pods of a revision, and `now()` is the time that windows go by; `decided` is told of
    decisions that did not wait for a tick, and `wake` that a tick is due.
    """

    def __init__(
        self,
        kube: KubeClient,
        clock: Clock,
        revisions: Revisions,
        pods: Callable[[Key], Iterable[Obj]],
        now: Callable[[], float],
        decided: Callable[[Ticked], object],
        wake: Callable[[], object],
    ) -> None:
        self._kube = kube
        self._now = now
        self._revisions = revisions
        self._pods = pods
        self._decided = decided
        self._wake = wake
        self._allowed: tuple[str, ...] = ()
        self._autoscalers: dict[Key, Obj] = {}
        self._http = HttpSource()
        self._external = External(clock, self._read, self._measured, self._told)
        self._events = Recorder(kube, "autoscaler", clock)
        self._daemons = Daemons()

    def allow(self, hosts: tuple[str, ...]) -> None:
        """Which hosts may be asked from now on."""
        self._allowed = hosts

    def follow(self, key: Key, autoscaler: Obj, metrics: tuple[ExtraMetric, ...]) -> None:
        """Scale the revision by these metrics too, in place of those before. `autoscaler` is what events are about."""
        self._revisions.measure(key, [Metric(each.name, each.target, _KINDS[each.type]) for each in metrics])
        self._external.follow(key, metrics)
        if metrics:
            self._autoscalers[key] = autoscaler
        else:
            self._autoscalers.pop(key, None)

    def forget(self, key: Key) -> None:
        """The revision is gone."""
        self._external.forget(key)
        self._autoscalers.pop(key, None)

    def figures(self) -> Iterable[Family]:
        """For metrics."""
        from prometheus_client.core import GaugeMetricFamily

        failing = GaugeMetricFamily(
            "swell_autoscaler_metric_failing",
            "Metrics of swell.dev/metrics whose source gave no number when last asked.",
            labels=("namespace_name", "revision_name", "metric"),
        )
        for key, name in self._external.failing:
            failing.add_metric((key.namespace, key.name, name), 1)
        yield failing

    async def close(self) -> None:
        await self._external.close()
        await self._daemons.close()
        await self._http.close()

    async def _read(self, key: Key, metrics: tuple[ExtraMetric, ...]) -> Mapping[str, float | SourceFailed]:
        if metrics[0].type not in REMOTE:
            return await self._read_resources(key, metrics)
        (metric,) = metrics
        endpoint = endpoint_of(metric.url)
        if endpoint is None or not is_allowed(endpoint, self._allowed):
            raise SourceFailed(f"{metric.url} is not among {ALLOWED_HOSTS_KEY} in ConfigMap config-autoscaler")
        return {metric.name: value_of(metric, await self._http.get(address(metric)))}

    async def _read_resources(self, key: Key, metrics: tuple[ExtraMetric, ...]) -> Mapping[str, float | SourceFailed]:
        """Cpu and memory by the metrics API; without ready pods nobody is asked."""
        ready = [pod for pod in self._pods(key) if state_of(pod) is State.READY]
        measured: dict[str, Obj] = {}
        if ready:
            try:
                found = await self._kube.list(POD_METRICS, key.namespace, label_selector=f"{REVISION}={key.name}")
            except NotFound:
                raise SourceFailed("the cluster serves no metrics.k8s.io: install metrics-server") from None
            except KubeError as exc:
                raise SourceFailed(f"the metrics API cannot be asked: {exc.message}") from exc
            measured = {each["metadata"]["name"]: each for each in found.items}
        values: dict[str, float | SourceFailed] = {}
        for metric in metrics:
            try:
                values[metric.name] = resource_value(metric, ready, measured)
            except SourceFailed as exc:
                values[metric.name] = exc
        return values

    def _measured(self, key: Key, values: Mapping[str, float]) -> None:
        ticked = self._revisions.measured(key, values, self._now())
        if ticked is not None:
            self._decided(ticked)
        self._wake()

    def _told(self, key: Key, name: str, why: str | None) -> None:
        autoscaler = self._autoscalers.get(key)
        if autoscaler is None:
            return
        if why is None:
            logger.info("a metric is there again", revision=key, metric=name)
            event = self._events.event(autoscaler, "Normal", RECOVERED, f"metric {name} is there again")
        else:
            logger.warning("a metric gives no number", revision=key, metric=name, error=why)
            kept = "meanwhile it counts for nothing, and the revision is not scaled in"
            event = self._events.event(autoscaler, "Warning", FAILED, f"metric {name} gives no number: {why}; {kept}")
        self._daemons.spawn(event, f"event of {key}")
