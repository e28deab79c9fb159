"""Averages over the last seconds: one-second buckets, one row per window, all rows at once.

Equal to the reference's buckets number for number: running totals, not sums made anew, because their
rounding residue decides whether a pod more is asked for. Source: spec autoscaling 2.5 and 2.6. Knows
no clock; times are unix seconds.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from autoscaler.arena import Arena
from autoscaler.arrays import Bools, Floats, Ints, grown, rounded_away

_NO_START: Final = 2**62
"""The first slot of a window whose history has no start: later than any."""
_DECAY_MIN: Final = 0.2
_REST: Final = 0.0001
"""What the oldest slot of a weighted window weighs, as a share of the newest."""
_GATHERED_MAX: Final = 2**18
"""Slots of weighted windows that are copied out at a time."""


def decay(length: int) -> float:
    """The weight of the newest of `length` slots in a weighted average (spec autoscaling 2.6)."""
    return max(_DECAY_MIN, 1.0 - math.pow(_REST, 1.0 / length))


class Windows:
    """Sums of samples by slot, each row over its own window length. `rows` never repeat in one call."""

    def __init__(self, granularity_s: float = 1.0) -> None:
        self._granularity_s = float(granularity_s)  # times of never-written windows would overflow an integer
        self._arena = Arena()
        self._window_s: Floats = np.zeros(0)
        self._first: Ints = np.zeros(0, np.int64)
        self._total: Floats = np.zeros(0)
        self._slid: Ints = np.zeros(0, np.int64)  # slots that had slid out when the row was read last ...
        self._left: Floats = np.zeros(0)  # ... and the total without them: silence costs each slot once
        self._exponential: Bools = np.zeros(0, np.bool_)

    def open(self, row: int, window_s: float, *, weighted: bool = False) -> None:
        """Begin an empty window on a row that has none; the kind of average is fixed from now on."""
        length = self._slots(window_s)
        self._arena.open(row, length)
        self._window_s = grown(self._window_s, row + 1, 0.0)
        self._first = grown(self._first, row + 1, _NO_START)
        self._total = grown(self._total, row + 1, 0.0)
        self._slid = grown(self._slid, row + 1, 0)
        self._left = grown(self._left, row + 1, 0.0)
        self._exponential = grown(self._exponential, row + 1, False)
        self._window_s[row] = window_s
        self._first[row] = _NO_START
        self._total[row] = 0.0
        self._slid[row] = 0
        self._exponential[row] = weighted

    def close(self, row: int) -> None:
        """Forget a row's window."""
        self._arena.close(row)

    def resize(self, row: int, window_s: float, now_s: float) -> None:
        """Change a window's length; the newest slots that fit are kept if there are any that count.

        History then starts one old window ago, even where it was younger: as the reference has it.
        """
        if window_s == self._window_s[row]:
            return
        arena = self._arena
        newest, old = int(arena.newest[row]), arena.ring(row).copy()
        keeps = not self.empty(np.array([row]), now_s)[0]
        arena.close(row)
        arena.open(row, self._slots(window_s))
        arena.newest[row] = newest
        self._window_s[row] = window_s
        self._total[row] = 0.0
        self._slid[row] = 0
        self._first[row] = newest - (len(old) - 1) if keeps else _NO_START
        if keeps:
            self._keep(row, old, newest)

    def record(self, rows: Ints, times_s: Floats, values: Floats) -> None:
        """Add one sample to each row, at its own time; what is older than the window is dropped."""
        arena = self._arena
        slots = self._slot(times_s)
        ahead = (slots - arena.newest[rows]) * self._granularity_s
        wiped = ahead >= self._window_s[rows]
        if wiped.any():
            arena.wipe(rows[wiped], slots[wiped])
            self._total[rows[wiped]] = 0.0
            self._first[rows[wiped]] = slots[wiped]
        later = (ahead > 0) & ~wiped
        if later.any():
            self._advance(rows[later], slots[later])
        taken = ahead > -self._window_s[rows]
        moved = taken & (ahead != 0)
        starts = rows[moved]
        self._first[starts] = np.minimum(self._first[starts], slots[moved])
        if not taken.all():
            rows, slots, values = rows[taken], slots[taken], values[taken]
        arena.values[arena.at(rows, slots)] += values
        self._total[rows] += values
        self._slid[rows] = 0

    def averages(self, rows: Ints, now_s: float) -> Floats:
        """The average of each row as seen at `now_s`; 0 for a window without data."""
        passed = self._passed(rows, now_s)
        found = np.zeros(len(rows))
        alive = (passed <= 0) | (passed * self._granularity_s < self._window_s[rows])
        weighted = self._exponential[rows]
        for chosen, average in ((alive & ~weighted, self._linear), (alive & weighted, self._weighted)):
            if chosen.any():
                found[chosen] = average(rows[chosen], np.maximum(passed[chosen], 0))
        return found

    def empty(self, rows: Ints, now_s: float) -> Bools:
        """Whether each row is without data at `now_s`: nothing for longer than its window."""
        empty: Bools = self._passed(rows, now_s) * self._granularity_s > self._window_s[rows]
        return empty

    def last_use_s(self, row: int) -> float:
        """When the newest second with anything in it began, as far as a row's window remembers; NaN: not at all."""
        arena = self._arena
        ring, newest = arena.ring(row), int(arena.newest[row])
        ages = (newest - np.flatnonzero(ring)) % max(1, len(ring))
        return float(newest - ages.min()) * self._granularity_s if len(ages) else math.nan

    def shape(self, row: int) -> tuple[float, bool]:
        """The length of a row's window, in seconds, and whether it is weighted."""
        return float(self._window_s[row]), bool(self._exponential[row])

    def recent(self, rows: Ints, now_s: float, count: int) -> Floats:
        """The sums of the last `count` slots of each row, the one of `now_s` last; 0 where it has none. (n, count)."""
        arena, newest = self._arena, self._arena.newest[rows][:, None]
        slots = math.floor(now_s / self._granularity_s) - np.arange(count)[::-1]
        held = (slots <= newest) & (slots > newest - arena.length[rows][:, None])
        found: Floats = np.where(held, arena.values[arena.at(rows[:, None], slots)], 0.0)
        return found

    def _slots(self, window_s: float) -> int:
        return math.ceil(window_s / self._granularity_s)

    def _slot(self, times_s: Floats) -> Ints:
        slots: Ints = np.floor(times_s / self._granularity_s).astype(np.int64)
        return slots

    def _passed(self, rows: Ints, now_s: float) -> Ints:
        """Slots between the newest one and now."""
        passed: Ints = math.floor(now_s / self._granularity_s) - self._arena.newest[rows]
        return passed

    def _advance(self, rows: Ints, slots: Ints) -> None:
        """Take what the slots held one lap ago out of the totals, oldest first."""
        arena = self._arena
        for reached, cleared in arena.advance(rows, slots):
            where = arena.at(reached, cleared)
            self._total[reached] -= arena.values[where]
            arena.values[where] = 0.0

    def _linear(self, rows: Ints, passed: Ints) -> Floats:
        """Total without the slots that have slid out, over the seconds that history covers; 6 decimals."""
        arena = self._arena
        slid = self._slid[rows]
        slid[slid > passed] = 0  # time went back
        left = np.where(slid > 0, self._left[rows], self._total[rows])
        for step in range(1, int((passed - slid).max()) + 1):
            out = passed - slid >= step
            leaving = rows[out]
            left[out] -= arena.values[arena.at(leaving, arena.newest[leaving] + slid[out] + step)]
        self._slid[rows], self._left[rows] = passed, left
        first = self._first[rows]
        lengths = arena.length[rows]
        spans = np.where(first == _NO_START, lengths, arena.newest[rows] - first + 1)
        return rounded_away(left / np.minimum(spans, lengths - passed) * 1e6) / 1e6

    def _weighted(self, rows: Ints, passed: Ints) -> Floats:
        """Slots weighted by age, the weights not normalised: a young window reads low."""
        found = np.zeros(len(rows))
        lengths = self._arena.length[rows]
        span = int(lengths.max()) + 1
        kinds = lengths * span + passed
        for kind in np.unique(kinds):
            length, age = divmod(int(kind), span)
            weights = decay(length) * (1.0 - decay(length)) ** np.arange(age, length)
            alike = np.flatnonzero(kinds == kind)
            for part in np.array_split(alike, -(-len(alike) * length // _GATHERED_MAX)):
                found[part] = (self._newest_first(rows[part], length - age) * weights).sum(axis=1)
        return found

    def _newest_first(self, rows: Ints, count: int) -> Floats:
        """The newest slots of rings of one length, a line per row."""
        arena = self._arena
        lengths = arena.length[rows][:, None]
        places = (arena.newest[rows][:, None] % lengths) - np.arange(count)
        places += arena.offset[rows][:, None] + np.where(places < 0, lengths, 0)
        found: Floats = arena.values[places]
        return found

    def _keep(self, row: int, old: Floats, newest: int) -> None:
        """Copy the newest slots of the old ring, and total them from the newest to the oldest."""
        ring = self._arena.ring(row)
        total = 0.0
        for slot in range(newest, newest - min(len(old), len(ring)), -1):
            value = float(old[slot % len(old)])
            ring[slot % len(ring)] = value
            total += value
        self._total[row] = total


class MaxWindows:
    """The largest value of the last slots, by row: what a scale-down delay holds on to (spec 3.1, step 8)."""

    def __init__(self, granularity_s: float = 2.0) -> None:
        self._granularity_s = granularity_s
        self._arena = Arena()

    def open(self, row: int, window_s: float) -> None:
        """Begin an empty window on a row that has none."""
        self._arena.open(row, math.ceil(window_s / self._granularity_s))

    def close(self, row: int) -> None:
        """Forget a row's window."""
        self._arena.close(row)

    def record(self, rows: Ints, times_s: Floats, values: Floats) -> None:
        """Note one value of 0 or more per row; `rows` do not repeat. Values of one slot: the largest counts."""
        arena = self._arena
        slots = np.floor(np.floor(times_s) / self._granularity_s).astype(np.int64)
        ahead = slots - arena.newest[rows]
        lengths = arena.length[rows]
        wiped = ahead >= lengths
        arena.wipe(rows[wiped], slots[wiped])
        later = (ahead > 0) & ~wiped
        for reached, cleared in arena.advance(rows[later], slots[later]):
            arena.values[arena.at(reached, cleared)] = 0.0
        taken = ahead > -lengths
        where = arena.at(rows[taken], slots[taken])
        arena.values[where] = np.maximum(arena.values[where], values[taken])

    def maxima(self, rows: Ints) -> Floats:
        """The largest value in each row's window, which ends at its latest record; 0 before the first."""
        return self._arena.maxima(rows) if len(rows) else np.zeros(0)
