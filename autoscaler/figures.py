"""Figures for metrics: of decisions, of scrapes, and of each revision by the reference's names (spec autoscaling 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from autoscaler.metrics.scrape import DURATIONS_S
from autoscaler.pods import State
from swell.api import labels

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from autoscaler.forwarding import Forwarder
    from autoscaler.metrics.receive import Receiver
    from autoscaler.metrics.scrape import Scraper
    from autoscaler.pods import Owner, PodCounts
    from autoscaler.revisions import Revisions
    from autoscaler.ticker import Ticker
    from swell.api.autoscaling import PodAutoscaler

LABELS: Final = ("k8s_namespace_name", "kn_service_name", "kn_configuration_name", "kn_revision_name")

# Names, what they say, and where `Revisions.describe` has it.
_DECIDED: Final = (
    ("kn_revision_pods_desired", "Pods that were decided on, before bounds.", "desired"),
    (
        "kn_revision_capacity_excess",
        "Requests that ready pods could take beyond load and burst.",
        "excess_burst_capacity",
    ),
    ("kn_revision_panic_mode", "1 while in panic.", "in_panic"),
    ("swell_revision_activators", "Activators that the load is sized for.", "activators"),
)
_OBSERVED: Final = (("stable", "stable_value"), ("panic", "panic_value"), ("target", "target"))
_PODS: Final = (
    ("kn_revision_pods_count", "Pods that are ready.", (State.READY,)),
    (
        "kn_revision_pods_not_ready_count",
        "Pods that are not ready, whatever the reason.",
        (State.NOT_READY, State.PENDING, State.TERMINATING),
    ),
    ("kn_revision_pods_pending_count", "Pods that have not started.", (State.PENDING,)),
    ("kn_revision_pods_terminating_count", "Pods that are leaving.", (State.TERMINATING,)),
)


def of_decisions(ticker: Ticker, receiver: Receiver, revisions: Revisions) -> Iterable[Metric]:
    """Rounds of decisions, who reports, and for how many revisions."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield CounterMetricFamily("swell_autoscaler_ticks", "Rounds of decisions by the clock.", value=ticker.ticks)
    yield CounterMetricFamily(
        "swell_autoscaler_reports_undecodable", "Reports that could not be read.", value=receiver.undecodable
    )
    yield CounterMetricFamily(
        "swell_autoscaler_reports_unknown",
        "Reports of revisions that are not decided for.",
        value=revisions.intake.unknown,
    )
    yield CounterMetricFamily(
        "swell_autoscaler_reports_senseless", "Reports with figures that cannot be.", value=revisions.intake.senseless
    )
    yield GaugeMetricFamily("swell_autoscaler_activators", "Activators connected.", value=receiver.activators)
    yield GaugeMetricFamily("swell_autoscaler_revisions", "Revisions that are decided for.", value=len(revisions))


def of_forwarding(forwarder: Forwarder) -> Iterable[Metric]:
    """What did not reach other owners."""
    from prometheus_client.core import CounterMetricFamily

    yield CounterMetricFamily(
        "swell_autoscaler_forwards_lost", "Frames of reports that the owner did not get.", value=forwarder.lost
    )


def of_scrapes(scraper: Scraper) -> Iterable[Metric]:
    """How many revisions are scraped, how many do not answer, and how long it takes."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    yield GaugeMetricFamily("swell_autoscaler_scraped", "Revisions that are scraped.", value=scraper.scraped)
    yield GaugeMetricFamily(
        "swell_autoscaler_blind", "Revisions whose pods do not answer scrapes.", value=scraper.blind
    )
    yield CounterMetricFamily("swell_autoscaler_scrapes_failed", "Scrapes without a result.", value=scraper.failures)
    yield CounterMetricFamily(
        "swell_autoscaler_scrapes_skipped", "Scrapes whose turn came while others lasted.", value=scraper.skipped
    )
    bounds = [*map(str, DURATIONS_S), "+Inf"]
    took = HistogramMetricFamily("kn_autoscaler_scrape_duration", "Seconds that scrapes of a revision took.")
    took.add_metric((), list(zip(bounds, accumulate(scraper.counts), strict=True)), scraper.seconds)
    yield took


def of_revisions(
    decided: Mapping[str, Mapping[str, Any]], podautoscalers: Iterable[tuple[PodAutoscaler, Owner]], pods: PodCounts
) -> Iterable[Metric]:
    """What was decided for each revision and went into it; `decided` is `Revisions.describe`'s.

    A revision that rests at zero has only the first of these, so that thousands of them do not make a scrape slow.
    """
    from prometheus_client.core import GaugeMetricFamily

    families: dict[str, GaugeMetricFamily] = {}

    def add(name: str, text: str, value: float | None, named: tuple[str, ...]) -> None:
        if value is not None:
            family = families.get(name)
            if family is None:
                family = families[name] = GaugeMetricFamily(name, text, labels=LABELS)
            family.add_metric(named, value)

    for pa, owner in podautoscalers:
        found = decided.get(str(pa.meta.key), {})
        own = pa.meta.labels
        named = (
            pa.meta.namespace,
            own.get(labels.SERVICE, ""),
            own.get(labels.CONFIGURATION, ""),
            pa.meta.name,
        )
        counts = {name: sum(pods.count(owner, state) for state in states) for name, _, states in _PODS}
        if found.get("desired") == 0 and not any(counts.values()):
            add(*_DECIDED[0][:2], 0, named)
            continue
        for name, text, key in _DECIDED:
            add(name, text, found.get(key), named)
        metric = found.get("metric")
        for name, key in _OBSERVED:
            if metric is not None:
                add(f"kn_revision_{metric}_{name}", f"Of {metric}: {name} value.", found.get(key), named)
        add("kn_revision_pods_requested", "Pods that are wanted, within bounds.", pa.status.desired_scale, named)
        for name, text, _ in _PODS:
            add(name, text, counts[name], named)
    yield from families.values()
