"""From a decision to replicas: the cases 67-80 of the autoscaling specification.

In these cases the buffer is as the reference has it: in the path or not, for some time. What our own
front door makes of it is in `tests/autoscaler/test_program.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.decision.bounds import Activity, ScaleRules, ScaleState, ScaleStep, clamp, scale_step

RULES = ScaleRules(
    least=0,
    most=0,
    initial=1,
    reachable=True,
    scale_to_zero=True,
    stable_window_s=300.0,
    grace_s=60.0,
    retention_s=0.0,
    activation_timeout_s=151.0,
    always_buffered=False,
)
ACTIVE, INACTIVE, UNKNOWN = Activity.ACTIVE, Activity.INACTIVE, Activity.UNKNOWN


def step(
    desired: int, activity: Activity, activity_s: float = 0.0, rules: ScaleRules = RULES, **state: Any
) -> ScaleStep:
    base = ScaleState(desired, activity, activity_s, initialized=True, proxying_s=None, buffer_answers=True)
    return scale_step(replace(base, **state), rules)


def applied(want: int, requeue_s: float | None = None) -> ScaleStep:
    return ScaleStep(want, apply=True, requeue_s=requeue_s)


def held(want: int, requeue_s: float | None = None, *, probe: bool = False) -> ScaleStep:
    return ScaleStep(want, apply=False, requeue_s=requeue_s, probe=probe)


def test_case_67_a_revision_that_was_active_for_less_than_its_window_keeps_one_pod() -> None:
    assert step(0, ACTIVE, 299) == applied(1, 1)


def test_case_68_a_revision_that_was_active_for_its_window_becomes_inactive_first() -> None:
    assert step(0, ACTIVE, 300) == held(0)
    assert step(0, ACTIVE, 300, proxying_s=10) == held(0, 3)
    assert step(0, ACTIVE, 44, replace(RULES, stable_window_s=45)) == applied(1, 1)


def test_case_69_the_last_pod_goes_after_the_grace_period() -> None:
    assert step(0, INACTIVE, 60) == applied(0)
    assert step(0, INACTIVE, 59) == held(0, 60)
    assert step(0, INACTIVE, 59, proxying_s=60) == applied(0)
    assert step(0, INACTIVE, 59, proxying_s=59) == held(0, 1)


def test_case_70_the_retention_period_holds_the_last_pod() -> None:
    assert step(0, INACTIVE, 60, replace(RULES, retention_s=120)) == held(0, 60)
    assert step(0, INACTIVE, 60, replace(RULES, retention_s=0)) == applied(0)
    assert step(0, INACTIVE, 60, replace(RULES, retention_s=60)) == applied(0)


def test_case_71_a_retention_that_is_over_leaves_the_grace_to_decide() -> None:
    assert step(0, INACTIVE, 59, replace(RULES, retention_s=42), proxying_s=60) == applied(0)


def test_case_72_the_last_pod_stays_until_a_buffer_answers() -> None:
    assert step(0, INACTIVE, 60, buffer_answers=False) == held(0, 1, probe=True)
    assert step(0, INACTIVE, 60, replace(RULES, always_buffered=True), buffer_answers=False) == applied(0)


def test_case_73_a_start_that_takes_too_long_is_given_up() -> None:
    assert step(0, UNKNOWN, 75.5) == held(-1, 151)
    assert step(0, UNKNOWN, 152) == applied(0)
    assert step(0, UNKNOWN, 36, replace(RULES, activation_timeout_s=35)) == applied(0)


def test_case_74_min_scale_counts_while_the_revision_can_be_reached() -> None:
    assert step(0, INACTIVE, 60, replace(RULES, least=2)) == applied(2)
    assert step(0, INACTIVE, 60, replace(RULES, reachable=False)) == applied(0)


def test_case_75_retention_is_only_for_what_can_be_reached() -> None:
    rules = replace(RULES, reachable=False, retention_s=600)
    assert step(0, INACTIVE, 60, rules) == applied(0)
    assert step(0, INACTIVE, 59, rules) == held(0, 60)


def test_case_76_max_scale_bounds_the_replicas() -> None:
    assert step(10, ACTIVE) == applied(10)
    assert step(10, ACTIVE, rules=replace(RULES, most=8)) == applied(8)


def test_case_77_without_a_decision_only_a_start_is_bounded() -> None:
    assert step(-1, INACTIVE) == held(-1)
    assert step(-1, ACTIVE) == held(-1)
    assert step(-1, UNKNOWN, rules=replace(RULES, least=3)) == applied(3)
    assert step(-1, UNKNOWN) == held(-1, 151)


def test_case_78_a_revision_starts_with_its_initial_scale() -> None:
    rules = replace(RULES, initial=2)
    assert step(1, UNKNOWN, rules=rules, initialized=False) == applied(2)
    assert step(0, ACTIVE, 120, rules) == applied(1, 180)
    assert step(0, ACTIVE, 120, replace(rules, reachable=False), initialized=False) == applied(1, 180)


def test_case_79_without_scale_to_zero_one_pod_stays() -> None:
    rules = replace(RULES, scale_to_zero=False)
    assert step(0, ACTIVE, 400, rules) == applied(1)
    assert step(0, ACTIVE, 400, replace(rules, least=2)) == applied(2)
    assert step(-1, ACTIVE, 400, rules) == held(-1)


@pytest.mark.parametrize(("desired", "want"), [(1, 5), (4, 5), (5, 3), (6, 3)])
def test_case_80_an_initial_scale_above_the_maximum(desired: int, want: int) -> None:
    rules = replace(RULES, initial=5, most=3)
    assert step(desired, UNKNOWN, rules=rules, initialized=False) == applied(want)


@pytest.mark.parametrize(
    ("pods", "least", "most", "expected"), [(0, 2, 3, 2), (4, 2, 3, 3), (4, 2, 0, 4), (1, 5, 3, 5), (5, 5, 3, 3)]
)
def test_the_lower_bound_is_looked_at_first(pods: int, least: int, most: int, expected: int) -> None:
    assert clamp(pods, least, most) == expected
