"""What a PodAutoscaler's status says: the cases 81-85 of the autoscaling specification."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.decision.bounds import Activity
from autoscaler.status import CONDITIONS, Pods, activity, is_initialized, next_status
from swell.api.autoscaling import ACTIVE, SCALE_TARGET_INITIALIZED, PodAutoscalerStatus

NOW_S = 1_700_000_000.0


def status(active: str, *, initialized: bool) -> PodAutoscalerStatus:
    conditions = CONDITIONS.initialize((), NOW_S - 100)
    if initialized:
        conditions = CONDITIONS.mark_true(conditions, SCALE_TARGET_INITIALIZED, NOW_S - 100)
    if active == "True":
        conditions = CONDITIONS.mark_true(conditions, ACTIVE, NOW_S - 100)
    elif active == "False":
        conditions = CONDITIONS.mark_false(conditions, ACTIVE, "NoTraffic", "quiet", NOW_S - 100)
    return PodAutoscalerStatus(conditions=conditions)


@pytest.mark.parametrize(
    ("pods", "active", "initialized", "expected"),
    [
        pytest.param(Pods(11, 0, 0, 1), "False", True, ("Unknown", "Queued", True), id="case 81, activated"),
        pytest.param(Pods(0, 1, 0, 1), "True", False, ("False", "NoTraffic", True), id="case 81, no traffic"),
        pytest.param(Pods(0, 1, 0, 1), "Unknown", False, ("False", "TimedOut", True), id="case 81, timed out"),
        pytest.param(Pods(-1, 10, 11, 1), "False", True, ("False", "NoTraffic", True), id="case 82, not known"),
        pytest.param(Pods(1, 10, 11, 1), "False", True, ("Unknown", "Queued", True), id="case 82, wanted"),
        pytest.param(
            Pods(11, 10, 11, 1), "True", True, ("Unknown", "Queued", True), id="case 82, short of its minimum"
        ),
        pytest.param(Pods(20, 11, 11, 20), "Unknown", False, ("Unknown", "Queued", False), id="case 83, not all yet"),
        pytest.param(Pods(20, 20, 0, 20), "Unknown", False, ("True", "", True), id="case 83, all there"),
        pytest.param(Pods(-1, 0, 0, 0), "Unknown", False, ("False", "NoTraffic", True), id="case 84, begins at zero"),
        pytest.param(Pods(-1, 0, 0, 0), "Unknown", True, ("Unknown", "Queued", True), id="case 84, then"),
    ],
)
def test_cases_81_to_84_active_and_initialized(
    pods: Pods, active: str, initialized: bool, expected: tuple[str, str, bool]
) -> None:
    found = next_status(status(active, initialized=initialized), pods, 3, NOW_S)
    condition = found.condition(ACTIVE)
    assert condition is not None
    assert (condition.status, condition.reason, is_initialized(found)) == expected
    assert found.observed_generation == 3


def test_case_85_an_unknown_want_keeps_the_scale_that_was_desired() -> None:
    before = replace(status("True", initialized=True), desired_scale=2, actual_scale=1)
    found = next_status(before, Pods(-1, 2, 0, 1), 1, NOW_S)
    assert (found.desired_scale, found.actual_scale) == (2, 2)


def test_a_timed_out_start_becomes_a_plain_lack_of_traffic_and_its_clock_begins_anew() -> None:
    timed_out = next_status(status("Unknown", initialized=False), Pods(0, 0, 0, 1), 1, NOW_S)
    assert activity(timed_out, NOW_S + 5) == (Activity.INACTIVE, 5)
    later = next_status(timed_out, Pods(0, 0, 0, 1), 1, NOW_S + 5)
    assert activity(later, NOW_S + 5) == (Activity.INACTIVE, 0)
    assert next_status(later, Pods(0, 0, 0, 1), 1, NOW_S + 50) == later


def test_a_pod_more_than_needed_for_an_idle_revision_changes_nothing() -> None:
    before = replace(status("False", initialized=True), desired_scale=0, actual_scale=1, observed_generation=1)
    assert next_status(before, Pods(-1, 1, 0, 1), 1, NOW_S) == before


def test_ready_follows_active() -> None:
    found = next_status(PodAutoscalerStatus(), Pods(1, 0, 0, 1), 1, NOW_S)
    assert [(c.type, c.status) for c in found.conditions] == [
        ("Active", "Unknown"),
        ("Ready", "Unknown"),
        ("ScaleTargetInitialized", "Unknown"),
    ]
    found = next_status(found, Pods(1, 1, 0, 1), 1, NOW_S)
    assert {c.status for c in found.conditions} == {"True"}
    assert found.to_obj()["conditions"][0]["lastTransitionTime"] == "2023-11-14T22:13:20Z"
