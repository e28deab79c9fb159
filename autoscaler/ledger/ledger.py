"""The record of ticks: one row for each tick of each revision that changed anything, or might have.

A tick that saw the same numbers as the one before and came to the same leaves no row. Bounded by rows and by bytes:
rows that changed something have a ring of their own, so that busy revisions do not push them out; beside both rings is
the latest row of each revision. Knows no clock, and not where rows are kept (`store.py`). Times are unix seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.arrays import Floats, Ints, RowNumbers
from autoscaler.decision.bounds import Activity, ScaleState, ScaleStep
from autoscaler.decision.decide import Panic, Steps
from autoscaler.decision.extras import Kind as MetricKind
from autoscaler.decision.rows import UNDECIDED, Target, Tick
from autoscaler.decision.rule import deciding
from autoscaler.ledger.ring import Ring
from autoscaler.ledger.row import OTHER_BOUNDS, OTHER_METRICS, RAW, ROW, Kind, Records, blank, targets_of
from autoscaler.parameters import Parameters
from autoscaler.revisions import Ticked
from swell.api.meta import Key

ROWS_MAX: Final = 45_000
BYTES_MAX: Final = 16 * 2**20
"""Of both rings together; whichever comes first."""
CHANGES_SHARE: Final = 3
"""One row in so many is for ticks that changed something."""
JOIN_S: Final = 0.5
"""A step this soon after its tick was called for by it."""
ACTIVITIES: Final = (Activity.UNKNOWN, Activity.ACTIVE, Activity.INACTIVE)

_BOUNDS: Final = [
    *("min_scale", "max_scale", "initial_scale", "initialized", "scale_to_zero", "retention_s"),
    *("activator", "activity", "clamp", "want", "apply"),
]
"""What a step of the bounds came to; while all of it is as before, there is nothing to write down."""
_STEP: Final = [
    *_BOUNDS,
    *("active_from_s", "grace_s", "start_s_max", "panic_window_s"),
    *(f"extra_{name}" for name in OTHER_BOUNDS),
]
# Parts of a row that are read and written as one tuple: field by field it is ten times as long.
_BOUNDS_PART: Final = blank(0)[_BOUNDS].dtype
_STEP_PART: Final = blank(0)[_STEP].dtype
_STEPS: Final = Steps.__dataclass_fields__


class Ledger:
    """Rows by revision. What is not kept any more is as if it had never been."""

    def __init__(self, rows_max: int = ROWS_MAX, bytes_max: int = BYTES_MAX) -> None:
        rows = min(rows_max, bytes_max // ROW.itemsize)
        self._changes = Ring(rows // CHANGES_SHARE)
        self._others = Ring(rows - rows // CHANGES_SHARE)
        self._slots: RowNumbers[Key] = RowNumbers()
        self._latest: Records = blank(0)
        self._place: Ints = np.zeros(0, np.int64)
        self._keys: dict[int, Key] = {}
        self._lives = 0
        self.numbered = 0
        """How many rows were written so far."""

    def __len__(self) -> int:
        """How many rows the rings hold."""
        return len(self._changes) + len(self._others)

    def ticked(self, ticked: Ticked, now_s: float) -> None:
        """Write down a tick."""
        tick = ticked.tick
        news = np.flatnonzero(tick.news)
        if not len(news):
            return
        slots = np.fromiter((self._slot(ticked.keys[index]) for index in news), np.int64, len(news))
        rows = self._latest.view(RAW)[slots].view(ROW)
        _fill(rows, tick, news, now_s)
        rows["decided_s"], rows["rps"] = ticked.now_s, ticked.rps[news]
        for name in OTHER_METRICS:
            rows[f"extra_{name}"] = _most(tick, MetricKind[name.upper()])[news]
        rows["rule"] = _rules(rows)
        changed = tick.notify[news] | (tick.before.on != tick.decision.panic.on)[news]
        rows["changed"] = changed
        self._number(rows)
        self._latest.view(RAW)[slots] = rows.view(RAW)
        self._place[slots] = np.where(changed, self._changes.end + np.cumsum(changed) - 1, -1)
        raw = rows.view(RAW)
        self._changes.append(raw[changed].view(ROW))
        self._others.append(raw[~changed].view(ROW))

    def stepped(
        self,
        key: Key,
        state: ScaleState,
        parameters: Parameters,
        step: ScaleStep,
        now_s: float,
        extra: Mapping[str, float] | None = None,
    ) -> None:
        """Write down what the bounds made of the decision: into the row of the tick that called for it, or one more.

        `extra` has what other bounds come to, by the names in `OTHER_BOUNDS`.
        """
        slot = self._slot(key)
        row = self._latest[slot : slot + 1]
        bounds = row.view(_BOUNDS_PART)
        before = bounds.item()
        if state.desired == UNDECIDED:
            row[:] = _undecided(row)  # what was decided before a restart does not stand
        rules, others = parameters.rules, extra or {}
        row.view(_STEP_PART)[0] = (  # in the order of `_STEP`
            rules.least,
            rules.most,
            rules.initial,
            state.initialized,
            rules.scale_to_zero,
            rules.retention_s if rules.reachable else 0.0,
            state.buffer_answers,
            ACTIVITIES.index(state.activity),
            step.clamp,
            step.want,
            step.apply,
            now_s - state.activity_s,
            0.0 if state.proxying_s == math.inf else rules.grace_s,
            rules.activation_timeout_s,
            parameters.collection.panic_window_s,
            *(others.get(name, np.nan) for name in OTHER_BOUNDS),
        )
        place, self._place[slot] = int(self._place[slot]), -1
        if place >= 0 and now_s - row["at_s"][0] < JOIN_S:
            self._changes.replace(place, row)
        elif before != bounds.item():
            self._write(slot, Kind.STEP, now_s)

    def scaled(self, key: Key, before: int, after: int, now_s: float) -> Records:
        """Write down that a revision's replicas were written; returns the row, as an array of one."""
        slot = self._slot(key)
        row = self._latest[slot : slot + 1]
        row["replicas_before"], row["replicas"] = before, after
        self._write(slot, Kind.SCALED, now_s)
        return row.copy()

    def latest(self, key: Key) -> Records | None:
        """The newest row of a revision, as an array of one; None before the first."""
        slot = self._slots.get(key)
        return None if slot is None or self._latest["number"][slot] < 0 else self._latest[slot : slot + 1].copy()

    def of(self, key: Key) -> Records:
        """What is kept of a revision, the oldest first."""
        slot = self._slots.get(key)
        if slot is None:
            return blank(0)
        life = int(self._latest["life"][slot])
        rows = np.concatenate([self._changes.of(life), self._others.of(life)])
        if not len(rows) and (latest := self.latest(key)) is not None:
            rows = latest
        return rows[np.argsort(rows["number"], kind="stable")]

    def changes_of(self, key: Key) -> Records:
        """Those of its rows that changed something."""
        slot = self._slots.get(key)
        return blank(0) if slot is None else self._changes.of(int(self._latest["life"][slot]))

    def forget(self, key: Key) -> None:
        """A revision is gone: one of the same name begins anew."""
        slot = self._slots.release(key)
        if slot is not None:
            self._keys.pop(int(self._latest["life"][slot]), None)

    def since(self, number: int) -> tuple[Records, dict[int, Key]]:
        """The rows that were written after that many, and whose they are; those of revisions that are gone left out."""
        rows = np.concatenate([ring.last(self.numbered - number) for ring in (self._changes, self._others)])
        return self._told(rows[rows["number"] >= number])

    def snapshot(self, rows_max: int | None = None) -> tuple[Records, dict[int, Key]]:
        """All rows, or the most telling: the latest of each revision, then what changed something, then the others."""
        left = rows_max if rows_max is not None else len(self) + len(self._keys)
        latest = self._latest[[self._slots.take(key) for key in self._keys.values()]]
        latest = latest[latest["number"] >= 0]
        chosen = [latest[np.argsort(latest["number"])][-left:]]
        for ring in (self._changes, self._others):
            left -= len(chosen[-1])
            chosen.append(ring.last(max(0, left)))
        rows = np.concatenate(chosen)
        return self._told(rows[np.unique(rows["number"], return_index=True)[1]])

    def restore(self, rows: Records, keys: Mapping[int, Key]) -> None:
        """Take in rows from before this process began, before any others: the newest of each becomes its latest."""
        slots = {life: self._slot(key) for life, key in keys.items()}
        lives = {life: int(self._latest["life"][slot]) for life, slot in slots.items()}
        rows = rows[np.isin(rows["life"], list(lives))]
        if not len(rows):
            return
        rows = rows[np.argsort(rows["number"], kind="stable")]
        where = np.array([slots[life] for life in rows["life"].tolist()])
        rows["life"] = [lives[life] for life in rows["life"].tolist()]
        self._number(rows)
        self._changes.append(rows[rows["changed"]])
        self._others.append(rows[~rows["changed"]])
        self._latest[where] = rows  # where a slot repeats the last one counts

    def _write(self, slot: int, kind: Kind, now_s: float) -> None:
        """The latest row of a revision, which has changed since it was written, becomes one of its own."""
        row = self._latest[slot : slot + 1]
        row["kind"], row["at_s"], row["changed"] = kind, now_s, True
        self._number(row)
        self._place[slot] = -1
        self._changes.append(row)

    def _number(self, rows: Records) -> None:
        rows["number"] = np.arange(self.numbered, self.numbered + len(rows))
        self.numbered += len(rows)

    def _slot(self, key: Key) -> int:
        """Where the latest row of a revision is; of one that is not known yet a new life begins."""
        slot = self._slots.get(key)
        if slot is not None:
            return slot
        slot = self._slots.take(key)
        if slot >= len(self._latest):
            more = max(16, len(self._latest))
            self._latest = np.concatenate([self._latest, blank(more)])
            self._place = np.concatenate([self._place, np.full(more, -1)])
        self._latest[slot : slot + 1], self._place[slot] = blank(1), -1
        self._latest["life"][slot] = self._lives
        self._keys[self._lives] = key
        self._lives += 1
        return slot

    def _told(self, rows: Records) -> tuple[Records, dict[int, Key]]:
        keys = {life: self._keys[life] for life in np.unique(rows["life"]).tolist() if life in self._keys}
        rows = rows[np.isin(rows["life"], list(keys))]
        return rows[np.argsort(rows["number"], kind="stable")], keys


