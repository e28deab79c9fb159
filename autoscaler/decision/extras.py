"""The metrics beside requests of those rows that have any: a table of its own, so that the others cost nothing.

Knows rows and names of metrics, not where values come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from autoscaler.arrays import Bools, Floats, Ints, RowNumbers, grown
from autoscaler.decision.combine import Combined, Extra, combine
from autoscaler.decision.decide import Limits, Targets, limits
from swell.api.extra_metrics import METRICS_MAX

_NOWHERE: Final = -1
_NO_ROWS: Final[Ints] = np.zeros(0, np.int64)


class Kind(IntEnum):
    """Where a metric's value comes from."""

    NONE = 0
    CONCURRENCY = 1
    RPS = 2
    CPU = 3
    MEMORY = 4
    PROMETHEUS = 5
    JSON = 6


class Metric(NamedTuple):
    """One metric of one row; `target` is what one pod should carry."""

    name: str
    target: float
    kind: Kind


class Measured(NamedTuple):
    """What a metric came to: its value over all pods, its target for one, the pods that it wants. NaN: not known."""

    value: float
    target: float
    pods: float


@dataclass(frozen=True, slots=True)
class ExtraTick:
    """What a tick made of these metrics. `indices` are places in the tick's rows, in the order of all the rest.

    `before` is what requests alone want, `moved` where a metric wants something else than a tick ago. Shape of `kinds`:
    (n, m), as in `Extra`.
    """

    indices: Ints
    names: list[tuple[str, ...]]
    kinds: Ints
    before: Floats
    extra: Extra
    combined: Combined
    moved: Bools

    def of(self, index: int) -> dict[str, Measured]:
        """By name, for the row at that place of the tick; nothing for a row without such metrics."""
        for found in np.flatnonzero(self.indices == index):
            return _named(self.names[found], self.extra.values[found], self.extra.targets[found], self.wanted[found])
        return {}

    def most(self, kind: Kind) -> Floats:
        """The most that a metric of this kind asks for, row by row; NaN without one, or where it is not known."""
        found: Floats = np.fmax.reduce(np.where(self.kinds == kind, self.wanted, np.nan), axis=1)
        return found

    @property
    def wanted(self) -> Floats:
        return self.combined.wanted


class Extras:
    """Metrics and their last values by row. A row without any costs eight bytes, and nothing in a tick."""

    def __init__(self) -> None:
        self._places: RowNumbers[int] = RowNumbers()
        self._place: Ints = np.zeros(0, np.int64)
        self._names: list[tuple[str, ...]] = []
        # Shapes: (METRICS_MAX, places), a column for each row that has metrics.
        self._values: Floats = np.zeros((METRICS_MAX, 0))
        self._targets: Floats = np.ones((METRICS_MAX, 0))
        self._wanted: Floats = np.zeros((METRICS_MAX, 0))
        self._kinds: Ints = np.zeros((METRICS_MAX, 0), np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def open(self, row: int, metrics: Sequence[Metric]) -> None:
        """Give the row these metrics in place of those before; their values are not known yet."""
        self.close(row)
        if not metrics:
            return
        place = self._take(row)
        self._names[place] = tuple(metric.name for metric in metrics)
        self._values[:, place] = self._wanted[:, place] = np.nan
        self._targets[:, place], self._kinds[:, place] = 1.0, Kind.NONE
        width = len(metrics)
        self._targets[:width, place] = [metric.target for metric in metrics]
        self._kinds[:width, place] = [metric.kind for metric in metrics]

    def close(self, row: int) -> None:
        """Forget the metrics of the row; nothing happens if it has none."""
        if self._places.release(row) is not None:
            self._place[row] = _NOWHERE

    def set(self, row: int, values: Mapping[str, float]) -> bool:
        """Take the latest values, NaN: not known; whether any has changed. Names that the row has not are ignored."""
        place = self._places.get(row)
        if place is None:
            return False
        changed = False
        for slot, name in enumerate(self._names[place]):
            if name in values:
                changed |= not np.array_equal(self._values[slot, place], values[name], equal_nan=True)
                self._values[slot, place] = values[name]
        return changed

    def asking(self, rows: Ints) -> Ints:
        """Those of `rows` that have metrics of requests: `take` wants their averages before a tick."""
        indices, places = self._having(rows)
        mine = np.isin(self._kinds[:, places], (Kind.CONCURRENCY, Kind.RPS)).any(axis=0)
        return rows[indices[mine]]

    def take(self, rows: Ints, averages: Floats, kind: Kind) -> None:
        """The averages of requests of rows that `asking` named, of one kind."""
        places = self._place[rows]
        self._values[:, places] = np.where(self._kinds[:, places] == kind, averages, self._values[:, places])

    def tick(self, rows: Ints, pods: Floats, ready_pods: Floats, held: Floats, targets: Targets) -> ExtraTick | None:
        """`combine` for those of `rows` that have such metrics; None if none has. Shapes: all (n,)."""
        indices, places = self._having(rows)
        if not len(indices):
            return None
        kinds = self._kinds[:, places].T
        extra = Extra(
            values=self._values[:, places].T,
            targets=self._targets[:, places].T,
            used=kinds != Kind.NONE,
            resource=(kinds == Kind.CPU) | (kinds == Kind.MEMORY),
        )
        within = Limits(*(limit[indices] for limit in limits(targets, ready_pods)))
        before, activation_pods = pods[indices], targets.activation_pods[indices]
        combined = combine(before, ready_pods[indices], held[indices], within, activation_pods, extra)
        was, self._wanted[:, places] = self._wanted[:, places].T, combined.wanted.T
        moved = ~((was == combined.wanted) | (np.isnan(was) & np.isnan(combined.wanted))).all(axis=1)
        return ExtraTick(indices, [self._names[place] for place in places], kinds, before, extra, combined, moved)

    def of(self, row: int) -> dict[str, Measured]:
        """The last values of a row, by name."""
        place = self._places.get(row)
        if place is None:
            return {}
        return _named(self._names[place], self._values[:, place], self._targets[:, place], self._wanted[:, place])

    def _having(self, rows: Ints) -> tuple[Ints, Ints]:
        """Indices of those rows that have such metrics, and their places."""
        if not len(self._places):
            return _NO_ROWS, _NO_ROWS
        self._place = grown(self._place, int(rows.max(initial=0)) + 1, _NOWHERE)
        places = self._place[rows]
        indices = np.flatnonzero(places != _NOWHERE)
        return indices, places[indices]

    def _take(self, row: int) -> int:
        place = self._places.take(row)
        self._place = grown(self._place, row + 1, _NOWHERE)
        self._place[row] = place
        self._values = grown(self._values, place + 1, np.nan)
        self._targets = grown(self._targets, place + 1, 1.0)
        self._wanted = grown(self._wanted, place + 1, np.nan)
        self._kinds = grown(self._kinds, place + 1, Kind.NONE)
        self._names += [()] * (place + 1 - len(self._names))
        return place


def _named(names: Sequence[str], values: Floats, targets: Floats, wanted: Floats) -> dict[str, Measured]:
    found = zip(names, values, targets, wanted, strict=False)  # there are fewer names than columns
    return {name: Measured(float(value), float(target), float(pods)) for name, value, target, pods in found}
