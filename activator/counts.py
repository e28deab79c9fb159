"""A revision's figures for metrics: plain numbers, written per request and read when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

# Upper bounds in seconds (spec dataplane 2.11); what took longer is in one more bucket.
BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class Durations:
    """How long requests took: how many fell into each bucket, and all together."""

    __slots__ = ("buckets", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0


class Counts:
    """`durations` of answers by status. `gone`: the caller left first."""

    __slots__ = ("durations", "gone", "retried", "turned_away", "waited")

    def __init__(self) -> None:
        self.durations: dict[int, Durations] = {}
        self.waited = 0
        self.turned_away = 0
        self.retried = 0
        self.gone = 0

    def answered(self, status: int, took_s: float) -> None:
        """A request was answered; in the hot path."""
        durations = self.durations.get(status)
        if durations is None:
            durations = self.durations[status] = Durations()
        durations.buckets[bisect_left(BOUNDS_S, took_s)] += 1
        durations.sum_s += took_s

    def by_status(self) -> dict[int, int]:
        """Answers by status, in order."""
        return {status: sum(durations.buckets) for status, durations in sorted(self.durations.items())}
