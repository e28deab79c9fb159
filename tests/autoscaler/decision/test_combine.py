"""Several metrics together: against a slow twin, one revision and one metric at a time, and case by case."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decision.combine import Extra, combine
from autoscaler.decision.decide import Limits, Observed
from autoscaler.decision.extras import Kind, Measured, Metric
from autoscaler.decision.rows import Rows, Target, Tick

START_S = 1_700_000_000.0
TARGET = Target(10.0, 12.0, 211.0, 100.0, 2.0, 1000.0, 2.0, 60.0, True, 0.0)
QUEUE = Metric("queue", 5.0, Kind.JSON)
CPU = Metric("cpu", 0.7, Kind.CPU)
NAN = math.nan


@dataclass(frozen=True)
class Case:
    """One revision: what its requests want, and (value, target, whether it is cpu or memory) of each other metric."""

    pods: float
    ready: float
    held: int
    least: float
    most: float
    activation: float
    metrics: list[tuple[float, float, bool]]


def twin(case: Case) -> tuple[float, list[float]]:
    """In plain Python, as docs/metrics.md puts it."""
    wanted = [_wanted(case, *metric) for metric in case.metrics]
    if math.isnan(case.ready):
        return NAN, wanted
    known = [pods for pods in (case.pods, *wanted) if not math.isnan(pods)]
    most = max(known, default=0.0)
    if len(known) < 1 + len(wanted):
        most = max(most, float(case.held))
    return most, wanted


def _wanted(case: Case, value: float, target: float, resource: bool) -> float:
    if math.isnan(value) or math.isnan(case.ready):
        return NAN
    asked = float(math.ceil(max(0.0, value) / target))
    if resource:
        ready = max(1.0, case.ready)
        if abs(value / (target * ready) - 1.0) <= 0.1:
            asked = ready
        if asked <= 1:
            asked = 0.0
    limited = min(max(asked, case.least), case.most)
    if case.activation > 1 and asked > 0 and case.activation > limited:
        limited = case.activation
    return min(limited, 2.0**31 - 1)


values = st.one_of(st.just(NAN), st.floats(-5, 1e6), st.integers(0, 2000).map(float))
metrics = st.tuples(values, st.floats(0.001, 1e4), st.booleans())
counts = st.integers(0, 300).map(float)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    ready = draw(st.one_of(st.just(NAN), counts))
    pods = ready if math.isnan(ready) else max(1.0, ready)
    return Case(
        pods=NAN if math.isnan(ready) else draw(st.one_of(st.just(NAN), counts)),
        ready=ready,
        held=draw(st.integers(0, 300)),
        least=float(np.floor(pods / draw(st.floats(1.01, 100)))),
        most=float(np.ceil(pods * draw(st.floats(1.01, 1000)))),
        activation=draw(st.sampled_from([0.0, 0.0, 2.0, 7.0])),
        metrics=draw(st.lists(metrics, min_size=1, max_size=5)),
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(cases(), min_size=1, max_size=6))
def test_all_revisions_at_once_combine_as_one_at_a_time(drawn: list[Case]) -> None:
    width = max(len(case.metrics) for case in drawn)
    shape = (len(drawn), width)
    extra = Extra(np.full(shape, NAN), np.ones(shape), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))
    for row, case in enumerate(drawn):
        for slot, (value, target, resource) in enumerate(case.metrics):
            extra.values[row, slot], extra.targets[row, slot] = value, target
            extra.used[row, slot], extra.resource[row, slot] = True, resource

    def column(name: str) -> np.ndarray:
        return np.array([getattr(case, name) for case in drawn], np.float64)

    found = combine(
        column("pods"),
        column("ready"),
        column("held"),
        Limits(column("least"), column("most")),
        column("activation"),
        extra,
    )
    for row, case in enumerate(drawn):
        pods, wanted = twin(case)
        assert np.array_equal(found.pods[row], pods, equal_nan=True)
        assert np.array_equal(found.wanted[row, : len(wanted)], wanted, equal_nan=True)
        assert np.isnan(found.wanted[row, len(wanted) :]).all()


def decided(
    *metrics: tuple[Metric, float], requests: float = 0.0, ready: float = 1.0, last: int | None = None
) -> tuple[float, Tick]:
    """What one row comes to; `last` is what it had decided before, by requests alone."""
    rows, row = Rows(), np.array([0])
    rows.open(0, TARGET, now_s=START_S, ready_pods=min(ready, 1.0), initial_scale=1, delay_s=0.0)
    if last is not None:
        rows.tick(row, START_S + 2, _seen(last * 10.0, max(1.0, float(last))))
    rows.extras.open(0, [metric for metric, _ in metrics])
    rows.extras.set(0, {metric.name: value for metric, value in metrics})
    tick = rows.tick(row, START_S + 600, _seen(requests, ready))
    return float(tick.decision.pods[0]), tick


def _seen(requests: float, ready: float) -> Observed:
    return Observed(np.array([requests]), np.array([requests]), np.array([ready]))


def test_the_metric_that_wants_most_decides() -> None:
    assert decided((QUEUE, 12.0), requests=50.0)[0] == 5
    pods, tick = decided((QUEUE, 31.0), (CPU, 1.6), requests=50.0, ready=2)
    assert pods == 7
    assert tick.extras is not None
    assert tick.extras.of(0) == {"queue": Measured(31.0, 5.0, 7.0), "cpu": Measured(1.6, 0.7, 3.0)}
    assert tick.extras.before[0] == 5, "by requests alone"


def test_nothing_is_wanted_only_if_no_metric_wants_anything() -> None:
    assert decided((QUEUE, 0.0))[0] == 0
    assert decided((QUEUE, 0.001))[0] == 1
    assert decided((QUEUE, 0.0), requests=0.1)[0] == 1
    assert decided((QUEUE, -3.0))[0] == 0, "fewer than none is none"


def test_a_metric_that_is_not_known_is_left_out_and_never_drops_the_scale() -> None:
    assert decided((QUEUE, NAN), last=7)[0] == 7
    assert decided((QUEUE, NAN), requests=90.0, last=7)[0] == 9
    assert decided((QUEUE, NAN), (CPU, 8.0), last=7, ready=7)[0] == 12
    assert decided((QUEUE, NAN), last=0)[0] == 0, "what is at zero stays there"


def test_before_the_first_decision_what_is_not_known_keeps_the_pods_that_there_are() -> None:
    assert decided((QUEUE, NAN), ready=6)[0] == 6
    rows = Rows()
    rows.open(0, TARGET, now_s=START_S, ready_pods=4.0, initial_scale=1, delay_s=0.0)
    rows.extras.open(0, [QUEUE])
    rows.extras.set(0, {"queue": 10.0})
    tick = rows.tick(np.array([0]), START_S + 100, Observed(*np.array([[NAN], [NAN], [0.0]])))
    assert tick.decision.pods[0] == 4, "requests are not known, nor are the four pods it began with ready"
    assert tick.decision.excess_burst[0] == rows.excess_burst[0] == 12 - 211


def test_without_a_count_of_ready_pods_nothing_is_decided() -> None:
    pods, tick = decided((QUEUE, 50.0), ready=NAN, last=3)
    assert math.isnan(pods)
    assert not tick.notify[0]


@pytest.mark.parametrize(("value", "ready", "pods"), [(0.1, 1, 0), (0.69, 1, 0), (0.76, 1, 0), (0.78, 1, 2)])
def test_cpu_and_memory_neither_wake_a_revision_nor_keep_its_last_pod(value: float, ready: int, pods: int) -> None:
    assert decided((CPU, value), ready=ready)[0] == pods


@pytest.mark.parametrize(("each", "pods"), [(0.63, 4), (0.7, 4), (0.76, 4), (0.78, 5), (0.62, 4), (0.5, 3), (0.1, 2)])
def test_cpu_and_memory_close_to_their_target_change_nothing(each: float, pods: int) -> None:
    assert decided((CPU, 4 * each), ready=4)[0] == pods


def test_each_metric_moves_no_faster_than_requests_may() -> None:
    rows, row = Rows(), np.array([0])
    slow = TARGET._replace(up_rate_max=2.0, down_rate_max=2.0, activation_pods=3.0)
    rows.open(0, slow, now_s=START_S, ready_pods=0.0, initial_scale=1, delay_s=0.0)
    rows.extras.open(0, [QUEUE])

    def tick(queue: float, ready: float) -> int:
        rows.extras.set(0, {"queue": queue})
        return int(rows.tick(row, START_S + 600, _seen(0.0, ready)).decision.pods[0])

    assert tick(500.0, 0) == 3, "the activation scale may exceed the limit"
    assert tick(500.0, 3) == 6
    assert tick(500.0, 6) == 12
    assert tick(0.0, 12) == 6
    assert tick(0.0, 1) == 0


def test_the_scale_down_delay_holds_what_a_metric_wanted() -> None:
    rows, row = Rows(), np.array([0])
    rows.open(0, TARGET, now_s=START_S, ready_pods=1.0, initial_scale=1, delay_s=30.0)
    rows.extras.open(0, [QUEUE])
    rows.extras.set(0, {"queue": 20.0})
    assert rows.tick(row, START_S + 2, _seen(0.0, 1.0)).decision.pods[0] == 4
    rows.extras.set(0, {"queue": 0.0})
    tick = rows.tick(row, START_S + 20, _seen(0.0, 4.0))
    assert (tick.decision.pods[0], bool(tick.settled[0])) == (4, False)
    assert rows.tick(row, START_S + 60, _seen(0.0, 1.0)).decision.pods[0] == 0


def test_rows_without_such_metrics_decide_as_if_nobody_had_any() -> None:
    plain, mixed = Rows(), Rows()
    chosen = np.arange(0, 40, 2)
    random = np.random.default_rng(1)
    for row in range(40):
        for rows in (plain, mixed):
            rows.open(row, TARGET, now_s=START_S, ready_pods=row % 5, initial_scale=1, delay_s=10.0 * (row % 3))
        if row % 2:
            mixed.extras.open(row, [QUEUE, CPU])
    for step in range(30):
        seen = Observed(*(random.uniform(0, 100, 40) for _ in range(2)), random.integers(0, 9, 40).astype(float))
        seen.stable[random.integers(0, 40)] = NAN
        expected = plain.tick(chosen, START_S + 2 * step, Observed(*(each[chosen] for each in _arrays(seen))))
        found = mixed.tick(np.arange(40), START_S + 2 * step, seen)
        for one, other in zip(_outcome(expected), _outcome(found), strict=True):
            assert np.array_equal(one, other[chosen], equal_nan=one.dtype == np.float64)
    assert expected.extras is None
    assert found.extras is not None
    assert found.extras.of(0) == {}


def _arrays(seen: Observed) -> tuple[np.ndarray, ...]:
    return seen.stable, seen.panic, seen.ready_pods


def _outcome(tick: Tick) -> tuple[np.ndarray, ...]:
    decision = tick.decision
    panic = decision.panic
    return decision.pods, decision.excess_burst, panic.since_s, panic.pods_max, tick.notify, tick.settled


def test_metrics_of_a_row_come_and_go() -> None:
    rows = Rows()
    for row in (0, 20):
        rows.open(row, TARGET, now_s=START_S, ready_pods=1.0, initial_scale=1, delay_s=0.0)
    rows.extras.open(20, [QUEUE])
    assert rows.extras.set(20, {"queue": 10.0, "unknown": 5.0})
    assert not rows.extras.set(20, {"queue": 10.0})
    assert not rows.extras.set(0, {"queue": 10.0})
    tick = rows.tick(np.array([0, 20]), START_S + 100, Observed(np.zeros(2), np.zeros(2), np.ones(2)))
    assert tick.decision.pods.tolist() == [0, 2]
    assert rows.extras.of(20) == {"queue": Measured(10.0, 5.0, 2.0)}
    rows.extras.open(20, [CPU])
    assert math.isnan(rows.extras.of(20)["cpu"].value), "not known yet"
    rows.close(20)
    assert (rows.extras.of(20), len(rows.extras)) == ({}, 0)
    rows.open(20, TARGET, now_s=START_S, ready_pods=1.0, initial_scale=1, delay_s=0.0)
    assert rows.tick(np.array([20]), START_S + 100, _seen(0.0, 1.0)).decision.pods[0] == 0
