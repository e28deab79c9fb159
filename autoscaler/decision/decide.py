"""How many pods each revision wants: arithmetic only, all revisions at once.

Knows no clock, no I/O and no bounds (`bounds.py`). Doubles throughout, no epsilon, in the reference's
order of operations: 2.1 / 0.7 asks for 4 pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from autoscaler.arrays import Bools, Floats

PODS_MAX: Final = 2.0**31 - 1


@dataclass(frozen=True, slots=True)
class Targets:
    """What is asked of each revision. Shapes: all (n,), or all scalars.

    Values are requests in flight, or requests per second, by the revision's metric.
    """

    per_pod: Floats
    """What one pod should carry; utilization is in it already."""
    capacity: Floats
    """What one pod can carry at most."""
    burst_capacity: Floats
    """Burst to absorb without the buffer; 0: buffer only at zero, -1: buffer always in the path."""
    activator_capacity: Floats
    """What one activator is sized for."""
    panic_threshold: Floats
    """A factor: 2 means twice the pods that are ready."""
    up_rate_max: Floats
    down_rate_max: Floats
    stable_window_s: Floats
    reachable: Bools
    """Whether a route points to the revision; one that is not may go to zero at once."""
    activation_pods: Floats
    """The smallest count other than zero; 0 and 1 mean no such floor."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of each revision, summed over its pods. Shapes: all (n,). NaN: not known."""

    stable: Floats
    panic: Floats
    ready_pods: Floats

    @property
    def known(self) -> Bools:
        """Where everything a decision needs is there."""
        return ~(np.isnan(self.stable) | np.isnan(self.panic) | np.isnan(self.ready_pods))


@dataclass(frozen=True, slots=True)
class Panic:
    """Panic state of each revision, handed from tick to tick. Shapes: (n,)."""

    since_s: Floats
    """When panic began or was last renewed; NaN: calm."""
    pods_max: Floats
    """The floor: while in panic, a decision never goes below it."""

    @property
    def on(self) -> Bools:
        return ~np.isnan(self.since_s)


class Limits(NamedTuple):
    """The fewest and most pods that one tick may come to; the activation scale may exceed that. Shapes: (n,)."""

    least: Floats
    most: Floats


@dataclass(frozen=True, slots=True)
class Steps:
    """What each rule came to on the way, in pods, for people who ask why. Shapes: (n,)."""

    asked_stable: Floats
    """What the stable average asks for, and `asked_panic` the panic average."""
    asked_panic: Floats
    down_limit: Floats
    """The fewest that one tick may go to, and `up_limit` the most."""
    up_limit: Floats
    want_stable: Floats
    """What is asked for, within the limits and raised to the activation scale; so is `want_panic`."""
    want_panic: Floats


@dataclass(frozen=True, slots=True)
class Decision:
    """What a tick came to. Shapes: (n,). NaN where nothing could be decided."""

    pods: Floats
    excess_burst: Floats
    panic: Panic
    steps: Steps


def decide(now_s: float | Floats, targets: Targets, seen: Observed, panic: Panic) -> Decision:
    """The pods each revision wants, its spare burst capacity, and the panic state for the next tick.

    Shapes: all (n,), one element per revision; `now_s` may be one for all. A revision without data gets
    NaN and keeps its state. Min and max scale and the scale-down delay come after. Source: spec
    autoscaling 3.1.
    """
    pods = np.maximum(1.0, seen.ready_pods)
    least, most = limits(targets, seen.ready_pods)
    asked_stable = np.ceil(seen.stable / targets.per_pod)
    asked_panic = np.ceil(seen.panic / targets.per_pod)
    want_stable = limited(asked_stable, least, most, targets.activation_pods)
    want_panic = limited(asked_panic, least, most, targets.activation_pods)

    over = asked_panic / pods >= targets.panic_threshold
    over_since_s = np.where(over, now_s, panic.since_s)
    ended = ~over & (panic.since_s + targets.stable_window_s < now_s)
    since_s = np.where(ended, np.nan, over_since_s)
    floor = np.where(ended, 0.0, panic.pods_max)
    raised = np.maximum(np.maximum(want_stable, want_panic), floor)
    in_panic = ~np.isnan(since_s)

    known = seen.known  # no data: decide nothing, remember everything
    after = Panic(
        np.where(known, since_s, panic.since_s),
        np.where(known, np.where(in_panic, raised, floor), panic.pods_max),
    )
    want = np.where(in_panic, raised, want_stable)
    steps = Steps(asked_stable, asked_panic, least, most, want_stable, want_panic)
    return Decision(np.where(known, want, np.nan), _excess_burst(targets, seen), after, steps)


def limits(targets: Targets, ready_pods: Floats) -> Limits:
    """From the pods that are ready; not known (NaN) where they are not."""
    pods = np.maximum(1.0, ready_pods)
    least = np.where(targets.reachable, np.floor(pods / targets.down_rate_max), 0.0)
    return Limits(least, np.ceil(targets.up_rate_max * pods))


def initial_panic(ready_pods: Floats, now_s: float | Floats) -> Panic:
    """The state a revision begins with: more than one ready pod at the start means panic, so that a restart
    holds the scale for a stable window. An unknown count (NaN) is taken as 0.
    """
    ready = np.nan_to_num(ready_pods, nan=0.0)
    return Panic(np.where(ready > 1, now_s, np.nan), ready)


def initial_excess_burst(targets: Targets, initial_scale: Floats | float) -> Floats:
    """What is published before the first decision: cut towards zero, unlike later values (spec 3.2)."""
    burst = targets.burst_capacity
    spare = np.trunc(initial_scale * targets.capacity - burst)
    return np.where((burst == 0) | (burst == -1), burst, spare) + 0.0


def activators(targets: Targets, ready_pods: Floats) -> Floats:
    """How many activators a revision's load is sized for, at least 2; NaN for an unknown pod count (spec 3.3)."""
    load = ready_pods * targets.capacity + np.maximum(targets.burst_capacity, 0.0)
    sized = np.maximum(2.0, np.ceil(load / targets.activator_capacity))
    return np.where(targets.burst_capacity == 0, np.where(np.isnan(ready_pods), np.nan, 2.0), sized)


def limited(asked: Floats, least: Floats, most: Floats, activation: Floats) -> Floats:
    """What is asked for, held within what one tick may change; the activation scale comes after and may exceed that."""
    held = np.minimum(np.maximum(asked, least), most)
    raised = (activation > 1) & (asked > 0) & (activation > held)
    return np.minimum(np.where(raised, activation, held), PODS_MAX) + 0.0  # + 0.0: no minus zero


def _excess_burst(targets: Targets, seen: Observed) -> Floats:
    burst = targets.burst_capacity
    spare = np.floor(seen.ready_pods * targets.capacity - burst - seen.panic)
    spare = np.clip(spare, -PODS_MAX - 1, PODS_MAX)
    found = np.where(burst == 0, 0.0, np.where(burst < 0, -1.0, spare))
    return np.where(seen.known, found, np.nan)
