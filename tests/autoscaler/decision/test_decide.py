"""One revision's decisions: the cases 39-66 of the autoscaling specification."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from autoscaler.decision.decide import Observed, Targets, activators
from autoscaler.decision.rows import UNDECIDED, Rows, Target, Tick
from autoscaler.metrics.windows import MaxWindows

START_S = 1_700_000_000.0
ROW = np.array([0])
CALM, PANIC = False, True


def target(per_pod: float = 10.0, burst: float = 0.0, **changes: Any) -> Target:
    base = Target(
        per_pod=per_pod,
        capacity=per_pod / 0.75,
        burst_capacity=burst,
        activator_capacity=100.0,
        panic_threshold=2.0,
        up_rate_max=10.0,
        down_rate_max=10.0,
        stable_window_s=60.0,
        reachable=True,
        activation_pods=0.0,
    )
    return base._replace(**changes)


@dataclass
class Decider:
    """A row created with some ready pods, and asked as time goes by."""

    target: Target
    ready_at_creation: float = 1.0
    delay_s: float = 0.0
    initial_scale: int = 1
    rows: Rows = field(default_factory=Rows)

    def __post_init__(self) -> None:
        self.rows.open(
            0,
            self.target,
            now_s=START_S,
            ready_pods=self.ready_at_creation,
            initial_scale=self.initial_scale,
            delay_s=self.delay_s,
        )

    def tick(self, t: float, ready: float, stable: float, panic: float) -> Tick:
        seen = Observed(np.array([stable]), np.array([panic]), np.array([ready]))
        return self.rows.tick(ROW, START_S + t, seen)

    def decide(self, t: float, ready: float, stable: float, panic: float) -> tuple[int, int, bool]:
        """Desired pods, excess burst capacity, and whether it panics afterwards."""
        decision = self.tick(t, ready, stable, panic).decision
        return int(decision.pods[0]), int(decision.excess_burst[0]), bool(decision.panic.on[0])


@pytest.mark.parametrize(
    ("changes", "ready", "stable", "panic", "expected"),
    [
        pytest.param({"per_pod": 10, "burst": 100}, 1, 0, 0, (0, -87, CALM), id="case 39"),
        pytest.param({"per_pod": 181, "burst": -1}, 1, 21, 26, (1, -1, CALM), id="case 40"),
        pytest.param({"per_pod": 10, "burst": 0}, 1, 50, 49, (5, 0, PANIC), id="case 41"),
        pytest.param({"per_pod": 10, "burst": 100}, 1, 50, 50, (5, -137, PANIC), id="case 42, one pod"),
        pytest.param({"per_pod": 10, "burst": 100}, 5, 50, 50, (5, -84, CALM), id="case 42, five pods"),
        pytest.param({"per_pod": 1, "burst": 1982, "up_rate_max": 1.1}, 2, 3, 3.1, (3, -1983, PANIC), id="case 44"),
        pytest.param({"burst": 1982, "down_rate_max": 1.1}, 100, 1, 1, (90, -650, CALM), id="case 45, reachable"),
        pytest.param(
            {"burst": 1982, "down_rate_max": 1.1, "reachable": False}, 100, 1, 1, (1, -650, CALM), id="case 45, not"
        ),
        pytest.param({"per_pod": 10, "burst": 84}, 1, 50, 100, (10, -171, PANIC), id="case 46"),
        pytest.param({"per_pod": 10, "burst": 81}, 0, 1000, 888, (10, -969, PANIC), id="case 52"),
    ],
)
def test_cases_39_to_46_and_52_one_decision(
    changes: dict[str, Any], ready: float, stable: float, panic: float, expected: tuple[int, int, bool]
) -> None:
    assert Decider(target(**changes)).decide(0, ready, stable, panic) == expected


def test_case_43_panic_raises_and_never_lowers() -> None:
    for stable, wanted in ((50, 50), (20, 30)):
        decider = Decider(target(1, 100), ready_at_creation=5)
        assert decider.decide(5, 5, stable, 30) == (wanted, -124, PANIC)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        pytest.param({"burst": 101}, [(0, 1, 50, 10, (5, -98, CALM)), (2, 1, 100, 10, (10, -98, CALM))], id="case 47"),
        pytest.param({"burst": 75}, [(0, 1, 1, 0, (1, -62, CALM)), (2, 1, 0, 0, (0, -62, CALM))], id="case 48"),
        pytest.param(
            {"burst": 75, "activation_pods": 2},
            [(0, 1, 0, 0, (0, -62, CALM)), (2, 1, 1, 0, (2, -62, CALM))],
            id="case 49",
        ),
        pytest.param(
            {"burst": 61},
            [(0, 1, 1000, 1001, (10, -1049, PANIC)), (2, 10, 1000, 1001, (100, -929, PANIC))],
            id="case 50",
        ),
        pytest.param({"burst": 61}, [(0, 100, 1, 1, (10, 1271, CALM)), (2, 10, 1, 1, (1, 71, CALM))], id="case 51"),
        pytest.param(
            {"per_pod": 1, "burst": 98},
            [
                (0, 10, 11, 25, (25, -110, PANIC)),
                (30, 40, 30, 41, (41, -86, PANIC)),
                (62, 55, 50, 56, (50, -81, CALM)),
            ],
            id="case 53",
        ),
        pytest.param(
            {"per_pod": 1, "burst": 101},
            [
                (0, 1, 6, 6, (6, -106, PANIC)),
                (2, 6, 36, 36, (36, -129, PANIC)),
                (4, 36, 216, 216, (216, -269, PANIC)),
                (6, 216, 1296, 1296, (1296, -1109, PANIC)),
                (8, 1296, 1296, 1296, (1296, 331, PANIC)),
            ],
            id="case 56",
        ),
        pytest.param({"burst": 98}, [(0, 8, 100, 100, (10, -92, CALM)), (2, 8, 50, 50, (5, -42, CALM))], id="case 57"),
    ],
)
def test_cases_47_to_57_decisions_in_a_row(changes: dict[str, Any], steps: list[Any]) -> None:
    decider = Decider(target(**changes))
    for t, ready, stable, panic, expected in steps:
        assert decider.decide(t, ready, stable, panic) == expected, f"at {t} s"


def test_case_53_panic_that_is_not_renewed_keeps_its_start() -> None:
    decider = Decider(target(1, 98))
    decider.decide(0, 10, 11, 25)
    decider.decide(30, 40, 30, 41)
    assert decider.rows.panic(ROW).since_s[0] == START_S


def test_case_54_panic_is_renewed_while_it_is_over_the_threshold() -> None:
    decider = Decider(target(1, 98))
    decider.decide(0, 10, 11, 25)
    assert decider.decide(30, 40, 30, 80) == (80, -125, PANIC)
    assert decider.rows.panic(ROW).since_s[0] == START_S + 30


def test_case_55_panic_is_held_for_a_stable_window_and_then_left() -> None:
    decider = Decider(target(10, 93))
    assert decider.decide(0, 1, 100, 100) == (10, -180, PANIC)
    assert decider.decide(0, 10, 100, 1000) == (100, -960, PANIC)
    assert decider.decide(30, 10, 1, 1) == (100, 39, PANIC)
    assert decider.decide(61, 10, 1, 1) == (1, 39, CALM)


def test_case_58_panic_ends_strictly_after_the_stable_window() -> None:
    for t, expected in ((60, (10, 0, PANIC)), (62, (1, 0, CALM))):
        decider = Decider(target(10, 0))
        assert decider.decide(0, 1, 100, 100) == (10, 0, PANIC)
        assert decider.decide(t, 10, 10, 10) == expected


def test_case_59_a_decider_that_begins_with_several_pods_holds_them() -> None:
    decider = Decider(target(10, 0), ready_at_creation=3)
    assert [decider.decide(t, 3, 5, 5)[::2] for t in (2, 60, 62)] == [(3, PANIC), (3, PANIC), (1, CALM)]


def test_cases_60_and_61_the_scale_down_delay_holds_the_largest_count_of_its_time() -> None:
    decider = Decider(target(10, 0, panic_threshold=100.0), ready_at_creation=0, delay_s=300)
    steps = [(2, 40, 4), (300, 0, 4), (302, 0, 0), (540, 40, 4), (600, 30, 4), (660, 0, 4), (840, 0, 3), (900, 0, 0)]
    for t, value, expected in steps:
        assert decider.decide(t, 0, value, value)[0] == expected, f"at {t} s"


def test_case_62_a_maximum_over_five_entries() -> None:
    windows = MaxWindows()
    windows.open(0, 10.0)
    found = []
    for index, value in enumerate((5, 8, 5, 7, 5, 5, 1, 4, 4, 4, 4, 9, 3, 4, 2, 1, 0)):
        windows.record(ROW, np.array([START_S + 2.0 * index]), np.array([float(value)]))
        found.append(int(windows.maxima(ROW)[0]))
    assert found == [5, 8, 8, 8, 8, 8, 7, 7, 5, 5, 4, 9, 9, 9, 9, 9, 4]


def test_case_63_without_a_delay_a_lower_count_counts_at_once() -> None:
    decider = Decider(target(10, 0, panic_threshold=100.0))
    assert [decider.decide(t, 1, value, value)[0] for t, value in ((0, 40), (1, 20))] == [4, 2]


@pytest.mark.parametrize(("ready", "stable"), [(math.nan, 50.0), (1.0, math.nan)], ids=["no pod count", "no metric"])
def test_case_63_without_data_nothing_is_decided_and_nothing_changes(ready: float, stable: float) -> None:
    decider = Decider(target(10, 0))
    decider.decide(0, 1, 50, 50)
    before = decider.rows.panic(ROW)
    tick = decider.tick(100, ready, stable, stable)
    assert math.isnan(tick.decision.pods[0])
    assert not tick.notify[0]
    assert (decider.rows.desired[0], decider.rows.panic(ROW).since_s[0]) == (5, before.since_s[0])


@pytest.mark.parametrize(
    ("ready", "burst", "expected"), [(0, 200, 2), (1, 200, 3), (100, 0, 2), (5, -1, 5), (15, 200, 17), (10, 211, 13)]
)
def test_case_64_how_many_activators_a_revision_is_sized_for(ready: float, burst: float, expected: int) -> None:
    columns = target(75, burst, capacity=100.0)
    targets = Targets(**{name: np.array([value]) for name, value in columns._asdict().items()})
    assert activators(targets, np.array([float(ready)]))[0] == expected


@pytest.mark.parametrize(
    ("initial", "capacity", "burst", "expected"), [(2, 25, 42, 8), (2, 25, -1, -1), (2, 25, 0, 0), (1, 100, 211, -111)]
)
def test_case_65_what_a_new_decider_publishes(initial: int, capacity: float, burst: float, expected: int) -> None:
    rows = Decider(target(10, burst, capacity=capacity), initial_scale=initial).rows
    assert (rows.desired[0], rows.excess_burst[0]) == (UNDECIDED, expected)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(1982, 1984, False), (-1984, -1988, False), (0, 1, False), (0, -42, True), (-1988, 2006, True)],
)
def test_case_66_subscribers_hear_of_a_change_of_sign(before: int, after: int, expected: bool) -> None:
    # One pod is ready and carries 5000: the burst target decides what is left.
    decider = Decider(target(10, 5000 - before, capacity=5000))
    assert decider.tick(0, 1, 0, 0).decision.excess_burst[0] == before
    decider.rows.update(0, target(10, 5000 - after, capacity=5000))
    tick = decider.tick(2, 1, 0, 0)
    assert tick.decision.excess_burst[0] == after
    assert bool(tick.notify[0]) is expected
