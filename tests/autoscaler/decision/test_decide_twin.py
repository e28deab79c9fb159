"""`decide` against a slow twin: one revision at a time, in plain Python, as the specification puts it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decision.decide import Observed
from autoscaler.decision.rows import Rows, Target

START_S = 1_700_000_000.0


@dataclass
class Twin:
    """One decider, step by step (spec autoscaling 3.1). State is changed in place; scalars only."""

    target: Target
    panic_since_s: float | None
    panic_pods_max: int
    delay_slots: int
    recorded: dict[int, int]
    desired: int = -1
    excess_burst: int = 0

    @classmethod
    def created(
        cls, target: Target, ready: float, delay_s: float, now_s: float = START_S, initial_scale: int = 1
    ) -> Twin:
        pods, burst = 0 if math.isnan(ready) else int(ready), target.burst_capacity
        excess = int(burst) if burst in (-1, 0) else math.trunc(initial_scale * target.capacity - burst)
        return cls(target, now_s if pods > 1 else None, pods, math.ceil(delay_s / 2), {}, excess_burst=excess)

    def tick(self, now_s: float, ready: float, stable: float, panic: float) -> int | None:
        if math.isnan(ready) or math.isnan(stable) or math.isnan(panic):
            return None
        t, pods = self.target, max(1, int(ready))
        up = math.ceil(t.up_rate_max * pods)
        down = math.floor(pods / t.down_rate_max) if t.reachable else 0
        asked = math.ceil(panic / t.per_pod)
        want_stable = self._limited(math.ceil(stable / t.per_pod), down, up)
        want_panic = self._limited(asked, down, up)
        if asked / pods >= t.panic_threshold:
            self.panic_since_s = now_s
        elif self.panic_since_s is not None and self.panic_since_s + t.stable_window_s < now_s:
            self.panic_since_s, self.panic_pods_max = None, 0
        wanted = want_stable
        if self.panic_since_s is not None:
            self.panic_pods_max = max(self.panic_pods_max, want_stable, want_panic)
            wanted = self.panic_pods_max
        self.excess_burst = self._excess(ready, panic)
        self.desired = self._delayed(now_s, wanted)
        return self.desired

    def _limited(self, asked: int, down: int, up: int) -> int:
        limited = min(max(asked, down), up)
        floor = int(self.target.activation_pods)
        return floor if floor > 1 and asked > 0 and floor > limited else limited

    def _excess(self, ready: float, panic: float) -> int:
        burst = self.target.burst_capacity
        if burst == 0:
            return 0
        return -1 if burst < 0 else math.floor(ready * self.target.capacity - burst - panic)

    def _delayed(self, now_s: float, wanted: int) -> int:
        if not self.delay_slots or not self.target.reachable:
            return wanted
        slot = math.floor(now_s) // 2
        self.recorded[slot] = max(self.recorded.get(slot, 0), wanted)
        return max(value for at, value in self.recorded.items() if slot - at < self.delay_slots)


values = st.one_of(st.just(math.nan), st.floats(0, 5000), st.integers(-3, 3000).map(float))
counts = st.one_of(st.just(math.nan), st.integers(0, 400).map(float))
ticks = st.lists(st.tuples(st.integers(0, 90), counts, values, values), min_size=1, max_size=12)


@st.composite
def targets(draw: st.DrawFn) -> Target:
    per_pod = draw(st.floats(0.01, 200))
    return Target(
        per_pod=per_pod,
        capacity=per_pod / draw(st.floats(0.1, 1)),
        burst_capacity=draw(st.one_of(st.sampled_from([-1.0, 0.0, 211.0]), st.floats(0, 5000))),
        activator_capacity=100.0,
        panic_threshold=draw(st.floats(1.1, 10)),
        up_rate_max=draw(st.floats(1.01, 1000)),
        down_rate_max=draw(st.floats(1.01, 100)),
        stable_window_s=draw(st.integers(6, 120).map(float)),
        reachable=draw(st.booleans()),
        activation_pods=draw(st.sampled_from([0.0, 0.0, 2.0, 7.0])),
    )


@st.composite
def revisions(draw: st.DrawFn) -> tuple[Target, float, float, list[Any]]:
    return draw(targets()), draw(counts), draw(st.sampled_from([0.0, 0.0, 5.0, 30.0])), draw(ticks)


@settings(max_examples=150, deadline=None)
@given(st.lists(revisions(), min_size=1, max_size=5))
def test_all_rows_at_once_decide_as_one_row_at_a_time(cases: list[tuple[Target, float, float, list[Any]]]) -> None:
    rows = Rows()
    twins = [Twin.created(target, ready, delay_s) for target, ready, delay_s, _ in cases]
    for row, (target, ready, delay_s, _) in enumerate(cases):
        rows.open(row, target, now_s=START_S, ready_pods=ready, initial_scale=1, delay_s=delay_s)
    now_s = np.full(len(cases), START_S)
    for step in range(max(len(case[3]) for case in cases)):
        chosen = np.array([row for row, case in enumerate(cases) if step < len(case[3])])
        inputs = np.array([cases[row][3][step] for row in chosen], np.float64)
        now_s[chosen] += inputs[:, 0]
        before = rows.desired[chosen].copy()
        seen = _observed(inputs)
        tick = rows.tick(chosen, now_s[chosen], seen)
        for index, row in enumerate(chosen):
            twin, (_, ready, stable, panic) = twins[row], inputs[index]
            expected = twin.tick(float(now_s[row]), float(ready), float(stable), float(panic))
            assert (expected is None) == math.isnan(tick.decision.pods[index])
            if expected is None:
                assert not tick.notify[index]
                continue
            assert int(tick.decision.pods[index]) == expected
            assert int(tick.decision.excess_burst[index]) == twin.excess_burst
            assert bool(tick.notify[index]) >= (before[index] != expected)
            since_s = tick.decision.panic.since_s[index]
            assert (None if math.isnan(since_s) else since_s) == twin.panic_since_s
            assert int(tick.decision.panic.pods_max[index]) == twin.panic_pods_max


@settings(max_examples=100, deadline=None)
@given(revisions())
def test_a_settled_row_would_decide_the_same_for_ever(case: tuple[Target, float, float, list[Any]]) -> None:
    """What lets an idle revision go without ticks."""
    target, ready, delay_s, steps = case
    rows, row, now_s = Rows(), np.array([0]), START_S
    rows.open(0, target, now_s=now_s, ready_pods=ready, initial_scale=1, delay_s=delay_s)
    for passed_s, ready_pods, stable, panic in steps:
        now_s += passed_s
        rows.tick(row, now_s, _observed(np.array([[0, ready_pods, stable, panic]])))
    for quiet_s in (2.0, 2.0, 500.0):
        now_s += quiet_s
        tick = rows.tick(row, now_s, _observed(np.array([[0, 1.0, 0.0, 0.0]])))
        if tick.settled[0]:
            decided = int(rows.desired[0])
            for later_s in (2.0, 60.0, 4000.0):
                again = rows.tick(row, now_s + later_s, _observed(np.array([[0, 1.0, 0.0, 0.0]])))
                assert int(again.decision.pods[0]) == decided
            return
    assert not tick.decision.panic.on[0] and delay_s > 0 and rows.desired[0] > 0, "only a delayed count never settles"


def _observed(inputs: Any) -> Observed:
    return Observed(inputs[:, 2].copy(), inputs[:, 3].copy(), inputs[:, 1].copy())
