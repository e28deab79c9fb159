"""Reports become arrays: rows of revisions that are known, and figures that make sense.

Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Final

import numpy as np

from autoscaler.arrays import NO_ROW, Bools, Floats, Ints, RowNumbers, occurrences
from autoscaler.metrics.collector import Collector
from swell.api.meta import Key
from swell.wire.stats import Stat

FUTURE_S_MAX: Final = 5.0
"""A report from further ahead than this comes from a clock that is wrong: it counts as of now."""
PAST_S_MAX: Final = 3600.0
"""So does one from further back: no window is longer. One that is late by less counts in its own second."""
FIGURE_MAX: Final = 1e12
"""No report says more of anything. One that does, or whose figures are no numbers, is lost: the sums of its windows
would be wrong for ever.
"""
_FIGURES: Final = (
    "timestamp",
    "average_concurrent_requests",
    "average_proxied_concurrent_requests",
    "request_count",
    "proxied_request_count",
)
_figures_of: Final = attrgetter(*_FIGURES)
_key_of: Final = itemgetter(0)
_stat_of: Final = itemgetter(1)


class Intake:
    """Takes reports apart for the rows of `numbers` and puts them into the windows of `collector`."""

    def __init__(self, numbers: RowNumbers[Key], collector: Collector) -> None:
        self._numbers = numbers
        self._collector = collector
        self.unknown = 0
        """Reports of revisions that are not known."""
        self.senseless = 0
        """Reports with figures that cannot be."""

    def rounds(self, messages: Sequence[tuple[Key, Stat]]) -> Iterator[tuple[Ints, Floats]]:
        """Rows and what was seen of them, a line for each of `_FIGURES`. No row repeats within one round, and each row
        keeps its order.

        Left out, and counted, are unknown revisions and what is no number, or none that makes sense.
        """
        count = len(messages)
        rows = self._numbers.rows(map(_key_of, messages), count)
        numbers = chain.from_iterable(map(_figures_of, map(_stat_of, messages)))
        figures = np.fromiter(numbers, np.float64, count * len(_FIGURES)).reshape(count, len(_FIGURES)).T
        known = rows != NO_ROW
        usable = known & (np.abs(figures[1:]).sum(axis=0) <= FIGURE_MAX)
        if not usable.all():
            self.unknown += int((~known).sum())
            self.senseless += int((known & ~usable).sum())
            rows, figures = rows[usable], figures[:, usable]
        if len(set(rows.tolist())) == len(rows):
            if len(rows):
                yield rows, figures
            return
        turns = occurrences(rows)
        for turn in range(turns.max() + 1):
            chosen = turns == turn
            yield rows[chosen], figures[:, chosen]

    def record(self, rows: Ints, figures: Floats, now_s: float) -> tuple[Bools, Bools]:
        """Put one round into the windows; returns which say that something was asked, and which that somebody asks
        now, at the front door or past it.
        """
        stamps, concurrency, proxied_concurrency, requests, proxied_requests = figures
        times_s = np.where((stamps < now_s - PAST_S_MAX) | (stamps > now_s + FUTURE_S_MAX), now_s, stamps)
        in_use: Bools = concurrency != 0
        concurrency, requests = concurrency - proxied_concurrency, requests - proxied_requests
        self._collector.record(rows, times_s, concurrency, requests)
        asked: Bools = (concurrency != 0) | (requests != 0)
        return asked, in_use
