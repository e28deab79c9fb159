"""What was reported in the last minute, for an autoscaler that begins without it. Pure: knows the time it is told."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from typing import Final

from swell.wire.history import HISTORY_S, RevisionHistory

SAMPLES_MAX: Final = 100_000
"""Of all revisions: 24 bytes each and some room to grow, so 3 MB. Beyond that it does not go back the whole minute."""
TOGETHER_S: Final = 0.1
"""What is reported within this time is kept as one report: many first requests take no more room than one."""

Key = tuple[str, str]


class _Period:
    """One report: `figures` are the concurrency and the count of each of `keys`, in turn. `told`: who has had it."""

    __slots__ = ("at_s", "figures", "keys", "told")

    def __init__(self, at_s: float, told: str) -> None:
        self.at_s = at_s
        self.told = told
        self.keys: list[Key] = []
        self.figures = array("d")


class History:
    """Keeps the reports of the last `HISTORY_S`, at most `SAMPLES_MAX` samples; `now_s` is monotonic."""

    __slots__ = ("_complete_from_s", "_periods", "samples")

    def __init__(self, now_s: float) -> None:
        self._periods: deque[_Period] = deque()
        self._complete_from_s = now_s
        self.samples = 0

    def add(self, now_s: float, told: str, reported: Sequence[tuple[Key, float, float]]) -> None:
        """Keep a report: (revision, concurrency, count) of each. `told`: which autoscaler gets it, "" for none."""
        last = self._periods[-1] if self._periods else None
        if last is None or last.told != told or now_s - last.at_s >= TOGETHER_S:
            last = _Period(now_s, told)
            self._periods.append(last)
        for key, concurrency, count in reported:
            last.keys.append(key)
            last.figures.extend((concurrency, count))
        self.samples += len(reported)
        while self.samples > SAMPLES_MAX or self._periods[0].at_s < now_s - HISTORY_S:
            dropped = self._periods.popleft()
            self.samples -= len(dropped.keys)
            self._complete_from_s = dropped.at_s

    def age_s(self, now_s: float) -> float:
        """How far back nothing is missing."""
        return min(HISTORY_S, now_s - self._complete_from_s)

    def tell(self, to: str, now_s: float) -> list[RevisionHistory]:
        """All that this autoscaler has not had; from now on it has."""
        found: dict[Key, array[float]] = {}
        for period in self._periods:
            if period.told == to or period.at_s < now_s - HISTORY_S:
                continue
            period.told = to
            age_s = now_s - period.at_s
            figures = iter(period.figures)
            for key, concurrency, count in zip(period.keys, figures, figures, strict=True):
                samples = found.get(key)
                if samples is None:
                    samples = found[key] = array("d")
                samples.extend((age_s, concurrency, count))
        return [RevisionHistory(*key, samples) for key, samples in found.items()]
