"""What the front door can say of itself: the JSON of GET /state and the text of GET /metrics."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from activator.counts import BOUNDS_S
from swell.runtime.vitals import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import HistogramMetricFamily, Metric

    from activator.activator import Activator
    from activator.counts import Durations
    from activator.lane import Lane
    from activator.pods import Pod
    from activator.reporting.owners import Owners

LABELS: Final = ("k8s_namespace_name", "kn_revision_name")


def describe(activator: Activator, owners: Owners) -> dict[str, Any]:
    """Routes, revisions, pods, who waits and what is in flight; for operators and tests."""
    return {
        "ready": not activator.health.unready(),
        "unready": activator.health.unready(),
        "autoscaler": {"connected": owners.connected, "lost_reports": owners.lost, "broken": owners.broken},
        "waiting": {"requests": activator.room.count, "bytes": activator.room.bytes},
        "hosts": {
            host: {
                "route": str(site.claim.route),
                "tag": site.claim.tag,
                "percent": {target.name: weight for target, weight in site.claim.weights},
            }
            for host, site in sorted(activator.gateway.hosts.items())
        },
        "revisions": {str(lane.target): _lane(activator, lane) for lane in _lanes(activator)},
    }


def _lanes(activator: Activator) -> list[Lane]:
    return sorted(activator.lanes.values(), key=lambda lane: lane.target)


def _lane(activator: Activator, lane: Lane) -> dict[str, Any]:
    waiting = len(lane.throttler.line)
    return {
        "known": lane.facts is not None,
        "container_concurrency": lane.throttler.limit,
        "in_flight": len(lane.deadlines) - waiting,
        "waiting": waiting,
        "cause": lane.cause(),
        "answers": {str(status): count for status, count in lane.counts.by_status().items()},
        "pods": [_pod(pod) for pod in activator.backends.pods(lane.target)],
    }


def _pod(pod: Pod) -> dict[str, Any]:
    address = pod.address
    return {
        "name": pod.facts.name,
        "address": f"{address[0]}:{address[1]}" if address else "",
        "ready": pod.facts.ready,
        "proven": pod.proven,
        "suspect": pod.suspect,
        "leaving": pod.facts.leaving,
        "trouble": pod.facts.trouble,
        "in_flight": pod.backend.running if pod.backend else 0,
    }


def metrics(activator: Activator, owners: Owners) -> bytes:
    """Prometheus text; the counters behind it are plain numbers."""
    return prometheus([_Collector(activator, owners).collect])


class _Collector:
    """Reads the numbers when asked."""

    def __init__(self, activator: Activator, owners: Owners) -> None:
        self._activator = activator
        self._owners = owners

    def collect(self) -> Iterable[Metric]:
        yield from self._per_revision()
        yield from self._own()

    def _per_revision(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        answers = CounterMetricFamily(
            "swell_activator_requests", "Requests by revision and status.", labels=(*LABELS, "code")
        )
        durations = HistogramMetricFamily(
            "http_server_request_duration_seconds",
            "From a request's head to the end of its answer, waiting included.",
            labels=(*LABELS, "http_response_status_code"),
        )
        gone = _counter("swell_activator_requests_abandoned", "Requests whose caller left first.")
        waited = _counter("swell_activator_requests_buffered", "Requests that had to wait for a slot.")
        full = _counter("swell_activator_requests_turned_away", "Requests refused by a full waiting room.")
        again = _counter("swell_activator_requests_retried", "Requests sent to another pod, unsent before.")
        concurrency = GaugeMetricFamily(
            "kn_revision_request_concurrency", "Concurrency of the last report.", labels=LABELS
        )
        queued = GaugeMetricFamily("kn_revision_request_queued", "Requests waiting.", labels=LABELS)
        active = GaugeMetricFamily("kn_revision_request_active", "Requests at pods.", labels=LABELS)
        for lane in _lanes(self._activator):
            labels, counts, waiting = tuple(lane.target), lane.counts, len(lane.throttler.line)
            for status, count in counts.by_status().items():
                answers.add_metric((*labels, str(status)), count)
                _add_durations(durations, (*labels, str(status)), counts.durations[status])
            for counter, value in (
                (gone, counts.gone),
                (waited, counts.waited),
                (full, counts.turned_away),
                (again, counts.retried),
            ):
                counter.add_metric(labels, value)
            concurrency.add_metric(labels, lane.report.concurrency)
            queued.add_metric(labels, waiting)
            active.add_metric(labels, len(lane.deadlines) - waiting)
        return (answers, durations, gone, waited, full, again, concurrency, queued, active)

    def _own(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        own = CounterMetricFamily(
            "swell_activator_unrouted", "Answers of the front door's own, by status.", labels=("code",)
        )
        for status, count in sorted(self._activator.unrouted.items()):
            own.add_metric((str(status),), count)
        reachable = GaugeMetricFamily(
            "kn_activator_stats_conn_reachable", "1 while connected to the autoscaler.", labels=("peer",)
        )
        reachable.add_metric(("autoscaler",), int(self._owners.connected))
        errors = CounterMetricFamily(
            "kn_activator_stats_conn_errors", "Connections to the autoscaler that were lost.", labels=("peer",)
        )
        errors.add_metric(("autoscaler",), self._owners.broken)
        lost = CounterMetricFamily("swell_activator_reports_lost", "Reports made while not connected.")
        lost.add_metric((), self._owners.lost)
        probes = CounterMetricFamily("swell_activator_probes", "Probes of pods.")
        probes.add_metric((), self._activator.backends.probes)
        unlogged = CounterMetricFamily(
            "swell_activator_request_log_dropped", "Lines of the request log that were not taken in time."
        )
        unlogged.add_metric((), self._activator.request_log.dropped)
        return (own, reachable, errors, lost, probes, unlogged)


def _add_durations(metric: HistogramMetricFamily, labels: tuple[str, ...], durations: Durations) -> None:
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    metric.add_metric(labels, list(zip(bounds, accumulate(durations.buckets), strict=True)), durations.sum_s)


def _counter(name: str, text: str) -> Any:
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(name, text, labels=LABELS)
