"""The state of every revision's decisions, one row each, and one tick over any of them.

Time and numbers come in, wants come out; knows no clock and no revision by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autoscaler.arrays import Bools, Floats, Ints, grown
from autoscaler.decision.decide import (
    Decision,
    Observed,
    Panic,
    Targets,
    decide,
    initial_excess_burst,
    initial_panic,
)
from autoscaler.decision.extras import Extras, ExtraTick
from autoscaler.metrics.windows import MaxWindows

UNDECIDED = -1
"""The desired scale of a revision before its first valid tick."""


class Target(NamedTuple):
    """One revision's element of `Targets`; see there for what each means."""

    per_pod: float
    capacity: float
    burst_capacity: float
    activator_capacity: float
    panic_threshold: float
    up_rate_max: float
    down_rate_max: float
    stable_window_s: float
    reachable: bool
    activation_pods: float


@dataclass(frozen=True, slots=True)
class Tick:
    """One round of decisions. Shapes: (n,), in the order of `rows`.

    `decision.pods` has other metrics and the scale-down delay in it, `undelayed` is `decide()`'s own answer. `notify`:
    subscribers must hear of it, because the desired scale changed, or the sign of the excess burst capacity. `settled`:
    with no data to come, later ticks would decide the same for ever. `news`: it saw or came to something else than the
    tick before, or its targets are others; without it the tick differs from that one by its time alone. `before` is the
    panic state it began with. `extras` tells of metrics beside requests; None: no row has any.
    """

    rows: Ints
    targets: Targets
    seen: Observed
    before: Panic
    undelayed: Floats
    delay_s: Floats
    decision: Decision
    notify: Bools
    settled: Bools
    news: Bools
    extras: ExtraTick | None = None


