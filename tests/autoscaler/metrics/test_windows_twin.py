"""`Windows` against slow twins: one list per window, in plain Python, as the specification puts it."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from autoscaler.metrics.windows import Windows

START_S = 1_700_000_000
ROWS = 3
# The long ones make the arena so large that it is compacted when they go.
LENGTHS_S = st.sampled_from([1, 2, 5, 6, 6, 60, 3000, 3600])
VALUES = st.one_of(st.just(0.0), st.integers(0, 50).map(float), st.floats(-100, 1000))


class Buckets:
    """One window (spec autoscaling 2.5 and 2.6), granularity 1 s."""

    def __init__(self, window_s: int, weighted: bool) -> None:
        self.window_s = window_s
        self.weighted = weighted
        self.ring = [0.0] * window_s
        self.first: int | None = None
        self.last: int | None = None
        self.total = 0.0

    def record(self, time_s: float, value: float) -> None:
        t = math.floor(time_s)
        if self.last is not None and t != self.last and t + self.window_s <= self.last:
            return
        if self.first is None or t < self.first:
            self.first = t
        if self.last is None or t - self.last >= self.window_s:
            self.ring, self.total, self.first, self.last = [0.0] * self.window_s, 0.0, t, t
        while self.last < t:
            self.last += 1
            self.total -= self.ring[self.last % self.window_s]
            self.ring[self.last % self.window_s] = 0.0
        self.ring[t % self.window_s] += value
        self.total += value

    def average(self, now_s: float) -> float:
        if self.last is None or math.floor(now_s) - self.last >= self.window_s:
            return 0.0
        passed = max(0, math.floor(now_s) - self.last)
        if self.weighted:
            share = max(0.2, 1 - 0.0001 ** (1 / self.window_s))
            ages = range(self.window_s - passed)
            return math.fsum(
                self.ring[(self.last - age) % self.window_s] * share * (1 - share) ** (age + passed) for age in ages
            )
        total = self.total
        for step in range(passed):
            total -= self.ring[(self.last + 1 + step) % self.window_s]
        seen = self.window_s if self.first is None else self.last - self.first + 1
        micros = Decimal(total / min(seen, self.window_s - passed) * 1e6)
        return float(micros.quantize(Decimal(1), ROUND_HALF_UP)) / 1e6

    def empty(self, now_s: float) -> bool:
        return self.last is None or math.floor(now_s) - self.last > self.window_s

    def resize(self, window_s: int, now_s: float) -> None:
        if window_s == self.window_s:
            return
        old, self.ring, self.total = self.ring, [0.0] * window_s, 0.0
        if self.empty(now_s):
            self.first = None
        else:
            assert self.last is not None
            for slot in range(self.last, self.last - min(len(old), window_s), -1):
                self.ring[slot % window_s] = old[slot % len(old)]
                self.total += old[slot % len(old)]
            self.first = self.last - (len(old) - 1)
        self.window_s = window_s

    def reads_as(self, found: float, now_s: float) -> bool:
        """Whether that is this window's average; a weighted one is not rounded, so that its last bits may differ."""
        return found == (
            pytest.approx(self.average(now_s), rel=1e-9, abs=1e-9) if self.weighted else self.average(now_s)
        )


class Machine(RuleBasedStateMachine):
    """Windows come, change and go in one table while time passes; each has a twin."""

    def __init__(self) -> None:
        super().__init__()
        self.windows = Windows()
        self.twins: dict[int, Buckets] = {}
        self.now_s = float(START_S)

    @initialize(window_s=LENGTHS_S, weighted=st.booleans())
    def begin(self, window_s: int, weighted: bool) -> None:
        self.open(0, window_s, weighted)

    @rule(row=st.integers(0, ROWS - 1), window_s=LENGTHS_S, weighted=st.booleans())
    def open(self, row: int, window_s: int, weighted: bool) -> None:
        """A row that is taken changes its length; a new one begins."""
        if row in self.twins:
            self.windows.resize(row, window_s, self.now_s)
            self.twins[row].resize(window_s, self.now_s)
        else:
            self.windows.open(row, window_s, weighted=weighted)
            self.twins[row] = Buckets(window_s, weighted)

    @precondition(lambda self: self.twins)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(sorted(self.twins)))
        self.windows.close(row)
        del self.twins[row]

    @rule(passed_s=st.one_of(st.sampled_from([0.5, 1, 1, 2, 2, 7]), st.integers(0, 70), st.just(4000)))
    def wait(self, passed_s: float) -> None:
        self.now_s += passed_s
        self.read(0)

    @precondition(lambda self: self.twins)
    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        """One sample for some of the rows, late or early."""
        rows = data.draw(st.lists(st.sampled_from(sorted(self.twins)), min_size=1, unique=True))
        late_s = st.one_of(st.just(0), st.integers(-3, 10), st.integers(0, 700))
        times_s = [self.now_s - data.draw(late_s) for _ in rows]
        values = [data.draw(VALUES) for _ in rows]
        self.windows.record(np.array(rows), np.array(times_s), np.array(values))
        for row, time_s, value in zip(rows, times_s, values, strict=True):
            self.twins[row].record(time_s, value)
        self.read(0)

    @rule(seconds=st.integers(1, 9), value=VALUES)
    def fill(self, seconds: int, value: float) -> None:
        """A sample each second for all rows."""
        rows = np.array(sorted(self.twins), np.int64)
        for _ in range(seconds):
            self.now_s += 1
            value += 1
            self.windows.record(rows, np.full(len(rows), self.now_s), np.full(len(rows), value))
            for twin in self.twins.values():
                twin.record(self.now_s, value)
        self.read(0)

    @rule(ahead_s=st.one_of(st.integers(0, 3), st.integers(-5, 100)))
    def look_around(self, ahead_s: int) -> None:
        """Reading leaves no trace, whatever time it is as of."""
        self.read(ahead_s)
        self.read(0)

    def read(self, ahead_s: int) -> None:
        rows, now_s = np.array(sorted(self.twins), np.int64), self.now_s + ahead_s
        averages, empty = self.windows.averages(rows, now_s), self.windows.empty(rows, now_s)
        for row, average, nothing in zip(rows.tolist(), averages.tolist(), empty.tolist(), strict=True):
            twin = self.twins[row]
            assert twin.reads_as(average, now_s), (row, average, twin.average(now_s))
            assert nothing == twin.empty(now_s)

    def teardown(self) -> None:
        self.look_around(1)


TestWindowsAndTheirTwins = Machine.TestCase
TestWindowsAndTheirTwins.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
