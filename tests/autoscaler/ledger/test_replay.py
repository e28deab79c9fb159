"""`decide()` on a row's inputs gives the row's answer, whatever the load was."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decision.rows import Target
from autoscaler.decision.rule import Rule
from autoscaler.ledger.codec import decode, encode
from autoscaler.ledger.row import Records, replay
from swell.api.meta import Key

from .world import World

KEYS = [Key("default", f"r-{number}") for number in range(3)]
loads = st.lists(st.tuples(st.sampled_from(KEYS), st.floats(0, 2000), st.integers(0, 200)), max_size=4)
ticks = st.lists(st.tuples(st.sampled_from([1.0, 2.0, 2.0, 30.0, 90.0]), loads), min_size=1, max_size=12)


@st.composite
def targets(draw: st.DrawFn) -> Target:
    per_pod = draw(st.floats(0.01, 200))
    return Target(
        per_pod=per_pod,
        capacity=per_pod / draw(st.floats(0.1, 1)),
        burst_capacity=draw(st.sampled_from([-1.0, 0.0, 211.0])),
        activator_capacity=100.0,
        panic_threshold=draw(st.floats(1.1, 10)),
        up_rate_max=draw(st.floats(1.01, 1000)),
        down_rate_max=draw(st.floats(1.01, 100)),
        stable_window_s=draw(st.integers(6, 120).map(float)),
        reachable=draw(st.booleans()),
        activation_pods=draw(st.sampled_from([0.0, 2.0, 7.0])),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(targets(), min_size=3, max_size=3), st.sampled_from([0.0, 30.0]), st.integers(0, 5), ticks)
def test_every_row_replays_also_after_it_was_kept(
    each: list[Target], delay_s: float, ready: int, steps: list[tuple[float, list[tuple[Key, float, int]]]]
) -> None:
    world = World()
    for key, target in zip(KEYS, each, strict=True):
        world.open(key, target, delay_s=delay_s, ready=float(ready))
    for seconds, reports in steps:
        for key, load, pods in reports:
            world.revisions.pods_ready(key, float(pods))
            world.report(load, key)
        world.tick(seconds)
    kept, keys = decode(encode(*world.ledger.since(0)))
    assert sorted(keys.values()) == sorted({*KEYS} & {*keys.values()})
    for life in keys:
        check(kept[kept["life"] == life])


def check(rows: Records) -> None:
    again = replay(rows)
    known = ~np.isnan(rows["desired"])
    assert known.any()
    for name, found in (
        ("undelayed", again.pods),
        ("excess_burst", again.excess_burst),
        ("since_after_s", again.panic.since_s),
        ("pods_max_after", again.panic.pods_max),
        ("asked_stable", again.steps.asked_stable),
        ("asked_panic", again.steps.asked_panic),
        ("down_limit", again.steps.down_limit),
        ("up_limit", again.steps.up_limit),
        ("want_stable", again.steps.want_stable),
        ("want_panic", again.steps.want_panic),
    ):
        np.testing.assert_array_equal(rows[name], found, err_msg=name)
    for row in rows[known]:
        assert row["desired"] == came_to(Rule(row["rule"]), row), Rule(row["rule"])


def came_to(rule: Rule, row: np.void) -> float:
    """The number that the rule which is said to have decided stands for."""
    panic = not math.isnan(row["since_after_s"]) and row["want_panic"] > row["want_stable"]
    found = {
        Rule.STABLE: row["asked_stable"],
        Rule.PANIC: row["asked_panic"],
        Rule.PANIC_HOLD: row["pods_max_after"],
        Rule.UP_LIMIT: row["up_limit"],
        Rule.DOWN_LIMIT: row["down_limit"],
        Rule.ACTIVATION: row["activation_pods"],
        Rule.DELAY: row["desired"],
    }[rule]
    assert rule is not Rule.PANIC or panic
    return float(found)
