"""Whether it means that nothing is asked of a revision when nothing is heard of it.

Times are unix seconds, and come in as arguments.
"""

from __future__ import annotations

import math

import numpy as np

from autoscaler.arrays import Bools, Floats, Ints, grown


class Silence:
    """One element per row."""

    def __init__(self) -> None:
        self._listens_from: Floats = np.zeros(0)
        self._until_s: Floats = np.zeros(0)
        self._blind: Bools = np.zeros(0, np.bool_)

    def grow(self, rows: int) -> None:
        """Have room for so many."""
        self._listens_from = grown(self._listens_from, rows, 0.0)
        self._until_s = grown(self._until_s, rows, 0.0)
        self._blind = grown(self._blind, rows, False)

    def open(self, row: int, listens_from: int, *, at_zero: bool) -> None:
        """Begin with a row: its silence counts at once if it is `at_zero` or `listens_from` is 0, else a stable window
        after it has so many pods.
        """
        self._listens_from[row] = listens_from
        self._until_s[row] = np.inf if listens_from > 0 and not at_zero else -np.inf

    def close(self, row: int) -> None:
        """The row is nobody's now."""
        self._blind[row] = False

    def set_blind(self, row: int, blind: bool) -> bool:
        """Tell whether what its pods are asked past the front door cannot be found out; returns whether that is new."""
        new = bool(self._blind[row] != blind)
        self._blind[row] = blind
        return new

    def heard(self, rows: Ints) -> None:
        """Something was asked of these, or somebody said that nothing was: from now on silence counts."""
        self._until_s[rows] = -np.inf

    def counts_from(self, rows: Ints, times_s: Floats) -> None:
        """The silence of these counts from then on."""
        self._until_s[rows] = times_s

    def begins(self, rows: Ints, ready: Floats) -> Ints:
        """Those of the rows that have only now the pods they start with: a stable window from now silence counts."""
        found: Ints = rows[(self._until_s[rows] == np.inf) & (ready >= self._listens_from[rows])]
        return found

    def unheard(self, rows: Ints, now_s: float) -> Bools:
        """The rows whose silence does not mean anything yet."""
        found: Bools = now_s < self._until_s[rows]
        return found

    def blind(self, rows: Ints) -> Bools:
        """The rows whose pods cannot be asked."""
        found: Bools = self._blind[rows]
        return found

    def waits(self, rows: Ints) -> Bools:
        """The rows for which no time runs yet: they have not the pods they start with."""
        found: Bools = self._until_s[rows] == np.inf
        return found

    def of(self, row: int) -> tuple[bool, float | None]:
        """Whether one row is listened to, and from when on its silence counts; None: at once, or not yet."""
        until_s = float(self._until_s[row])
        return until_s != math.inf, until_s if math.isfinite(until_s) else None
