"""Which ticks leave a row, what is in it, and how many are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoscaler.decision.bounds import Clamp
from autoscaler.decision.extras import Kind as MetricKind
from autoscaler.decision.extras import Metric
from autoscaler.decision.rows import Target
from autoscaler.decision.rule import Rule
from autoscaler.ledger.ledger import BYTES_MAX, ROWS_MAX, Ledger
from autoscaler.ledger.row import ROW, Kind
from swell.api.meta import Key

from .world import HELLO, START_S, TARGET, World


def test_a_tick_that_saw_and_came_to_the_same_leaves_no_row() -> None:
    world = World()
    world.open()
    world.tick()
    written = world.ledger.numbered
    for _ in range(100):
        world.revisions.wake(HELLO)
        world.tick()
    assert world.ledger.numbered == written
    world.report(5)
    world.tick()
    assert world.ledger.numbered > written


def test_other_targets_are_news_even_if_they_change_nothing() -> None:
    world = World()
    world.open()
    world.tick()
    written = world.ledger.numbered
    world.revisions.update(HELLO, TARGET._replace(per_pod=11))
    world.tick()
    world.revisions.wake(HELLO)
    world.tick()
    assert world.ledger.numbered == written + 1
    assert world.ledger.of(HELLO)["per_pod"].tolist()[-2:] == [10, 11]


def test_a_row_has_inputs_rules_clamp_and_outcome_of_its_tick() -> None:
    world = World()
    world.open()
    world.report(35)
    world.tick(0.5)
    row = world.ledger.latest(HELLO)
    assert row is not None
    found = {name: row[name][0] for name in ROW.names or ()}
    assert (found["kind"], found["at_s"], found["decided_s"]) == (Kind.TICK, START_S + 0.5, START_S + 0.5)
    assert (found["stable"], found["panic"], found["ready_pods"], found["per_pod"]) == (35, 35, 1, 10)
    assert (found["asked_stable"], found["asked_panic"], found["down_limit"], found["up_limit"]) == (4, 4, 0, 1000)
    assert (found["rule"], found["desired"], found["excess_burst"]) == (Rule.STABLE, 4, -236)
    assert np.isnan(found["since_s"]) and found["since_after_s"] == START_S + 0.5, "four are more than twice one"
    assert (found["clamp"], found["want"], found["apply"]) == (Clamp.NONE, 4, True)


def test_a_step_is_part_of_the_row_of_the_tick_that_called_for_it_and_else_a_row_of_its_own() -> None:
    world = World()
    world.open()
    world.report(35)
    world.tick(0.5)
    assert world.ledger.of(HELLO)["want"].tolist() == [4]
    world.now_s += 10
    world.step(most=3)
    world.step(most=3)
    rows = world.ledger.of(HELLO)
    assert rows["kind"].tolist() == [Kind.TICK, Kind.STEP]
    assert rows["want"].tolist() == [4, 3]
    assert rows["clamp"].tolist() == [Clamp.NONE, Clamp.MAX_SCALE]
    assert rows["desired"].tolist() == [4, 4], "the decision stands"
    world.ledger.scaled(HELLO, 1, 3, world.now_s)
    assert world.ledger.of(HELLO)[["replicas_before", "replicas"]].tolist()[-1] == (1, 3)


@pytest.mark.parametrize(
    ("changes", "load", "rule", "desired"),
    [
        ({}, 35, Rule.STABLE, 4),
        ({"up_rate_max": 2.0}, 35, Rule.UP_LIMIT, 2),
        ({"activation_pods": 6.0}, 35, Rule.ACTIVATION, 6),
        ({"panic_threshold": 100.0}, 35, Rule.STABLE, 4),
    ],
)
def test_the_rule_that_decided(changes: dict[str, float], load: float, rule: Rule, desired: int) -> None:
    world = World()
    world.open(target=TARGET._replace(**changes))
    world.report(load)
    world.tick(0.5)
    rows = world.ledger.of(HELLO)
    assert (rows["rule"][-1], rows["desired"][-1]) == (rule, desired)


def test_the_rules_that_hold_pods() -> None:
    world = World()
    world.open(target=TARGET._replace(panic_threshold=100.0, stable_window_s=6.0), ready=10.0, delay_s=20.0)
    world.report(5)
    world.tick()
    assert world.ledger.of(HELLO)["rule"][-1] == Rule.PANIC_HOLD, "with more than one ready pod it begins in panic"
    world.revisions.pods_ready(HELLO, 1.0)
    world.tick(8)
    assert world.ledger.of(HELLO)[["rule", "undelayed", "desired"]].tolist()[-1] == (Rule.DELAY, 0, 10)
    world.tick(20)
    assert world.ledger.of(HELLO)[["rule", "desired"]].tolist()[-1] == (Rule.STABLE, 0)


def test_the_panic_window_decides_where_it_asks_for_more() -> None:
    world = World()
    world.open()
    for load in [*[1] * 20, *[60] * 6]:
        world.report(load)
        world.tick(1)
    rows = world.ledger.of(HELLO)
    assert Rule(rows["rule"][-1]) is Rule.PANIC
    assert rows["asked_panic"][-1] == rows["desired"][-1] > rows["asked_stable"][-1]


def test_fewer_than_the_down_rate_allows_is_the_down_limit() -> None:
    world = World()
    world.open(target=TARGET._replace(panic_threshold=100.0), ready=1.0)
    world.tick()
    world.revisions.pods_ready(HELLO, 8.0)
    world.report(1)
    world.tick()
    assert world.ledger.of(HELLO)[["rule", "desired"]].tolist()[-1] == (Rule.DOWN_LIMIT, 4)


def test_another_metric_that_asks_for_more_is_told_by_name() -> None:
    world = World()
    world.open()
    world.revisions.measure(HELLO, [Metric("jobs", 10.0, MetricKind.JSON)])
    world.report(5)
    world.revisions.measured(HELLO, {"jobs": 25.0}, world.now_s)
    world.tick(0.5)
    row = world.ledger.of(HELLO)[-1]
    assert (row["rule"], row["extra_json"], row["undelayed"], row["desired"]) == (Rule.METRIC, 3.0, 1.0, 3.0)


def test_a_metric_without_a_number_is_told_as_what_holds_the_pods() -> None:
    world = World()
    world.open()
    world.revisions.measure(HELLO, [Metric("jobs", 10.0, MetricKind.JSON)])
    world.report(5)
    world.revisions.measured(HELLO, {"jobs": 25.0}, world.now_s)
    world.tick(0.5)
    world.revisions.measured(HELLO, {"jobs": math.nan}, world.now_s)
    world.tick(0.5)
    row = world.ledger.of(HELLO)[-1]
    assert (row["rule"], row["desired"]) == (Rule.METRIC_HOLD, 3.0)
    assert math.isnan(row["extra_json"])


def test_rows_are_bounded_by_number_and_by_bytes_and_changes_outlive_the_others() -> None:
    assert len(Ledger()._others._rows) * 1.5 * ROW.itemsize <= BYTES_MAX * 1.01
    for world in (World(rows_max=30), World(rows_max=10**9, bytes_max=30 * ROW.itemsize)):
        world.open(target=TARGET._replace(panic_threshold=1000.0))
        world.report(35)
        world.tick(1)
        for second in range(200):
            world.report(35 + second / 1000)
            world.tick(1)
        assert len(world.ledger) <= 30
        rows = world.ledger.of(HELLO)
        assert rows["at_s"][0] == START_S + 1, "what changed something is there still"
        assert rows["at_s"][1] > START_S + 100, "what saw other numbers only is not"
    assert ROWS_MAX * ROW.itemsize <= BYTES_MAX


def test_a_revision_of_the_same_name_begins_anew() -> None:
    world = World()
    world.open()
    world.report(35)
    world.tick(1)
    world.ledger.forget(HELLO)
    world.revisions.close(HELLO)
    assert (world.ledger.latest(HELLO), len(world.ledger.of(HELLO))) == (None, 0)
    world.open()
    world.report(35)
    world.tick(1)
    assert len(world.ledger.of(HELLO)) == 1


def test_rows_of_many_revisions_do_not_mix() -> None:
    world = World()
    keys = [Key("default", f"r-{number}") for number in range(40)]
    for key in keys:
        world.open(key, Target(*TARGET))
    for number, key in enumerate(keys):
        world.report(float(number + 1), key)
    world.tick(1)
    assert [world.ledger.of(key)["stable"].tolist() for key in keys] == [[float(n + 1)] for n in range(40)]


def test_what_was_kept_is_there_again_for_those_who_are_there_still() -> None:
    world = World()
    gone = Key("default", "gone")
    world.open()
    world.open(gone)
    for load in (35, 20):
        world.report(load, HELLO, gone)
        world.tick(1)
    rows, keys = world.ledger.snapshot(100)
    assert {*keys.values()} == {HELLO, gone}
    later = Ledger(100)
    later.restore(rows, {life: key for life, key in keys.items() if key != gone})
    assert later.of(HELLO)[["at_s", "stable"]].tolist() == world.ledger.of(HELLO)[["at_s", "stable"]].tolist()
    assert len(later.of(gone)) == 0
    last, told = later.latest(HELLO), later.since(0)
    assert last is not None and last["at_s"][0] == world.now_s
    assert len(told[0]) == len(later.of(HELLO))


def test_a_small_snapshot_keeps_the_latest_row_of_each() -> None:
    world = World()
    keys = [Key("default", f"r-{number}") for number in range(5)]
    for key in keys:
        world.open(key)
    for load in (5, 15, 25):
        world.report(load, *keys)
        world.tick(1)
    rows, told = world.ledger.snapshot(5)
    assert len(rows) == 5
    assert {told[life] for life in rows["life"].tolist()} == {*keys}
