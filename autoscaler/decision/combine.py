"""Several metrics together: as many pods as the one that wants most, and none only if all allow it.

Arithmetic only. Knows no clock and no I/O, and not where values come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.arrays import Bools, Floats
from autoscaler.decision.decide import Limits, limited

TOLERANCE: Final = 0.1
"""So far from its target, as a fraction, cpu or memory changes nothing: as a HorizontalPodAutoscaler has it."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Metrics beside requests. Shapes: (n, m); a revision with fewer than m has False in `used` for the rest.

    `values` are summed over the pods, NaN: not known. `targets` are what one pod should carry. `resource`: it is
    cpu or memory, which no pod is without.
    """

    values: Floats
    targets: Floats
    used: Bools
    resource: Bools


@dataclass(frozen=True, slots=True)
class Combined:
    """Shapes: `pods` (n,), NaN where nothing could be decided; `wanted` (n, m), NaN where not known or not used."""

    pods: Floats
    wanted: Floats


def combine(
    pods: Floats, ready_pods: Floats, held: Floats, limits: Limits, activation_pods: Floats, extra: Extra
) -> Combined:
    """The pods that each revision wants by all its metrics; `pods` is what it wants by its requests.

    Each metric wants its value divided by its target, rounded up, within the same limits as requests; the most
    counts. Where one is not known (NaN, requests too) it is left out, and the count does not fall below `held`, what
    was decided before. Without a count of ready pods nothing is decided.

    Cpu and memory within `TOLERANCE` of their target ask for the pods that are ready, and what fits into one pod
    asks for none: they neither wake a revision nor keep its last pod. Shapes: all (n,) but `extra`'s.
    """
    ready = np.maximum(1.0, ready_pods)[:, None]
    asked = np.ceil(np.maximum(0.0, extra.values) / extra.targets)
    near = np.abs(extra.values / (extra.targets * ready) - 1.0) <= TOLERANCE
    asked = np.where(extra.resource & near, ready, asked)
    asked = np.where(extra.resource & (asked <= 1.0), 0.0, asked)
    each = limited(asked, limits.least[:, None], limits.most[:, None], activation_pods[:, None])
    wanted = np.where(extra.used, each, np.nan)

    largest = np.fmax(pods, np.fmax.reduce(wanted, axis=1, initial=0.0))
    unknown = np.isnan(pods) | (extra.used & np.isnan(extra.values)).any(axis=1)
    combined = np.where(unknown, np.maximum(largest, held), largest)
    return Combined(np.where(np.isnan(ready_pods), np.nan, combined), wanted)
