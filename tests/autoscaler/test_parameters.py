"""Annotations and ConfigMap as numbers: the cases 1-7 of the autoscaling specification."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.parameters import Parameters, panic_window_s, parameters, resolve_target
from swell.api.autoscaling import PodAutoscaler
from swell.config.autoscaler import AutoscalerConfig

PREFIX = "autoscaling.knative.dev/"


def made(config: AutoscalerConfig | None = None, *, limit: int = 0, reachability: str = "", **notes: str) -> Parameters:
    """The parameters of a PodAutoscaler; annotations are named by keyword, with _ for -."""
    return parameters(
        PodAutoscaler.parse(
            {
                "metadata": {
                    "name": "hello-00001",
                    "namespace": "default",
                    "annotations": {f"{PREFIX}{name.replace('_', '-')}": value for name, value in notes.items()},
                },
                "spec": {"containerConcurrency": limit, "reachability": reachability},
            }
        ),
        config or AutoscalerConfig(),
        600.0,
    )


@pytest.mark.parametrize(
    ("config", "limit", "notes", "expected"),
    [
        pytest.param({}, 0, {}, (100, 100), id="case 1, nothing set"),
        pytest.param({"target_utilization": 0.8}, 0, {}, (80, 100), id="case 1, utilization"),
        pytest.param({"target_utilization": 0.3, "concurrency_target": 2.0}, 0, {}, (0.6, 2), id="case 1, default"),
        pytest.param({"target_utilization": 0.8}, 12, {"target_utilization_percentage": "75"}, (9, 12), id="case 2"),
        pytest.param({}, 10, {"target": "1"}, (1, 1), id="case 3, below the limit"),
        pytest.param({}, 1, {"target": "10"}, (1, 1), id="case 3, above the limit"),
        pytest.param({}, 0, {"target": "500"}, (500, 500), id="case 3, no limit"),
        pytest.param({"target_utilization": 0.001}, 0, {"target": "1"}, (0.01, 1), id="case 4"),
        pytest.param({}, 1, {"metric": "rps"}, (140, 200), id="case 5, the limit is none of its business"),
        pytest.param({}, 0, {"metric": "rps", "target": "1"}, (0.7, 1), id="case 5, target"),
        pytest.param(
            {}, 0, {"metric": "rps", "target_utilization_percentage": "75"}, (150, 200), id="case 5, utilization"
        ),
        pytest.param({}, 0, {"metric": "rps", "target": "300"}, (210, 300), id="case 5, larger target"),
    ],
)
def test_cases_1_to_5_the_target_of_one_pod(
    config: dict[str, Any], limit: int, notes: dict[str, str], expected: tuple[float, float]
) -> None:
    found = made(AutoscalerConfig(**{"target_utilization": 1.0, **config}), limit=limit, **notes)
    assert (found.target.per_pod, found.target.capacity) == pytest.approx(expected, rel=1e-15)


def test_targets_have_no_epsilon() -> None:
    per_pod, _ = resolve_target(PodAutoscaler.parse({"metadata": {}}).annotations, "concurrency", 3, AutoscalerConfig())
    assert per_pod == 2.0999999999999996


@pytest.mark.parametrize(
    ("stable_s", "percentage", "expected"),
    [
        pytest.param(*row, id=f"case {case}: {row[0]} s, {row[1]} %")
        for case, rows in (
            (6, [(60, 10, 6), (600, 10, 60), (60, 50, 30), (60, 51, 31)]),
            (7, [(10, 10, 1), (6, 10, 1), (15, 10, 2), (25, 10, 3), (6, 1, 1)]),
        )
        for row in rows
    ],
)
def test_cases_6_and_7_the_panic_window_is_in_whole_seconds(
    stable_s: float, percentage: float, expected: float
) -> None:
    assert panic_window_s(stable_s, percentage) == expected


def test_annotations_go_before_the_config_map() -> None:
    found = made(
        window="30s",
        panic_window_percentage="50",
        panic_threshold_percentage="300",
        target_burst_capacity="-1",
        min_scale="2",
        max_scale="9",
        initial_scale="3",
        activation_scale="4",
        scale_down_delay="90s",
        scale_to_zero_pod_retention_period="1m5s",
        metric="rps",
        metric_aggregation_algorithm="weightedExponential",
    )
    collection, rules, target = found.collection, found.rules, found.target
    assert (collection.stable_window_s, collection.panic_window_s, collection.weighted) == (30, 15, True)
    assert (rules.least, rules.most, rules.initial, rules.retention_s) == (2, 9, 3, 65)
    assert (rules.stable_window_s, rules.always_buffered) == (30, True)
    assert (target.panic_threshold, target.burst_capacity, target.activation_pods) == (3, -1, 4)
    assert (found.delay_s, found.rps) == (90, True)


def test_what_does_not_parse_counts_as_absent() -> None:
    assert made(window="soon", min_scale="two", target="NaN", initial_scale="-") == made()


def test_an_unreachable_revision_has_no_minimum() -> None:
    found = made(reachability="Unreachable", min_scale="2", max_scale="3")
    assert (found.rules.least, found.rules.most, found.rules.reachable, found.target.reachable) == (0, 3, False, False)
    assert made(reachability="Reachable", min_scale="2").rules.least == 2


def test_an_initial_scale_of_zero_needs_the_clusters_leave() -> None:
    assert made(initial_scale="0").rules.initial == 1
    assert made(AutoscalerConfig(allow_zero_initial_scale=True), initial_scale="0").rules.initial == 0


def test_a_start_may_take_thirty_seconds_more_than_the_progress_deadline() -> None:
    assert made().rules.activation_timeout_s == 630
    pa = PodAutoscaler.parse({"metadata": {"annotations": {"serving.knative.dev/progress-deadline": "5s"}}})
    assert parameters(pa, AutoscalerConfig(), 600.0).rules.activation_timeout_s == 35