def _undecided(row: Records) -> Records:
    found = blank(1)
    for name in ("life", "number", "at_s", "replicas_before", "replicas"):
        found[name] = row[name]
    return found


def _fill(rows: Records, tick: Tick, chosen: Ints, now_s: float) -> None:
    """Inputs, rules and outcome of the chosen elements of a tick."""
    rows["kind"], rows["at_s"] = Kind.TICK, now_s
    for name in ("stable", "panic", "ready_pods"):
        rows[name] = getattr(tick.seen, name)[chosen]
    for name in Target._fields:
        rows[name] = getattr(tick.targets, name)[chosen]
    for name in _STEPS:
        rows[name] = getattr(tick.decision.steps, name)[chosen]
    rows["since_s"], rows["pods_max"] = tick.before.since_s[chosen], tick.before.pods_max[chosen]
    after = tick.decision.panic
    rows["since_after_s"], rows["pods_max_after"] = after.since_s[chosen], after.pods_max[chosen]
    rows["delay_s"], rows["undelayed"] = tick.delay_s[chosen], tick.undelayed[chosen]
    rows["desired"], rows["excess_burst"] = tick.decision.pods[chosen], tick.decision.excess_burst[chosen]


def _most(tick: Tick, kind: MetricKind) -> Floats:
    found = np.full(len(tick.rows), np.nan)
    if tick.extras is not None:
        found[tick.extras.indices] = tick.extras.most(kind)
    return found


def _rules(rows: Records) -> NDArray[np.uint8]:
    others = np.full(len(rows), np.nan)
    for name in OTHER_METRICS:
        others = np.fmax(others, rows[f"extra_{name}"])
    steps = Steps(**{name: rows[name] for name in _STEPS})
    panic = Panic(rows["since_after_s"], rows["pods_max_after"])
    return deciding(targets_of(rows), steps, panic, rows["undelayed"], others, rows["delay_s"], rows["desired"])
