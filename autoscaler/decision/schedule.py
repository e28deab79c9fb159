"""The scheduled floor: how many pods a revision has at least at a moment, and when that changes next.

Pure. The calendar is cronsim's, on wall clock time without zones; what becomes of a time that a zone has not, or has
twice, is decided here:

- A time that does not exist, because the clock goes forward over it, is the moment at which the clock has gone forward.
- A time that exists twice is the first of the two.
- Unless the hours are `*` or `*/n`. Such an entry goes by the hours that pass: it begins at each moment whose wall
  clock time it names, and at no others.

Durations are time that passes, whatever the clocks show.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from autoscaler.decision.bounds import ScaleRules, ScaleState
from swell.api.schedule import ScheduleEntry


@dataclass(frozen=True, slots=True)
class Floor:
    """`replicas` at least, by the entry of that number (-1: none is in force). Times are unix seconds.

    `starts_s` and `ends_s` are the entry's time as stated, NaN without one; the floor is in force some time earlier, so
    that pods are ready then. It holds until `until_s` at least: look again then.
    """

    replicas: int = 0
    entry: int = -1
    starts_s: float = math.nan
    ends_s: float = math.nan
    until_s: float = math.inf


NO_FLOOR: Final = Floor()


class Schedule:
    """The entries of one revision. Raises ValueError for what `swell.api.schedule` does not let pass."""

    def __init__(self, entries: Iterable[ScheduleEntry]) -> None:
        self.entries = tuple(entries)
        self._starts = [_Starts(entry.cron, ZoneInfo(entry.timezone)) for entry in self.entries]

    def floor(self, now_s: float, lead_s: Callable[[int], int]) -> Floor:
        """The greatest floor of those in force at a moment.

        `lead_s(replicas)`: whole seconds that so many pods need to be ready; entries are in force that much earlier.
        """
        periods = [self._period(index, now_s, lead_s) for index in range(len(self.entries))]
        found = max((period for period in periods if period is not None), default=None)
        replicas = 0 if found is None else found.replicas
        changes = [
            starts.next(now_s + lead_s(entry.replicas)) - lead_s(entry.replicas)
            for entry, starts in zip(self.entries, self._starts, strict=True)
            if entry.replicas > replicas
        ]
        if found is None:
            return replace(NO_FLOOR, until_s=min(changes, default=math.inf))
        return Floor(replicas, found.entry, found.starts_s, found.ends_s, min((found.ends_s, *changes)))

    def _period(self, index: int, now_s: float, lead_s: Callable[[int], int]) -> _Period | None:
        """An entry's period that is in force; None if none is."""
        entry = self.entries[index]
        starts_s = self._starts[index].last(now_s + lead_s(entry.replicas))
        ends_s = starts_s + entry.duration_s
        return _Period(entry.replicas, ends_s, index, starts_s) if now_s < ends_s else None


def with_floor(state: ScaleState, rules: ScaleRules, floor: int, replicas: int | None) -> tuple[ScaleState, ScaleRules]:
    """State and rules of a revision whose scheduled floor, and replicas now, are these.

    The floor is another min-scale: at most max-scale, and of no effect on a revision that is unreachable. It does not
    wait for a decision either: its pods are due though nobody knows yet what is asked.
    """
    if rules.most:
        floor = min(floor, rules.most)
    if not rules.reachable or floor <= rules.least:
        return state, rules
    if state.desired < 0 and floor > (replicas or 0):
        state = replace(state, desired=floor)
    return state, replace(rules, least=floor)


class _Period(NamedTuple):
    """In order of what counts: the most pods, then the longest."""

    replicas: int
    ends_s: float
    entry: int
    starts_s: float


class _Starts:
    """The moments, in unix seconds, at which one entry begins."""

    def __init__(self, cron: str, zone: ZoneInfo) -> None:
        self._cron = cron
        self._zone = zone
        self._by_the_hour = cron.split()[1].startswith("*")
        # Two views of a time that exists twice. In each of them moments are in the order of wall clock times.
        self._folds = (0, 1) if self._by_the_hour else (0,)

    def last(self, now_s: float) -> float:
        """The latest up to now; -inf if there is none."""
        return max(self._search(now_s, fold, -1) for fold in self._folds)

    def next(self, now_s: float) -> float:
        """The first after now; inf if there is none."""
        return min(self._search(now_s, fold, 1) for fold in self._folds)

    def _search(self, now_s: float, fold: int, direction: int) -> float:
        now = datetime.fromtimestamp(math.floor(now_s), self._zone)
        # In an hour that exists twice, the other one may have times behind what the clock shows that are yet to come.
        twice = max(timedelta(0), _offset(now, 0) - _offset(now, 1))
        wall = now.replace(tzinfo=None, fold=0)
        begin = wall - twice if direction > 0 else wall + twice + timedelta(seconds=1)
        for found in CronSim(self._cron, begin, reverse=direction < 0):
            moment_s = self._moment_s(found, fold)
            if moment_s is not None and (moment_s > now_s) == (direction > 0):
                return moment_s
        return direction * math.inf

    def _moment_s(self, wall: datetime, fold: int) -> float | None:
        """The moment of a wall clock time; None if there is none."""
        local = wall.replace(tzinfo=self._zone, fold=fold)
        before, after = _offset(local, 0), _offset(local, 1)
        if before >= after:
            return local.timestamp()
        if self._by_the_hour:
            return None
        first_s, last_s = (int(local.replace(fold=each).timestamp()) for each in (1, 0))
        times = range(first_s, last_s)
        return float(times[0] + bisect_left(times, after, key=self._offset_at))

    def _offset_at(self, unix_s: int) -> timedelta:
        return _offset(datetime.fromtimestamp(unix_s, self._zone))


def _offset(local: datetime, fold: int | None = None) -> timedelta:
    found = (local if fold is None else local.replace(fold=fold)).utcoffset()
    assert found is not None, "it has a zone"
    return found
