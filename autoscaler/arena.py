"""Rings of different lengths in one array of doubles, so that one numpy call serves them all.

Knows offsets and lengths, not what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from autoscaler.arrays import Floats, Ints, grown

UNWRITTEN: Final = -(2**62)
"""The newest slot of a ring that was never written: older than any."""

_COMPACT_MIN: Final = 4096


class Arena:
    """One ring of slots per row; row numbers are the caller's.

    `length` is 0 for a row without a ring. A slot has an absolute number (time / granularity) and lies at
    `slot mod length` in its ring. `newest` is the newest slot written.
    """

    def __init__(self) -> None:
        self.values: Floats = np.zeros(0)
        self.offset: Ints = np.zeros(0, np.int64)
        self.length: Ints = np.zeros(0, np.int64)
        self.newest: Ints = np.zeros(0, np.int64)
        self._free: dict[int, list[int]] = {}
        self._end = 0
        self._used = 0

    def open(self, row: int, length: int) -> None:
        """Give the row a ring of zeros; the row must have none."""
        self.offset = grown(self.offset, row + 1, 0)
        self.length = grown(self.length, row + 1, 0)
        self.newest = grown(self.newest, row + 1, UNWRITTEN)
        assert self.length[row] == 0, f"row {row} has a ring already"
        self.offset[row] = self._reserve(length)
        self.length[row] = length
        self.newest[row] = UNWRITTEN
        self._used += length

    def close(self, row: int) -> None:
        """Take the row's ring away; its space is used again."""
        length, offset = int(self.length[row]), int(self.offset[row])
        self._free.setdefault(length, []).append(offset)
        self._used -= length
        self.length[row] = 0
        if self._end > _COMPACT_MIN and self._end > 2 * self._used:
            self._compact()

    def ring(self, row: int) -> Floats:
        """A view of the row's slots, in ring order."""
        start = self.offset[row]
        return self.values[start : start + self.length[row]]

    def at(self, rows: Ints, slots: Ints) -> Ints:
        """Where in `values` each row keeps that slot."""
        found: Ints = self.offset[rows] + slots % self.length[rows]
        return found

    def wipe(self, rows: Ints, slots: Ints) -> None:
        """Zero the whole ring of each row, and begin anew at that slot."""
        for start, length in zip(self.offset[rows].tolist(), self.length[rows].tolist(), strict=True):
            self.values[start : start + length] = 0.0
        self.newest[rows] = slots

    def advance(self, rows: Ints, slots: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Move each row's newest slot on to `slots`; yields (rows, slots) that come into use, oldest first.

        Less than one lap each: what those slots hold is one lap old, and the caller's to clear.
        """
        before = self.newest[rows]
        self.newest[rows] = slots
        gaps = slots - before
        for step in range(1, int(gaps.max(initial=0)) + 1):
            reached = gaps >= step
            yield rows[reached], before[reached] + step

    def maxima(self, rows: Ints) -> Floats:
        """The largest value in each row's ring."""
        starts = self.offset[rows]
        edges = np.stack([starts, starts + self.length[rows]], axis=1).ravel()
        largest: Floats = np.maximum.reduceat(self.values, edges)[::2]
        return largest

    def _reserve(self, length: int) -> int:
        spare = self._free.get(length)
        if spare:
            offset = spare.pop()
            self.values[offset : offset + length] = 0.0
            return offset
        offset, self._end = self._end, self._end + length
        self.values = grown(self.values, self._end + 1, 0.0)  # one more: `maxima` names the slot after a ring
        self.values[offset : self._end] = 0.0
        return offset

    def _compact(self) -> None:
        """Close the gaps: rare, so that its cost is spread over as many closed rings as it moves."""
        old = self.values
        rows = np.flatnonzero(self.length)
        self._end = int(self.length[rows].sum())
        self._free.clear()
        self.values = np.zeros(self._end + 1)
        ends = np.cumsum(self.length[rows])
        for row, end in zip(rows, ends, strict=True):
            start, length = self.offset[row], self.length[row]
            self.values[end - length : end] = old[start : start + length]
            self.offset[row] = end - length
