"""The panic that another autoscaler was in, for the one that takes over from it.

The windows come back as they were, for activators keep what they have reported. Panic is not reported; it follows from
what was. Knows no sockets and no clock; times are unix seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from autoscaler.arrays import Bools, Floats, Ints
from autoscaler.decision.decide import Observed, Panic, Targets, decide
from autoscaler.metrics.collector import Collection, Collector
from autoscaler.metrics.windows import Windows
from autoscaler.pods import State, state_of
from swell.api.meta import Obj, condition_of, parse_rfc3339
from swell.wire.history import HISTORY_S

SECONDS: Final = int(HISTORY_S)


@dataclass(frozen=True, slots=True)
class Running:
    """What a revision has when it is taken over: its replicas, and since when each ready pod has been ready."""

    replicas: int
    ready_since_s: Sequence[float]


def ready_since_s(pods: Iterable[Obj]) -> list[float]:
    """Since when each of the pods that are ready has been so, the oldest first."""
    return sorted(_ready_since_s(pod) for pod in pods if state_of(pod) is State.READY)


def _ready_since_s(pod: Obj) -> float:
    since = condition_of(pod).get("lastTransitionTime")
    return parse_rfc3339(since) if since else 0.0


def replayed(
    collector: Collector, rows: Ints, rps: Bools, targets: Targets, running: Sequence[Running], now_s: float
) -> Panic:
    """The panic that these rows are in by what was recorded of them; who was not asked is calm. Shape: (n,)."""
    panic = Panic(np.full(len(rows), np.nan), np.zeros(len(rows)))
    recent = collector.recent(rows, now_s, rps, SECONDS)
    busy = np.flatnonzero(recent.any(axis=1))
    if len(busy):
        some = Targets(**{each.name: getattr(targets, each.name)[busy] for each in fields(Targets)})
        collections = [collector.collection(row) for row in rows[busy].tolist()]
        ready = _ready_by_second([running[index] for index in busy.tolist()], now_s)
        found = _replay(now_s, some, collections, recent[busy], ready)
        panic.since_s[busy], panic.pods_max[busy] = found.since_s, found.pods_max
    return panic


def _ready_by_second(running: Sequence[Running], now_s: float) -> Floats:
    """How many of the pods that are ready now were so in each of the last `SECONDS`. Shape: (n, SECONDS)."""
    seconds = math.floor(now_s) - np.arange(SECONDS)[::-1]
    return np.array(
        [[bisect_right(each.ready_since_s, second) for second in seconds] for each in running], np.float64
    ).reshape(len(running), SECONDS)


def _replay(now_s: float, targets: Targets, collections: Sequence[Collection], recent: Floats, ready: Floats) -> Panic:
    """The panic state that an autoscaler would be in that had seen these seconds. Shapes: (n,), (n, SECONDS).

    `recent`: what was recorded in each second, the present one last. `ready`: pods that were ready then and are still.
    No more than a stable window is looked at, and each second of it is a tick, for it is not known which were. Whoever
    was calm at its beginning is taken to have had the pods it asked for, and to have got what it wanted since: pods
    that have gone are not known any more. In panic none go.
    """
    rows = np.arange(len(recent))
    windows = Windows()
    for row, each in enumerate(collections):
        windows.open(2 * row, each.stable_window_s, weighted=each.weighted)
        windows.open(2 * row + 1, each.panic_window_s, weighted=each.weighted)
    panic = Panic(np.full(len(recent), np.nan), np.zeros(len(recent)))
    wanted = np.full(len(recent), np.nan)
    for left in reversed(range(SECONDS)):
        at_s = math.floor(now_s) - left
        heard = np.flatnonzero(recent[:, -1 - left])
        windows.record(
            np.concatenate([2 * heard, 2 * heard + 1]),
            np.full(2 * len(heard), float(at_s)),
            np.tile(recent[heard, -1 - left], 2),
        )
        stable, lately = np.split(windows.averages(np.concatenate([2 * rows, 2 * rows + 1]), at_s), 2)
        there = ready[:, -1 - left]
        had = np.where(np.isnan(wanted), np.ceil(lately / targets.per_pod), wanted)
        pods = np.where(panic.on, there, np.maximum(there, had))
        begun = at_s > now_s - targets.stable_window_s
        decision = decide(float(at_s), targets, Observed(np.where(begun, stable, np.nan), lately, pods), panic)
        panic, wanted = decision.panic, decision.pods
    return panic
