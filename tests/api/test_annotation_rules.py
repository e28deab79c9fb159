"""Which autoscaling annotations are accepted: the cases of the specification, and the corners of its table."""

from __future__ import annotations

import pytest

from swell.api import labels
from swell.api.annotation_rules import validate_annotations
from swell.api.field_errors import render
from swell.api.settings import AutoscalerLimits

PREFIX = "autoscaling.knative.dev/"


def faults(limits: AutoscalerLimits | None = None, /, **annotations: str) -> str:
    """The faults of these annotations; `_` stands for dashes, and `max` and `min` for the scales."""
    keys = {"max": "max-scale", "min": "min-scale"}
    given = {PREFIX + keys.get(key, key.replace("_", "-")): value for key, value in annotations.items()}
    return render(validate_annotations(given, limits or AutoscalerLimits()))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("max-scale", "2147483648", "expected 0 <= 2147483648 <= 2147483647"),
        ("min-scale", "-1", "expected 0 <= -1 <= 2147483647"),
        ("panic-window-percentage", "202", "expected 1 <= 202 <= 100"),
        ("panic-threshold-percentage", "109", "expected 110 <= 109 <= 1000"),
        ("window", "1s", "expected 6s <= 1s <= 1h0m0s"),
        ("scale-to-zero-pod-retention-period", "311m", "expected 0s <= 311m <= 1h0m0s"),
        ("scale-down-delay", "42.5s", "scale-down-delay=42.5s must be in whole seconds"),
        ("target-burst-capacity", "-11", "invalid value: -11"),
    ],
)
def test_case_93_values_out_of_range(key: str, value: str, message: str) -> None:
    assert render(validate_annotations({PREFIX + key: value}, AutoscalerLimits())) == f"{message}: {PREFIX}{key}"


def test_case_94_the_clusters_limit_on_max_scale() -> None:
    limit = AutoscalerLimits(max_scale_limit=10, max_scale=11)
    assert faults(limit, max="11") == f"expected 1 <= 11 <= 10: {labels.MAX_SCALE}"
    assert faults(limit, max="0").endswith(f": {labels.MAX_SCALE}")
    assert faults(limit, max="9") == ""
    assert faults(limit) == ""


def test_case_95_activation_scale_class_and_metric() -> None:
    key = labels.ACTIVATION_SCALE
    assert faults(activation_scale="2", min="3") == f"activation-scale=2 is less than min-scale=3: {key}"
    assert faults(activation_scale="2", max="1") == f"activation-scale=2 is greater than max-scale=1: {key}"
    assert faults(activation_scale="2", min="1", max="3") == ""
    told = render(validate_annotations({labels.AUTOSCALER_CLASS: "x.knative.dev"}, AutoscalerLimits()))
    assert told == f"invalid value: x.knative.dev: {labels.AUTOSCALER_CLASS}"
    assert faults(metric="cpu") == f"invalid value: cpu: {labels.METRIC}"
    hpa = {labels.AUTOSCALER_CLASS: labels.CLASS_HPA, labels.METRIC: ""}
    assert render(validate_annotations(hpa, AutoscalerLimits())) == f"invalid value: : {labels.METRIC}"


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("class", ["kpa.autoscaling.knative.dev", "hpa.autoscaling.knative.dev", "mine.example.com", ""]),
        ("metric", ["concurrency", "rps"]),
        ("target", ["0.01", "1e3"]),
        ("target-utilization-percentage", ["1", "100", "70.5"]),
        ("target-burst-capacity", ["-1", "0", "211"]),
        ("window", ["6s", "1h", "1h0m0s", "90s"]),
        ("panic-window-percentage", ["1", "100"]),
        ("panic-threshold-percentage", ["110", "1000"]),
        ("min-scale", ["0", "2147483647"]),
        ("max-scale", ["0", "1"]),
        ("initial-scale", ["1", "17"]),
        ("activation-scale", ["2"]),
        ("scale-down-delay", ["0s", "0", "1h"]),
        ("scale-to-zero-pod-retention-period", ["0", "1.5s", "1h"]),
        ("metric-aggregation-algorithm", ["linear", "anything: the class is not said"]),
    ],
)
def test_values_that_are_accepted(key: str, values: list[str]) -> None:
    for value in values:
        assert validate_annotations({PREFIX + key: value}, AutoscalerLimits()) == [], value


@pytest.mark.parametrize(
    "key",
    [
        *("target", "target-utilization-percentage", "target-burst-capacity", "window", "panic-window-percentage"),
        *("panic-threshold-percentage", "min-scale", "max-scale", "initial-scale", "activation-scale"),
        *("scale-down-delay", "scale-to-zero-pod-retention-period"),
    ],
)
@pytest.mark.parametrize("text", ["", "many", "1 ", "0x10", "NaN", "nan", "Inf", "-inf"])
def test_values_that_do_not_parse_are_named(key: str, text: str) -> None:
    told = render(validate_annotations({PREFIX + key: text}, AutoscalerLimits(), "metadata.annotations"))
    assert told == f"invalid value: {text}: metadata.annotations.{PREFIX}{key}"


def test_an_older_spelling_counts_where_the_newer_is_absent() -> None:
    camel = {labels.MIN_SCALE_ALIAS: "-1"}
    assert render(validate_annotations(camel, AutoscalerLimits())).endswith(labels.MIN_SCALE_ALIAS)
    assert validate_annotations({**camel, labels.MIN_SCALE: "1"}, AutoscalerLimits()) == []


def test_the_aggregation_is_checked_where_the_class_is_said() -> None:
    kpa = {labels.AUTOSCALER_CLASS: labels.CLASS_KPA, labels.AGGREGATION: "median"}
    assert render(validate_annotations(kpa, AutoscalerLimits())) == f"invalid value: median: {labels.AGGREGATION}"
    for word in ("", "linear", "weighted-exponential", "weightedExponential"):
        assert validate_annotations({**kpa, labels.AGGREGATION: word}, AutoscalerLimits()) == []


def test_a_target_below_the_least_and_a_negative_initial_scale() -> None:
    assert faults(target="0.009") == f"target 0.009 should be at least 0.01: {labels.TARGET}"
    assert faults(initial_scale="-2") == f"invalid value: -2: {labels.INITIAL_SCALE} must be greater than 0"


def test_a_bad_scale_counts_as_none_in_the_checks_that_follow() -> None:
    assert faults(min="x", max="1") == f"invalid value: x: {labels.MIN_SCALE}"


def test_a_maximum_below_the_minimum_names_both() -> None:
    told = f"max-scale=2 is less than min-scale=5: {labels.MAX_SCALE}, {labels.MIN_SCALE}"
    assert faults(min="5", max="2") == told