class Rows:
    """Targets, panic state and last outcome of each row; row numbers are the caller's."""

    def __init__(self) -> None:
        self._targets: Floats = np.zeros((len(Target._fields), 0))
        self._since_s: Floats = np.zeros(0)
        self._pods_max: Floats = np.zeros(0)
        self._delay_s: Floats = np.zeros(0)
        self._delay = MaxWindows()
        self.extras = Extras()
        self.desired: Ints = np.zeros(0, np.int64)
        """What was decided last, before bounds; `UNDECIDED` before that."""
        self.excess_burst: Ints = np.zeros(0, np.int64)
        self._stable: Floats = np.zeros(0)
        self._panic: Floats = np.zeros(0)
        self._ready: Floats = np.zeros(0)
        self._known: Bools = np.zeros(0, np.bool_)
        self._retargeted: Bools = np.zeros(0, np.bool_)

    def open(
        self,
        row: int,
        target: Target,
        *,
        now_s: float,
        ready_pods: float,
        initial_scale: int,
        delay_s: float,
    ) -> None:
        """Begin a row. `ready_pods` NaN: not known, taken as 0. The delay is fixed from now on, as in the
        reference; everything else may change by `update`.
        """
        self._grow(row + 1)
        self.update(row, target)
        ready = np.array([ready_pods])
        panic = initial_panic(ready, now_s)
        self._since_s[row], self._pods_max[row] = panic.since_s[0], panic.pods_max[0]
        self._delay_s[row] = delay_s
        if delay_s > 0:
            self._delay.open(row, delay_s)
        self.desired[row] = UNDECIDED
        self.excess_burst[row] = initial_excess_burst(self.targets(np.array([row])), float(initial_scale))[0]
        self._stable[row] = self._panic[row] = self._ready[row] = np.nan
        self._known[row] = False

    def update(self, row: int, target: Target) -> None:
        """Replace a row's targets; its state stays."""
        self._targets[:, row] = target
        self._retargeted[row] = True

    def close(self, row: int) -> None:
        """Forget a row."""
        self.extras.close(row)
        if self._delay_s[row] > 0:
            self._delay.close(row)
            self._delay_s[row] = 0.0

    def targets(self, rows: Ints) -> Targets:
        """The targets of these rows, as a copy."""
        columns = dict(zip(Target._fields, self._targets[:, rows], strict=True))
        return Targets(**{**columns, "reachable": columns["reachable"] != 0})

    def panic(self, rows: Ints) -> Panic:
        """The panic state of these rows, as a copy."""
        return Panic(self._since_s[rows], self._pods_max[rows])

    def resume(self, rows: Ints, now_s: float, panic: Panic, pods: Floats) -> None:
        """Go on from this panic state; a scale-down delay begins anew with these pods."""
        self._since_s[rows], self._pods_max[rows] = panic.since_s, panic.pods_max
        held = (self._delay_s[rows] > 0) & (self._targets[Target._fields.index("reachable"), rows] != 0)
        self._delay.record(rows[held], np.full(int(held.sum()), now_s), pods[held])

    def last_seen(self, rows: Ints) -> Observed:
        """What the last valid tick of each row went by; NaN before that."""
        return Observed(self._stable[rows], self._panic[rows], self._ready[rows])

    def tick(self, rows: Ints, now_s: float | Floats, seen: Observed) -> Tick:
        """Decide for these rows (none twice), and keep the outcome where there is one."""
        targets, before = self.targets(rows), self.panic(rows)
        raw = decide(now_s, targets, seen, before)
        self._since_s[rows], self._pods_max[rows] = raw.panic.since_s, raw.panic.pods_max
        by_requests = raw.pods
        raw, extras = self._with_extras(rows, targets, seen, raw)
        pods = self._after_delay(rows, now_s, raw.pods, targets.reachable)
        decision = Decision(pods, raw.excess_burst, raw.panic, raw.steps)
        decided = ~np.isnan(pods)
        news = self._news(rows, decision, seen, before, decided)
        if extras is not None:
            news[extras.indices] |= extras.moved
        notify = self._publish(rows[decided], decision, seen, decided)
        # A delayed count above zero must go on being recorded, or it would be too old at the next tick.
        delay_s = self._delay_s[rows]
        steady = (delay_s == 0) | (pods == 0)
        settled = seen.known & ~raw.panic.on & (pods == raw.pods) & steady
        return Tick(rows, targets, seen, before, by_requests, delay_s, decision, notify, settled, news, extras)

    def _with_extras(
        self, rows: Ints, targets: Targets, seen: Observed, raw: Decision
    ) -> tuple[Decision, ExtraTick | None]:
        """The decision by all metrics. Where requests are not known but others are, the excess burst stays."""
        if not len(self.extras):
            return raw, None
        # Before the first decision there are the pods that a row began with.
        had = np.fmax(seen.ready_pods, raw.panic.pods_max)
        held = np.where(self.desired[rows] == UNDECIDED, had, self.desired[rows])
        extras = self.extras.tick(rows, raw.pods, seen.ready_pods, held, targets)
        if extras is None:
            return raw, None
        pods = raw.pods.copy()
        pods[extras.indices] = extras.combined.pods
        silent = np.isnan(raw.excess_burst) & ~np.isnan(pods)
        return Decision(pods, np.where(silent, self.excess_burst[rows], raw.excess_burst), raw.panic, raw.steps), extras

    def _after_delay(self, rows: Ints, now_s: float | Floats, pods: Floats, reachable: Bools) -> Floats:
        """The largest count of the last delay, where a row has one and is reachable."""
        held = (self._delay_s[rows] > 0) & reachable & ~np.isnan(pods)
        if not held.any():
            return pods
        self._delay.record(rows[held], np.broadcast_to(now_s, rows.shape)[held], pods[held])
        after = pods.copy()
        after[held] = self._delay.maxima(rows[held])
        return after

    def _news(self, rows: Ints, decision: Decision, seen: Observed, before: Panic, known: Bools) -> Bools:
        was, after = self.last_seen(rows), decision.panic
        same = (
            (seen.stable == was.stable)
            & (seen.panic == was.panic)
            & (seen.ready_pods == was.ready_pods)
            & (decision.pods == self.desired[rows])
            & (after.pods_max == before.pods_max)
            & ((after.since_s == before.since_s) | ~(after.on | before.on))
        )
        news: Bools = self._retargeted[rows] | (known != self._known[rows]) | (known & ~same)
        self._retargeted[rows] = False
        self._known[rows] = known
        return news

    def _publish(self, rows: Ints, decision: Decision, seen: Observed, known: Bools) -> Bools:
        desired = decision.pods[known].astype(np.int64)
        excess_burst = decision.excess_burst[known].astype(np.int64)
        notify = np.zeros(len(known), np.bool_)
        turned = (self.excess_burst[rows] < 0) != (excess_burst < 0)
        notify[known] = (self.desired[rows] != desired) | turned
        self.desired[rows], self.excess_burst[rows] = desired, excess_burst
        self._stable[rows], self._panic[rows] = seen.stable[known], seen.panic[known]
        self._ready[rows] = seen.ready_pods[known]
        return notify

    def _grow(self, rows: int) -> None:
        self._targets = grown(self._targets, rows, 0.0)
        self._since_s = grown(self._since_s, rows, np.nan)
        self._pods_max = grown(self._pods_max, rows, 0.0)
        self._delay_s = grown(self._delay_s, rows, 0.0)
        self.desired = grown(self.desired, rows, UNDECIDED)
        self.excess_burst = grown(self.excess_burst, rows, 0)
        self._stable = grown(self._stable, rows, np.nan)
        self._panic = grown(self._panic, rows, np.nan)
        self._ready = grown(self._ready, rows, np.nan)
        self._known = grown(self._known, rows, False)
        self._retargeted = grown(self._retargeted, rows, False)
