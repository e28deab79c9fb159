"""A PodAutoscaler's annotations and the ConfigMap, as the numbers that decisions go by.

Pure. Knows the objects and the settings, not what is going on. Source: spec autoscaling 1.3 to 1.5, 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from autoscaler.decision.bounds import ScaleRules
from autoscaler.decision.rows import Target
from autoscaler.metrics.collector import Collection
from swell.api import labels
from swell.api.autoscaling import UNREACHABLE, Annotations, PodAutoscaler
from swell.api.extra_metrics import ExtraMetric, read_metrics
from swell.api.labels import METRIC_CONCURRENCY, METRIC_RPS
from swell.api.schedule import ScheduleEntry, read_schedule
from swell.config.autoscaler import TARGET_MIN, AutoscalerConfig
from swell.config.policies import PolicyConfig

N = TypeVar("N", int, float)

RPS_UTILIZATION: Final = 0.7
UNLIMITED_BURST: Final = -1.0
# A start may take this much longer than the Deployment's own deadline (spec autoscaling 0).
ACTIVATION_MARGIN_S: Final = 30.0
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that one revision's scaling goes by. `delay_s`, the scale-down delay, counts at creation only.

    `extra` are metrics beside the requests that `target` is about. A revision that no route points to has none: what
    it shares with its successor must not keep both.
    `policy`: the one that it is under; "" for none.
    """

    target: Target
    collection: Collection
    rules: ScaleRules
    rps: bool
    delay_s: float
    schedule: tuple[ScheduleEntry, ...] = ()
    extra: tuple[ExtraMetric, ...] = ()
    policy: str = ""


def parameters(pa: PodAutoscaler, config: AutoscalerConfig, progress_deadline_s: float) -> Parameters:
    """What applies to this PodAutoscaler: its annotations where they parse, else the ConfigMap.

    `progress_deadline_s` is the cluster's; the PodAutoscaler may have its own.
    """
    notes = pa.annotations
    metric = notes.metric() or METRIC_CONCURRENCY
    metrics = read_metrics(notes.values)
    own = next((each.target for each in metrics if each.type.value == metric), None)
    per_pod, capacity = resolve_target(notes, metric, pa.container_concurrency, config, own)
    window_s = _either(notes.window_s(), config.stable_window_s)
    burst = _either(notes.target_burst_capacity(), config.target_burst_capacity)
    reachable = pa.reachability != UNREACHABLE
    threshold = _either(notes.panic_threshold_percentage(), config.panic_threshold_percentage)
    target = Target(
        per_pod=per_pod,
        capacity=capacity,
        burst_capacity=burst,
        activator_capacity=config.activator_capacity,
        panic_threshold=threshold / 100.0,
        up_rate_max=config.max_scale_up_rate,
        down_rate_max=config.max_scale_down_rate,
        stable_window_s=window_s,
        reachable=reachable,
        activation_pods=notes.activation_scale() or 0,
    )
    panic_s = panic_window_s(window_s, _either(notes.panic_window_percentage(), config.panic_window_percentage))
    # Silence means no request: the front door reports all that pass it, and pods that do not answer make their
    # revision blind (`Revisions.set_blind`).
    collection = Collection(window_s, panic_s, scraped=False, weighted=notes.aggregation() == "weighted-exponential")
    rules = ScaleRules(
        least=_either(notes.min_scale(), config.min_scale) if reachable else 0,
        most=_either(notes.max_scale(), config.max_scale),
        initial=notes.initial_scale(config.limits),
        reachable=reachable,
        scale_to_zero=config.enable_scale_to_zero,
        stable_window_s=window_s,
        grace_s=config.scale_to_zero_grace_period_s,
        retention_s=_either(notes.pod_retention_s(), config.pod_retention_s),
        activation_timeout_s=_either(notes.progress_deadline_s(), progress_deadline_s) + ACTIVATION_MARGIN_S,
        always_buffered=burst == UNLIMITED_BURST,
    )
    delay_s = _either(notes.scale_down_delay_s(), config.scale_down_delay_s)
    extra = tuple(each for each in metrics if each.type.value != metric) if reachable else ()
    return Parameters(
        target,
        collection,
        rules,
        metric == METRIC_RPS,
        delay_s,
        read_schedule(notes.values),
        extra,
        _policy(notes, config.policies),
    )


def resolve_target(
    notes: Annotations,
    metric: str,
    container_concurrency: int,
    config: AutoscalerConfig,
    listed: float | None = None,
) -> tuple[float, float]:
    """What one pod should carry, utilization in it, and what it can carry at most (spec autoscaling 1.4).

    `listed` is a target from the list of metrics, which is aimed at as it is.
    """
    if metric == METRIC_RPS:
        capacity, utilization = config.rps_target, RPS_UTILIZATION
    else:
        capacity, utilization = float(container_concurrency or config.concurrency_target), config.target_utilization
    target = notes.target() if listed is None else listed
    if target is not None:
        limited = metric == METRIC_CONCURRENCY and container_concurrency
        capacity = min(target, float(container_concurrency)) if limited else target
    percentage = notes.target_utilization_percentage()
    if percentage is not None:
        utilization = percentage / 100.0
    elif listed is not None:
        utilization = 1.0
    return max(TARGET_MIN, capacity * utilization), capacity


def _policy(notes: Annotations, config: PolicyConfig) -> str:
    """The policy that a revision names, else the cluster's; one that is not loaded is none."""
    name = notes.values.get(labels.POLICY, config.default)
    return name if name in config.loaded else ""


def panic_window_s(stable_window_s: float, percentage: float) -> float:
    """Whole seconds, halves away from zero, at least 1 (spec autoscaling 1.5)."""
    part_ns = int(stable_window_s * _SECOND_NS * percentage / 100.0)
    return float(max(1, (part_ns + _SECOND_NS // 2) // _SECOND_NS))


def _either(annotation: N | None, default: N) -> N:
    return default if annotation is None else annotation
