"""All revisions by name: reports in, decisions out. Holds the rows; time comes in as an argument.

Times are unix seconds. Knows no sockets, no Kubernetes objects and no timers (`ticker.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from autoscaler.arrays import Bools, Floats, Ints, RowNumbers, grown
from autoscaler.decision.decide import Observed
from autoscaler.decision.rows import UNDECIDED, Rows, Target, Tick
from autoscaler.metrics.collector import Averages, Collection, Collector
from swell.api.meta import Key
from swell.wire.stats import Stat

FUTURE_S_MAX: Final = 5.0
"""A report from further ahead than this comes from a clock that is wrong: it counts as of now."""
_NO_ROWS: Final[Ints] = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Ticked:
    """One round of decisions, and whose they are: `keys[i]` belongs to element i of the arrays."""

    keys: list[Key]
    tick: Tick
    averages: Averages

    def changed(self) -> list[Key]:
        """The revisions whose decision must be acted on."""
        return [self.keys[index] for index in np.flatnonzero(self.tick.notify)]


class Revisions:
    """Windows and decisions of every revision.

    A revision is `lively` while time alone may still change its decision; the others need no ticks.
    """

    def __init__(self) -> None:
        self._numbers: RowNumbers[Key] = RowNumbers()
        self._collector = Collector()
        self._rows = Rows()
        self._decided: Bools = np.zeros(0, np.bool_)
        self._lively: Bools = np.zeros(0, np.bool_)
        self._at_zero: Bools = np.zeros(0, np.bool_)
        self._rps: Bools = np.zeros(0, np.bool_)
        self._ready: Floats = np.zeros(0)
        self._listens_from: Floats = np.zeros(0)
        self._silent_until_s: Floats = np.zeros(0)

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, key: Key) -> bool:
        row = self._numbers.get(key)
        return row is not None and bool(self._decided[row])

    def __iter__(self) -> Iterator[Key]:
        return (key for key in self._numbers if key in self)

    def collect(self, key: Key, collection: Collection, now_s: float) -> None:
        """Start collecting a revision's reports, or change how."""
        self._collector.open(self._take(key), collection, now_s)
        self.wake(key)

    def open(
        self,
        key: Key,
        target: Target,
        *,
        now_s: float,
        ready_pods: float = 0.0,
        held_pods: float = 0.0,
        rps: bool = False,
        initial_scale: int = 1,
        delay_s: float = 0.0,
        at_zero: bool = False,
        listens_from: int = 0,
    ) -> None:
        """Start deciding for a revision. `ready_pods` NaN: not known.

        `held_pods`: what it was scaled to before the autoscaler started. From more than one pod it begins in panic,
        so that nothing is taken away for a stable window, as the reference does by its ready pods alone; but after
        an outage of the API these may not be known to be ready yet, and not every activator may report yet.
        `at_zero`: it was at zero when the autoscaler started, so that its first report must not wait for
        the first tick. `listens_from`: before the first report, silence means that nothing is asked only
        once it has lasted for a stable window since so many pods were ready. With 0, as in the reference, it
        means so at once; then a revision that has just started, or whose reports have just lost their way,
        loses its pods.
        """
        row = self._take(key)
        self._rows.open(
            row,
            target,
            now_s=now_s,
            ready_pods=max(ready_pods, held_pods) if held_pods else ready_pods,
            initial_scale=initial_scale,
            delay_s=delay_s,
        )
        self._decided[row] = self._lively[row] = True
        self._at_zero[row], self._rps[row], self._ready[row] = at_zero, rps, ready_pods
        self._listens_from[row] = listens_from
        self._silent_until_s[row] = np.inf if listens_from > 0 and not at_zero else -np.inf

    def update(self, key: Key, target: Target, *, rps: bool = False) -> None:
        """Replace the target of a revision that is decided for."""
        row = self._take(key)
        self._rows.update(row, target)
        self._rps[row] = rps
        self.wake(key)

    def close(self, key: Key) -> None:
        """Forget a revision; nothing happens if there is none."""
        row = self._numbers.release(key)
        if row is not None:
            self._collector.close(row)
            self._rows.close(row)
            self._decided[row] = self._lively[row] = False

    def pods_ready(self, key: Key, ready_pods: float) -> None:
        """Tell how many pods are ready; NaN: could not be found out. Unknown revisions are ignored."""
        row = self._numbers.get(key)
        if row is not None:
            self._ready[row] = ready_pods
            self.wake(key)

    def put_to_zero(self, key: Key) -> None:
        """Tell that a revision is at zero although nothing was decided: its next report must not wait for a tick."""
        row = self._numbers.get(key)
        if row is not None:
            self._at_zero[row] = True

    def wake(self, key: Key) -> None:
        """Something about the revision has changed: the next tick decides for it."""
        row = self._numbers.get(key)
        if row is not None:
            self._lively[row] = self._decided[row]

    @property
    def lively(self) -> bool:
        """Whether any revision needs ticks."""
        return bool(self._lively.any())

    def status(self, key: Key) -> tuple[int, int]:
        """Desired scale (before bounds; -1: not decided yet) and excess burst capacity, as last decided."""
        row = self._numbers.get(key)
        if row is None or not self._decided[row]:
            return UNDECIDED, 0
        return int(self._rows.desired[row]), int(self._rows.excess_burst[row])

    def numbers(self, key: Key) -> tuple[float, float, bool, float]:
        """Stable and panic value that the last decision went by, whether it is in panic, and the target per pod."""
        row = self._numbers.get(key)
        assert row is not None and self._decided[row], f"{key} is not decided for"
        rows = np.array([row])
        seen = self._rows.last_seen(rows)
        target = self._rows.targets(rows).per_pod[0]
        return float(seen.stable[0]), float(seen.panic[0]), bool(self._rows.panic(rows).on[0]), float(target)

    def tick(self, now_s: float) -> Ticked:
        """Decide for all lively revisions."""
        return self._tick(np.flatnonzero(self._lively), now_s)

    def tick_one(self, key: Key, now_s: float) -> Ticked:
        """Decide for one revision, lively or not."""
        row = self._numbers.get(key)
        assert row is not None and self._decided[row], f"{key} is not decided for"
        return self._tick(np.array([row]), now_s)

    def record(self, messages: Iterable[tuple[Key, Stat]], now_s: float) -> None:
        """Take numbers that were scraped: they never cause a tick."""
        for rows, stats in self._rounds(messages):
            self._record(rows, stats, now_s)

    def receive(self, messages: Iterable[tuple[Key, Stat]], now_s: float) -> list[Ticked]:
        """Take reports; a revision at zero that is in use is decided for at once (spec 3.2).

        Returns those decisions. Reports of revisions that are not known are lost.
        """
        poked = []
        for rows, stats in self._rounds(messages):
            self._record(rows, stats, now_s)
            self._lively[rows] = self._decided[rows]
            pokes = self._pokes(rows, stats)
            if len(pokes):
                poked.append(self._tick(pokes, now_s))
        return poked

    def describe(self, now_s: float) -> dict[str, dict[str, Any]]:
        """The last inputs and outputs of each revision, by `namespace/name`; what is not known is None."""
        rows = np.flatnonzero(self._decided)
        seen, targets, panic = self._rows.last_seen(rows), self._rows.targets(rows), self._rows.panic(rows)
        rates = self._collector.averages(rows, now_s, np.ones(len(rows), np.bool_)).panic
        found = {}
        for index, row in enumerate(rows):
            desired = int(self._rows.desired[row])
            found[str(self._numbers.key(int(row)))] = {
                "desired": None if desired == UNDECIDED else desired,
                "excess_burst_capacity": int(self._rows.excess_burst[row]),
                "stable_value": _known(seen.stable[index]),
                "panic_value": _known(seen.panic[index]),
                "ready_pods": _known(self._ready[row]),
                "in_panic": bool(panic.on[index]),
                "metric": "rps" if self._rps[row] else "concurrency",
                "requests_per_s": _known(rates[index]),
                "target": float(targets.per_pod[index]),
            }
        return found

    def _take(self, key: Key) -> int:
        row = self._numbers.take(key)
        self._decided = grown(self._decided, row + 1, False)
        self._lively = grown(self._lively, row + 1, False)
        self._at_zero = grown(self._at_zero, row + 1, False)
        self._rps = grown(self._rps, row + 1, False)
        self._ready = grown(self._ready, row + 1, 0.0)
        self._listens_from = grown(self._listens_from, row + 1, 0.0)
        self._silent_until_s = grown(self._silent_until_s, row + 1, 0.0)
        return row

    def _tick(self, rows: Ints, now_s: float) -> Ticked:
        averages = self._collector.averages(rows, now_s, self._rps[rows])
        empty = self._collector.empty(rows, now_s)
        unheard = self._unheard(rows, empty, now_s)
        seen = Observed(np.where(unheard, np.nan, averages.stable), averages.panic, self._ready[rows])
        tick = self._rows.tick(rows, now_s, seen)
        self._at_zero[rows] &= ~seen.known
        # What has not begun to be listened to needs no ticks either: its pods, or a report, will wake it.
        still = empty & (tick.settled | (unheard & np.isinf(self._silent_until_s[rows])))
        self._lively[rows[still]] = False
        return Ticked([self._numbers.key(int(row)) for row in rows], tick, averages)

    def _unheard(self, rows: Ints, empty: Bools, now_s: float) -> Bools:
        """The rows whose silence does not mean anything yet. Time runs once they have the pods they start with."""
        until_s = self._silent_until_s[rows]
        begins = (until_s == np.inf) & (self._ready[rows] >= self._listens_from[rows])
        until_s = np.where(begins, now_s + self._rows.targets(rows).stable_window_s, until_s)
        self._silent_until_s[rows] = np.where(empty, until_s, -np.inf)
        unheard: Bools = empty & (now_s < until_s)
        return unheard

    def _record(self, rows: Ints, stats: list[Stat], now_s: float) -> None:
        stamps = np.array([stat.timestamp for stat in stats], np.float64)
        taken_now = (stamps == 0) | (stamps > now_s + FUTURE_S_MAX)
        figures = np.array(
            [
                (
                    stat.average_concurrent_requests - stat.average_proxied_concurrent_requests,
                    stat.request_count - stat.proxied_request_count,
                )
                for stat in stats
            ]
        )
        times_s = np.where(taken_now, now_s, stamps)
        self._collector.record(rows, times_s, figures[:, 0], figures[:, 1])

    def _pokes(self, rows: Ints, stats: list[Stat]) -> Ints:
        """The rows at zero whose revision is in use."""
        desired = self._rows.desired
        chosen = [
            row
            for row, stat in zip(rows.tolist(), stats, strict=True)
            if stat.average_concurrent_requests != 0
            and self._decided[row]
            and (desired[row] == 0 or (self._at_zero[row] and desired[row] == UNDECIDED))
        ]
        return np.array(chosen, np.int64) if chosen else _NO_ROWS

    def _rounds(self, messages: Iterable[tuple[Key, Stat]]) -> Iterator[tuple[Ints, list[Stat]]]:
        """Split messages so that no row repeats within one round, and each row keeps its order."""
        rounds: list[dict[int, Stat]] = []
        reached: dict[int, int] = {}
        for key, stat in messages:
            row = self._numbers.get(key)
            if row is None:
                continue
            number = reached.get(row, 0)
            reached[row] = number + 1
            if number == len(rounds):
                rounds.append({})
            rounds[number][row] = stat
        for chosen in rounds:
            yield np.fromiter(chosen, np.int64, len(chosen)), list(chosen.values())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
