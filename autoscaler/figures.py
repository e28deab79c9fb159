"""Figures of the decisions, for metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from autoscaler.metrics.receive import Receiver
    from autoscaler.ticker import Ticker


def of_decisions(ticker: Ticker, receiver: Receiver, revisions: int) -> Iterable[Metric]:
    """Rounds of decisions, who reports, and for how many revisions."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield CounterMetricFamily("swell_autoscaler_ticks", "Rounds of decisions by the clock.", value=ticker.ticks)
    yield CounterMetricFamily(
        "swell_autoscaler_reports_undecodable", "Reports that could not be read.", value=receiver.undecodable
    )
    yield GaugeMetricFamily("swell_autoscaler_activators", "Activators connected.", value=receiver.activators)
    yield GaugeMetricFamily("swell_autoscaler_revisions", "Revisions that are decided for.", value=revisions)
