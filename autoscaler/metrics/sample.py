"""Scraping some pods and speaking for all: whom to ask, when to give up, what it comes to (spec autoscaling 2.7).

Knows pods and figures, not how they are asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

ALL_UP_TO: Final = 3
# 95 % confidence, variance 100, margin 5: (1.96 / 5)^2 * 100.
_LARGEST: Final = 15.3664

Address = tuple[str, int]


class Pod(NamedTuple):
    """A pod that may be asked. `started_s` is unix seconds."""

    address: Address
    started_s: float


class Figures(NamedTuple):
    """What one pod says of the last second, or what several come to: see `swell.wire.stats.Stat`."""

    concurrency: float
    proxied_concurrency: float
    requests: float
    proxied_requests: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a pod, or a whole revision, has not answered. `mesh`: somebody else may have answered for it."""

    error: str
    mesh: bool = False


def sample_size(pods: int) -> int:
    """How many of so many pods to scrape: all of a few, never more than 16."""
    if pods <= ALL_UP_TO:
        return max(pods, 0)
    return math.ceil(pods * _LARGEST / (pods + _LARGEST - 1))


def extrapolate(pods: int, samples: Sequence[Sequence[float]]) -> list[float]:
    """Figures for all `pods` from those of some, figure by figure; `samples` must not be empty."""
    totals = [0.0] * len(samples[0])
    for sample in samples:
        for index, value in enumerate(sample):
            totals[index] += value
    return [total / len(samples) * pods for total in totals]


def in_order(pods: Sequence[Pod], old_from_s: float, shuffle: Callable[[list[Pod]], None]) -> list[Pod]:
    """The pods in the order in which they are asked: those that started by `old_from_s` (unix seconds) first.

    Their figures cover a whole window. With fewer of them than are needed all are in, and chance decides among the
    young; else it decides among the old, and the young stand by.
    """
    old = [pod for pod in pods if pod.started_s <= old_from_s]
    young = [pod for pod in pods if pod.started_s > old_from_s]
    shuffle(young if len(old) < sample_size(len(pods)) else old)
    return old + young


class Round:
    """One scrape of one revision. As many pods as the sample needs are asked at a time; where one fails the next is.

    `done` once nobody is asked any more; then either `figures` are there for all pods, or a `fault`.
    """

    __slots__ = ("_answers", "_asked", "_faults", "_next", "_pods", "_size")

    def __init__(self, pods: Sequence[Pod]) -> None:
        """`pods` in the order in which they are asked, at least one."""
        self._pods = pods
        self._size = sample_size(len(pods))
        self._next = self._asked = self._size
        self._answers: list[Figures] = []
        self._faults: list[Fault] = []

    def first(self) -> Sequence[Pod]:
        """Whom to ask at the start."""
        return self._pods[: self._size]

    def answered(self, figures: Figures) -> None:
        """One pod has answered."""
        self._asked -= 1
        self._answers.append(figures)

    def failed(self, fault: Fault) -> Pod | None:
        """One pod has not; returns whom to ask in its place, None if nobody is left."""
        self._faults.append(fault)
        if self._next == len(self._pods):
            self._asked -= 1
            return None
        self._next += 1
        return self._pods[self._next - 1]

    @property
    def done(self) -> bool:
        return self._asked == 0

    @property
    def figures(self) -> Figures | None:
        """What all pods come to; None if too few have answered. Partial successes count for nothing."""
        if len(self._answers) < self._size:
            return None
        return Figures(*extrapolate(len(self._pods), self._answers))

    @property
    def fault(self) -> Fault:
        """Why there are no figures. A mesh's doing only if all failed, and each of them in the way of a mesh."""
        return Fault(self._faults[-1].error, not self._answers and all(fault.mesh for fault in self._faults))
