"""All revisions by name: reports in, decisions out. Holds the rows; time comes in as an argument.

Times are unix seconds. Knows no sockets, no Kubernetes objects and no timers (`ticker.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoscaler.arrays import Bools, Floats, Ints, RowNumbers, grown
from autoscaler.decision.decide import Observed, Panic, activators
from autoscaler.decision.extras import Kind, Metric
from autoscaler.decision.rows import UNDECIDED, Rows, Target, Tick
from autoscaler.handover import Running, replayed
from autoscaler.intake import Intake
from autoscaler.metrics.collector import Averages, Collection, Collector
from autoscaler.silence import Silence
from swell.api.meta import Key
from swell.wire.history import RevisionHistory
from swell.wire.stats import Stat


@dataclass(frozen=True, slots=True)
class Ticked:
    """One round of decisions, and whose they are: `keys[i]` belongs to element i of the arrays."""

    keys: list[Key]
    tick: Tick
    averages: Averages
    rps: Bools
    now_s: float
    """The time that it went by."""

    def changed(self) -> list[Key]:
        """The revisions whose decision must be acted on."""
        return [self.keys[index] for index in np.flatnonzero(self.tick.notify)]

    def panics(self) -> list[tuple[Key, bool]]:
        """The revisions whose panic has begun (True) or ended (False)."""
        on = self.tick.decision.panic.on
        return [(self.keys[index], bool(on[index])) for index in np.flatnonzero(self.tick.before.on != on)]


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
        self._silence = Silence()
        self.intake = Intake(self._numbers, self._collector)

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

        `held_pods`: what it was scaled to before the autoscaler started. It begins in panic, so that nothing is taken
        away for a stable window, or until `take_over`. The reference goes by its ready pods alone, if more than one;
        but after an outage of the API these may not be known to be ready yet.
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
            ready_pods=ready_pods,
            initial_scale=initial_scale,
            delay_s=delay_s,
        )
        if held_pods:
            self._rows.resume(
                np.array([row]), now_s, _panic(now_s, np.fmax(ready_pods, held_pods)), np.array([held_pods])
            )
        self._decided[row] = self._lively[row] = True
        self._at_zero[row], self._rps[row], self._ready[row] = at_zero, rps, ready_pods
        self._silence.open(row, listens_from, at_zero=at_zero)

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
            self._silence.close(row)
            self._decided[row] = self._lively[row] = False

    def set_blind(self, key: Key, blind: bool) -> None:
        """Tell whether what is asked of a revision's pods past the front door cannot be found out.

        Then nothing asked is not known to be so, and decides nothing; what is asked at the front door counts as ever.
        """
        row = self._numbers.get(key)
        if row is not None and self._silence.set_blind(row, blind):
            self.wake(key)

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

    def measure(self, key: Key, metrics: Sequence[Metric]) -> None:
        """Decide by these metrics too, in place of those before; their values are not known yet."""
        self._rows.extras.open(self._take(key), metrics)
        self.wake(key)

    def measured(self, key: Key, values: Mapping[str, float], now_s: float) -> Ticked | None:
        """Take values of such metrics, by name; NaN: not known. A revision at zero is decided for at once if one of
        them wants pods, as for a report; returns that decision.
        """
        row = self._numbers.get(key)
        if row is None or not self._rows.extras.set(row, values):
            return None
        self.wake(key)
        rows = np.array([row])
        wanted = self._decided[row] and any(value > 0 for value in values.values())
        return self._tick(rows, now_s) if wanted and self._nobody_there(rows)[0] else None

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

    def record(self, messages: Sequence[tuple[Key, Stat]], now_s: float) -> None:
        """Take numbers that were scraped: they never cause a tick of their own."""
        for rows, figures in self.intake.rounds(messages):
            asked, _ = self.intake.record(rows, figures, now_s)
            self._heard(rows[asked])

    def receive(self, messages: Sequence[tuple[Key, Stat]], now_s: float) -> list[Ticked]:
        """Take reports; a revision at zero that is in use is decided for at once (spec 3.2).

        Returns those decisions. Reports of revisions that are not known are lost.
        """
        poked = []
        for rows, figures in self.intake.rounds(messages):
            _, in_use = self.intake.record(rows, figures, now_s)
            self._heard(rows)
            used = rows[self._decided[rows] & in_use]
            pokes = used[self._nobody_there(used)]
            if len(pokes):
                poked.append(self._tick(pokes, now_s))
        return poked

    def recall(self, history: Iterable[RevisionHistory], now_s: float) -> None:
        """Take what was reported before, each revision's oldest first; it never causes a tick at once."""
        known = [(row, each) for each in history if (row := self._numbers.get(Key(*each[:2]))) is not None]
        if not known:
            return
        samples = [np.frombuffer(each.samples).reshape(-1, 3) for _, each in known]
        counts = [len(each) for each in samples]
        turns = np.concatenate([np.arange(count) for count in counts])
        rows, figures = np.repeat([row for row, _ in known], counts), np.concatenate(samples)
        for chosen in np.split(np.argsort(turns, kind="stable"), np.cumsum(np.bincount(turns))[:-1]):
            age_s, concurrency, requests = figures[chosen].T
            self._collector.record(rows[chosen], now_s - age_s, concurrency, requests)
        self._heard(rows)

    def take_over(self, running: Mapping[Key, Running], known_from_s: float, now_s: float) -> None:
        """Go on where another autoscaler has stopped: all that was reported since `known_from_s` has been recalled.

        A revision whose stable window began before that has its pods held until it does not; any other is where it
        would be without the change. A scale-down delay begins anew.
        """
        found = [(row, each) for key, each in running.items() if (row := self._numbers.get(key)) is not None]
        if not found:
            return
        rows, states = np.array([row for row, _ in found]), [each for _, each in found]
        targets = self._rows.targets(rows)
        panic = replayed(self._collector, rows, self._rps[rows], targets, states, now_s)
        known = known_from_s <= now_s - targets.stable_window_s
        since_s = np.where(known, panic.since_s, np.fmax(panic.since_s, known_from_s))
        held = np.array([float(each.replicas) for each in states])
        self._rows.resume(rows, now_s, _panic(since_s, np.maximum(panic.pods_max, held)), held)
        # Silence counts from when there was somebody to be silent.
        began_s = np.array([each.ready_since_s[0] if each.ready_since_s else np.inf for each in states])
        silent_until_s = np.maximum(began_s, known_from_s) + targets.stable_window_s
        silent = self._collector.empty(rows, now_s) & np.isfinite(began_s)
        self._silence.counts_from(rows[silent], silent_until_s[silent])
        self._lively[rows] = True

    def describe(self, now_s: float) -> dict[str, dict[str, Any]]:
        """The last inputs and outputs of each revision, by `namespace/name`; what is not known is None."""
        rows = np.flatnonzero(self._decided)
        seen, targets, panic = self._rows.last_seen(rows), self._rows.targets(rows), self._rows.panic(rows)
        rates = self._collector.averages(rows, now_s, np.ones(len(rows), np.bool_)).panic
        sized = activators(targets, np.nan_to_num(self._ready[rows]))
        found = {}
        for index, (row, key) in enumerate(zip(rows, self._numbers.keys(rows), strict=True)):
            desired = int(self._rows.desired[row])
            found[str(key)] = {
                "desired": None if desired == UNDECIDED else desired,
                "excess_burst_capacity": int(self._rows.excess_burst[row]),
                "stable_value": _known(seen.stable[index]),
                "panic_value": _known(seen.panic[index]),
                "ready_pods": _known(self._ready[row]),
                "in_panic": bool(panic.on[index]),
                "metric": "rps" if self._rps[row] else "concurrency",
                "requests_per_s": _known(rates[index]),
                "target": float(targets.per_pod[index]),
                "activators": int(sized[index]),
                **self._described(int(row)),
            }
        return found

    def watched(self, key: Key, now_s: float) -> dict[str, Any]:
        """What is seen of one revision now, by both metrics over both windows; what is not known is None.

        `last_use_s`: when it was last asked for anything; None: not within its stable window. `silence_counts_s`: from
        when on silence means that nothing is asked; None: at once, or (with `listens` False) not yet.
        """
        row = self._numbers.get(key)
        if row is None or not self._decided[row]:
            return {}
        rows = np.array([row])
        listens, counts_from_s = self._silence.of(row)
        counts = self._collector.averages(rows, now_s, np.zeros(1, np.bool_))
        rates = self._collector.averages(rows, now_s, np.ones(1, np.bool_))
        return {
            "in_flight": {"stable": _known(counts.stable[0]), "panic": _known(counts.panic[0])},
            "requests_per_s": {"stable": _known(rates.stable[0]), "panic": _known(rates.panic[0])},
            "ready_pods": _known(self._ready[row]),
            "last_use_s": _known(self._collector.last_use_s(row, rps=bool(self._rps[row]))),
            "listens": listens,
            "silence_counts_s": counts_from_s,
            **self._described(row),
        }

    def _described(self, row: int) -> dict[str, Any]:
        metrics = {
            name: {key: _known(value) for key, value in each._asdict().items()}
            for name, each in self._rows.extras.of(row).items()
        }
        return {"metrics": metrics} if metrics else {}

    def _take(self, key: Key) -> int:
        row = self._numbers.take(key)
        self._decided = grown(self._decided, row + 1, False)
        self._lively = grown(self._lively, row + 1, False)
        self._at_zero = grown(self._at_zero, row + 1, False)
        self._rps = grown(self._rps, row + 1, False)
        self._ready = grown(self._ready, row + 1, 0.0)
        self._silence.grow(row + 1)
        return row

    def _tick(self, rows: Ints, now_s: float) -> Ticked:
        rps = self._rps[rows]
        averages = self._collector.averages(rows, now_s, rps)
        empty = self._collector.empty(rows, now_s)
        begins = self._silence.begins(rows, self._ready[rows])
        if len(begins):
            self._silence.counts_from(begins, now_s + self._rows.targets(begins).stable_window_s)
        unheard = self._silence.unheard(rows, now_s)
        blind = self._silence.blind(rows) & (averages.stable == 0)
        unknown = unheard | blind
        seen = Observed(np.where(unknown, np.nan, averages.stable), averages.panic, self._ready[rows])
        self._take_requests(rows, now_s, unknown)
        tick = self._rows.tick(rows, now_s, seen)
        self._at_zero[rows] &= ~seen.known
        # What has not begun to be listened to needs no ticks either: its pods, or a report, will wake it. So do the
        # pods that do not answer, and something asked, where for all of the window nothing was.
        waits = self._silence.waits(rows)
        nothing = empty | ((averages.stable == 0) & (averages.panic == 0))
        self._lively[rows[nothing & (tick.settled | (waits & empty) | (blind & ~unheard))]] = False
        return Ticked(self._numbers.keys(rows), tick, averages, rps, now_s)

    def _take_requests(self, rows: Ints, now_s: float, unknown: Bools) -> None:
        """Give the metrics of requests beside a revision's own their averages."""
        asking = self._rows.extras.asking(rows)
        if not len(asking):
            return
        silent = unknown[np.isin(rows, asking)]
        for kind in (Kind.CONCURRENCY, Kind.RPS):
            rps = np.full(len(asking), kind is Kind.RPS)
            stable = self._collector.averages(asking, now_s, rps).stable
            self._rows.extras.take(asking, np.where(silent, np.nan, stable), kind)

    def _heard(self, rows: Ints) -> None:
        """Something was asked of these, or somebody said that nothing was."""
        self._silence.heard(rows)
        self._lively[rows] = self._decided[rows]

    def _nobody_there(self, rows: Ints) -> Bools:
        """Which of the rows, all decided for, have nobody who could take a request."""
        desired = self._rows.desired[rows]
        found: Bools = (desired == 0) | (self._at_zero[rows] & (desired == UNDECIDED))
        return found


def _panic(since_s: Floats | float, pods_max: Floats | float) -> Panic:
    """Of one or many rows; those that are calm hold nothing."""
    since_s, pods_max = np.atleast_1d(since_s, pods_max)
    return Panic(since_s, np.where(np.isnan(since_s), 0.0, pods_max))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
