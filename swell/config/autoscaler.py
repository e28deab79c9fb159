"""ConfigMap config-autoscaler (spec autoscaling 1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from swell.api.allowed_hosts import read_hosts
from swell.api.extra_metrics import ALLOWED_HOSTS_KEY
from swell.api.labels import CLASS_KPA
from swell.api.numbers import INT32_MAX
from swell.api.settings import AutoscalerLimits
from swell.config.policies import PolicyConfig, read_policies
from swell.config.reading import Reader

NAME: Final = "config-autoscaler"
WINDOW_MIN_S: Final = 6.0
WINDOW_MAX_S: Final = 3600.0
TARGET_MIN: Final = 0.01


@dataclass(frozen=True, slots=True)
class AutoscalerConfig:
    """The cluster's autoscaling settings. `_s` are seconds, targets are per pod.

    `target_utilization` is a fraction in (0, 1]; the panic percentages stay percentages.
    `target_burst_capacity` -1 means that the buffer is always in the path; `max_scale` and
    `max_scale_limit` 0 mean unlimited. `metrics_allowed_hosts`, our own, are the hosts that metrics may come from.
    """

    target_utilization: float = 0.7
    concurrency_target: float = 100.0
    rps_target: float = 200.0
    target_burst_capacity: float = 211.0
    stable_window_s: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    enable_scale_to_zero: bool = True
    scale_to_zero_grace_period_s: float = 30.0
    pod_retention_s: float = 0.0
    scale_down_delay_s: float = 0.0
    pod_autoscaler_class: str = CLASS_KPA
    activator_capacity: float = 100.0
    allow_zero_initial_scale: bool = False
    initial_scale: int = 1
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0
    metrics_allowed_hosts: tuple[str, ...] = ()
    policies: PolicyConfig = field(default_factory=PolicyConfig)

    @property
    def limits(self) -> AutoscalerLimits:
        """The part that admission needs."""
        return AutoscalerLimits(
            pod_autoscaler_class=self.pod_autoscaler_class,
            initial_scale=self.initial_scale,
            allow_zero_initial_scale=self.allow_zero_initial_scale,
            min_scale=self.min_scale,
            max_scale=self.max_scale,
            max_scale_limit=self.max_scale_limit,
            metrics_allowed_hosts=self.metrics_allowed_hosts,
            policies=tuple(self.policies.loaded),
        )


def parse(data: Mapping[str, str]) -> AutoscalerConfig:
    """Read the map; unknown keys are ignored. Raises `SettingsError` at the first bad value."""
    reader = Reader(NAME, data)
    config = AutoscalerConfig(
        target_utilization=_fraction(reader.number("container-concurrency-target-percentage", 70.0)),
        concurrency_target=reader.number("container-concurrency-target-default", 100.0),
        rps_target=reader.number("requests-per-second-target-default", 200.0),
        target_burst_capacity=reader.number("target-burst-capacity", 211.0),
        stable_window_s=reader.duration_s("stable-window", 60.0),
        panic_window_percentage=reader.number("panic-window-percentage", 10.0),
        panic_threshold_percentage=reader.number("panic-threshold-percentage", 200.0),
        max_scale_up_rate=reader.number("max-scale-up-rate", 1000.0),
        max_scale_down_rate=reader.number("max-scale-down-rate", 2.0),
        enable_scale_to_zero=reader.flag("enable-scale-to-zero", True),
        scale_to_zero_grace_period_s=reader.duration_s("scale-to-zero-grace-period", 30.0),
        pod_retention_s=reader.duration_s("scale-to-zero-pod-retention-period", 0.0),
        scale_down_delay_s=reader.duration_s("scale-down-delay", 0.0),
        pod_autoscaler_class=reader.text("pod-autoscaler-class", CLASS_KPA),
        activator_capacity=reader.number("activator-capacity", 100.0),
        allow_zero_initial_scale=reader.flag("allow-zero-initial-scale", False),
        initial_scale=reader.integer("initial-scale", 1),
        min_scale=reader.integer("min-scale", 0),
        max_scale=reader.integer("max-scale", 0),
        max_scale_limit=reader.integer("max-scale-limit", 0),
        metrics_allowed_hosts=_hosts(reader),
        policies=read_policies(reader),
    )
    _check_durations(reader, config)
    _check_rates(reader, config)
    _check_window(reader, config)
    _check_scales(reader, config)
    return config


def _hosts(reader: Reader) -> tuple[str, ...]:
    try:
        return read_hosts(reader.text(ALLOWED_HOSTS_KEY, ""))
    except ValueError as exc:
        reader.refuse(ALLOWED_HOSTS_KEY, f"a list of entries with commas between; {exc}")


def _fraction(value: float) -> float:
    """A percentage or a fraction, as a fraction: above 1 it was a percentage."""
    return value / 100.0 if value > 1.0 else value


def _check_durations(reader: Reader, config: AutoscalerConfig) -> None:
    reader.check(config.scale_to_zero_grace_period_s > 0, "scale-to-zero-grace-period", "more than 0s")
    whole = reader.duration_ns("scale-down-delay", 0.0) % 1_000_000_000 == 0
    reader.check(config.scale_down_delay_s >= 0 and whole, "scale-down-delay", "0s or more, in whole seconds")
    reader.check(config.pod_retention_s >= 0, "scale-to-zero-pod-retention-period", "0s or more")


def _check_rates(reader: Reader, config: AutoscalerConfig) -> None:
    burst = config.target_burst_capacity
    reader.check(burst >= 0 or burst == -1, "target-burst-capacity", "0 or more, or -1 (unlimited)")
    reader.check(
        0 < config.target_utilization <= 1,
        "container-concurrency-target-percentage",
        "more than 0, up to 100 (percent)",
    )
    reader.check(
        config.target_utilization * config.concurrency_target >= TARGET_MIN,
        "container-concurrency-target-default",
        f"at least {TARGET_MIN} when multiplied with container-concurrency-target-percentage",
    )
    reader.check(config.rps_target >= TARGET_MIN, "requests-per-second-target-default", f"at least {TARGET_MIN}")
    reader.check(config.activator_capacity >= 1, "activator-capacity", "at least 1")
    reader.check(config.max_scale_up_rate > 1, "max-scale-up-rate", "more than 1")
    reader.check(config.max_scale_down_rate > 1, "max-scale-down-rate", "more than 1")


def _check_window(reader: Reader, config: AutoscalerConfig) -> None:
    whole = reader.duration_ns("stable-window", 60.0) % 1_000_000_000 == 0
    within = WINDOW_MIN_S <= config.stable_window_s <= WINDOW_MAX_S
    reader.check(within and whole, "stable-window", "6s to 1h, in whole seconds")
    reader.check(1 <= config.panic_window_percentage <= 100, "panic-window-percentage", "1 to 100")


def _check_scales(reader: Reader, config: AutoscalerConfig) -> None:
    least = 0 if config.allow_zero_initial_scale else 1
    allowed = f"{least} or more" + ("" if least == 0 else ' (0 needs allow-zero-initial-scale: "true")')
    reader.check(config.initial_scale >= least, "initial-scale", allowed)
    reader.check(config.min_scale >= 0, "min-scale", f"0 to {INT32_MAX}")
    limit = config.max_scale_limit
    if limit > 0:
        # A map that sets only the limit leaves max-scale at its default of 0, which means unlimited.
        allowed = f"1 to {limit}, because max-scale-limit is set"
        reader.check(1 <= config.max_scale <= limit, "max-scale", allowed, config.max_scale)
    reader.check(config.max_scale >= 0, "max-scale", f"0 (unlimited) to {INT32_MAX}")
    reader.check(limit >= 0, "max-scale-limit", f"0 (no limit) to {INT32_MAX}")
    bounded = config.max_scale > 0
    reader.check(
        not bounded or config.min_scale <= config.max_scale,
        "min-scale",
        f"at most max-scale, which is {config.max_scale}",
    )
