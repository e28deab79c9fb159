"""ConfigMap config-autoscaler: values, defaults and refusals."""

from __future__ import annotations

import pytest

from swell.config import autoscaler
from swell.config.autoscaler import AutoscalerConfig
from swell.runtime.errors import SettingsError


def test_an_empty_map_gives_the_stock_values() -> None:
    assert autoscaler.parse({}) == AutoscalerConfig()
    assert autoscaler.parse({"_example": "lots of text", "later-key": "x"}) == AutoscalerConfig()


def test_case_96_what_the_map_takes_and_what_it_refuses() -> None:
    assert autoscaler.parse({"container-concurrency-target-percentage": "55"}).target_utilization == 0.55
    for bad in (
        {"container-concurrency-target-percentage": "142.4"},
        {"container-concurrency-target-percentage": "-42"},
        {"max-scale-up-rate": "1"},
        {"max-scale-down-rate": "1"},
        {"stable-window": "61984ms"},
        {"activator-capacity": "0.95"},
        {"max-scale": "10", "max-scale-limit": "9"},
        {"max-scale-limit": "11", "max-scale": "0"},
        {"min-scale": "4", "max-scale": "3"},
    ):
        with pytest.raises(SettingsError):
            autoscaler.parse(bad)
    assert autoscaler.parse({"min-scale": "4"}).min_scale == 4


@pytest.mark.parametrize(("text", "fraction"), [("1", 1.0), ("0.5", 0.5), ("1.5", 0.015), ("100", 1.0), ("70", 0.7)])
def test_above_one_it_is_a_percentage(text: str, fraction: float) -> None:
    config = autoscaler.parse({"container-concurrency-target-percentage": text})
    assert config.target_utilization == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("scale-to-zero-grace-period", "0s", "more than 0s"),
        ("scale-to-zero-grace-period", "soon", "a duration such as 90s or 1h30m"),
        ("scale-down-delay", "-1s", "0s or more, in whole seconds"),
        ("scale-down-delay", "1500ms", "0s or more, in whole seconds"),
        ("scale-to-zero-pod-retention-period", "-1s", "0s or more"),
        ("target-burst-capacity", "-2", "0 or more, or -1 (unlimited)"),
        ("requests-per-second-target-default", "0", "at least 0.01"),
        ("stable-window", "5s", "6s to 1h, in whole seconds"),
        ("stable-window", "2h", "6s to 1h, in whole seconds"),
        ("panic-window-percentage", "0.5", "1 to 100"),
        ("initial-scale", "0", '0 needs allow-zero-initial-scale: "true"'),
        ("initial-scale", "1.5", "a whole number of at most 32 bits"),
        ("min-scale", "-1", "0 to 2147483647"),
        ("max-scale", "-1", "0 (unlimited) to 2147483647"),
        ("enable-scale-to-zero", "yes", "true or false"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_allowed(key: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as caught:
        autoscaler.parse({key: value})
    assert caught.value.key == f"config-autoscaler: {key}"
    assert allowed in caught.value.allowed
    assert repr(value) in str(caught.value)


FLOATS = (
    "container-concurrency-target-percentage",
    "container-concurrency-target-default",
    "requests-per-second-target-default",
    "target-burst-capacity",
    "panic-window-percentage",
    "panic-threshold-percentage",
    "max-scale-up-rate",
    "max-scale-down-rate",
    "activator-capacity",
)
INTEGERS = ("initial-scale", "min-scale", "max-scale", "max-scale-limit")
FLAGS = ("enable-scale-to-zero", "allow-zero-initial-scale")
DURATIONS = ("stable-window", "scale-to-zero-grace-period", "scale-to-zero-pod-retention-period", "scale-down-delay")


@pytest.mark.parametrize("value", ["NaN", "nan", "Inf", "-Inf", "1e999", "", "many"])
@pytest.mark.parametrize("key", [*FLOATS, *INTEGERS, *FLAGS, *DURATIONS])
def test_what_is_no_value_is_refused_by_every_key(key: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        autoscaler.parse({key: value})
    assert caught.value.key == f"config-autoscaler: {key}"


def test_a_limit_alone_is_refused_because_the_default_is_unlimited() -> None:
    with pytest.raises(SettingsError, match="max-scale=0 is not usable: 1 to 5, because max-scale-limit is set"):
        autoscaler.parse({"max-scale-limit": "5"})


def test_zero_initial_scale_can_be_allowed() -> None:
    config = autoscaler.parse({"initial-scale": "0", "allow-zero-initial-scale": "true"})
    assert (config.initial_scale, config.limits.allow_zero_initial_scale) == (0, True)


def test_odd_but_legal_values() -> None:
    assert autoscaler.parse({"panic-threshold-percentage": "5"}).panic_threshold_percentage == 5.0
    assert autoscaler.parse({"scale-down-delay": "3h"}).scale_down_delay_s == 10800.0
    assert autoscaler.parse({"target-burst-capacity": "-1"}).target_burst_capacity == -1.0


def test_hosts_that_metrics_may_come_from_are_none_by_default_and_read_entry_by_entry() -> None:
    assert autoscaler.parse({}).metrics_allowed_hosts == ()
    found = autoscaler.parse({"swell.metrics-allowed-hosts": "Prometheus.monitoring:9090, *.svc.cluster.local"})
    assert found.limits.metrics_allowed_hosts == ("prometheus.monitoring:9090", "*.svc.cluster.local")
    with pytest.raises(
        SettingsError, match=r'swell.metrics-allowed-hosts=.*"\*" is not a host, host:port or \*.suffix'
    ):
        autoscaler.parse({"swell.metrics-allowed-hosts": "prometheus, *"})
