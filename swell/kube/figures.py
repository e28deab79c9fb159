"""Figures of elections and reconcilers, for metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from swell.kube.controller import Controller
    from swell.kube.leader import Elector


def of_elections(electors: Mapping[str, Elector | None]) -> Iterable[Metric]:
    """By Lease: 1 for who leads, which without an election is everybody."""
    from prometheus_client.core import GaugeMetricFamily

    leading = GaugeMetricFamily("swell_leader", "1 for the one that works, 0 for a standby.", labels=("lease",))
    for lease, elector in electors.items():
        leading.add_metric((lease,), int(elector is None or elector.leading))
    return (leading,)


def of_controllers(controllers: Mapping[str, Controller]) -> Iterable[Metric]:
    """How often each reconciler ran, how it ended, how long it took, and what waits for it."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

    runs = CounterMetricFamily(
        "swell_reconciliations", "Reconciliations by outcome: done, again, failed.", labels=("controller", "outcome")
    )
    took = SummaryMetricFamily("swell_reconciliation_seconds", "Time spent in reconciliations.", labels=("controller",))
    depth = GaugeMetricFamily("swell_queue_depth", "Keys that wait to be reconciled.", labels=("controller",))
    for name, controller in controllers.items():
        for outcome, count in sorted(controller.counts.items()):
            runs.add_metric((name, outcome), count)
        took.add_metric((name,), controller.counts.total(), controller.busy_s)
        depth.add_metric((name,), controller.depth)
    return (runs, took, depth)
