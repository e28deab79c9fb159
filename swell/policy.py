"""Policies: an operator's own rule for how many pods a revision has (docs/policy.md).

A policy is a class with one method. It runs in a process of its own, which is ended if it takes too long; what it
raises, or answers that makes no sense, changes nothing and is told of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = ["Policy", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One revision at one moment.

    `now_s` is unix seconds. `ready` are the pods that take requests, `want` what the autoscaler's own rules want,
    before bounds. `stable` and `panic` are the metric's averages over the two windows, over all pods; `target` is what
    one pod should carry. `min_scale`, `max_scale` (0: unlimited) and `floor`, the scheduled one, bound whatever is
    answered. `last` is what this policy answered for the revision the last time, None if nothing.
    """

    namespace: str
    name: str
    now_s: float
    ready: int
    want: int
    stable: float
    panic: float
    in_panic: bool
    target: float
    min_scale: int
    max_scale: int
    floor: int
    last: int | None


class Policy(ABC):
    """Made once, without arguments, and then asked for each of its revisions every two seconds, and when something has
    been decided for one. It may keep what it likes in itself, and loses that when the autoscaler starts again.
    """

    @abstractmethod
    def decide(self, seen: Seen) -> int | None:
        """The pods that the revision should have, from 0 to 2147483647; None to leave it to the autoscaler's rules."""
