"""The windows of every revision: concurrency and requests per second, each stable and panic.

Knows rows and samples, not revisions by name, sockets or clocks. Source: spec autoscaling 2.4 and 2.8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from autoscaler.arrays import Bools, Floats, Ints, grown
from autoscaler.metrics.windows import Windows

_KINDS = 4
"""Windows per row: concurrency stable, concurrency panic, rps stable, rps panic."""


class Missing(IntEnum):
    """Why there are no averages; truthy if there are none."""

    NOTHING = 0
    NOT_COLLECTING = 1
    NO_DATA = 2


@dataclass(frozen=True, slots=True)
class Collection:
    """How one revision's numbers are gathered. `scraped`: silence means that scraping failed, not that
    nothing was asked. `weighted`: the exponential average; fixed while a collection lives.
    """

    stable_window_s: float
    panic_window_s: float
    scraped: bool = False
    weighted: bool = False


@dataclass(frozen=True, slots=True)
class Averages:
    """Shapes: (n,). Where `missing` is not 0 both values are NaN."""

    stable: Floats
    panic: Floats
    missing: Ints


class Collector:
    """Feeds one report into four windows, and reads two of them; row numbers are the caller's."""

    def __init__(self) -> None:
        self._windows = Windows()
        self._live: Bools = np.zeros(0, np.bool_)
        self._scraped: Bools = np.zeros(0, np.bool_)

    def open(self, row: int, collection: Collection, now_s: float) -> None:
        """Start collecting; a row that is collected already keeps its data and is resized."""
        self._live = grown(self._live, row + 1, False)
        self._scraped = grown(self._scraped, row + 1, False)
        self._scraped[row] = collection.scraped
        lengths_s = (collection.stable_window_s, collection.panic_window_s) * 2
        for kind, window_s in enumerate(lengths_s):
            if self._live[row]:
                self._windows.resize(_KINDS * row + kind, window_s, now_s)
            else:
                self._windows.open(_KINDS * row + kind, window_s, weighted=collection.weighted)
        self._live[row] = True

    def close(self, row: int) -> None:
        """Stop collecting and forget."""
        if self.collects(row):
            for kind in range(_KINDS):
                self._windows.close(_KINDS * row + kind)
            self._live[row] = False

    def collects(self, row: int) -> bool:
        return row < len(self._live) and bool(self._live[row])

    def collection(self, row: int) -> Collection:
        """How a row that is collected is."""
        stable_s, weighted = self._windows.shape(_KINDS * row)
        return Collection(stable_s, self._windows.shape(_KINDS * row + 1)[0], bool(self._scraped[row]), weighted)

    def recent(self, rows: Ints, now_s: float, rps: Bools, count: int) -> Floats:
        """What was recorded in each of the last `count` seconds, by the row's metric; all must be collected."""
        return self._windows.recent(_KINDS * rows + np.where(rps, 2, 0), now_s, count)

    def record(self, rows: Ints, times_s: Floats, concurrency: Floats, requests: Floats) -> None:
        """One sample per row (none twice), without what was counted elsewhere; lost where nothing collects."""
        live = self._live_of(rows)
        if not live.all():
            rows, times_s, concurrency, requests = rows[live], times_s[live], concurrency[live], requests[live]
        windows = (_KINDS * rows[:, None] + np.arange(_KINDS)).ravel()
        values = np.stack([concurrency, concurrency, requests, requests], axis=1).ravel()
        self._windows.record(windows, np.repeat(times_s, _KINDS), values)

    def averages(self, rows: Ints, now_s: float, rps: Bools) -> Averages:
        """Both averages of each row by its metric: requests per second where `rps`, else concurrency."""
        live = self._live_of(rows)
        stable_rows = (_KINDS * rows + np.where(rps, 2, 0))[live]
        silent = self._windows.empty(stable_rows, now_s)
        missing = np.full(len(rows), int(Missing.NOT_COLLECTING))
        missing[live] = np.where(silent & self._scraped[rows[live]], int(Missing.NO_DATA), int(Missing.NOTHING))
        both = self._windows.averages(np.concatenate([stable_rows, stable_rows + 1]), now_s)
        stable, panic = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        stable[live], panic[live] = both.reshape(2, -1)
        known = missing == 0
        return Averages(np.where(known, stable, np.nan), np.where(known, panic, np.nan), missing)

    def empty(self, rows: Ints, now_s: float) -> Bools:
        """Whether a row's windows hold nothing any more; True where nothing collects."""
        live = self._live_of(rows)
        empty = np.ones(len(rows), np.bool_)
        empty[live] = self._windows.empty(_KINDS * rows[live], now_s)
        return empty

    def last_use_s(self, row: int, *, rps: bool) -> float:
        """When a row was last in use by its metric, in unix seconds; NaN if that is longer ago than its window."""
        return self._windows.last_use_s(_KINDS * row + (2 if rps else 0)) if self.collects(row) else math.nan

    def _live_of(self, rows: Ints) -> Bools:
        known = rows < len(self._live)
        if known.all():
            return self._live[rows]
        live = np.zeros(len(rows), np.bool_)
        live[known] = self._live[rows[known]]
        return live
