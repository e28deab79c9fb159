"""Which rule of the decision had the last word, for people who ask why. Pure; decides nothing."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from autoscaler.arrays import Floats
from autoscaler.decision.decide import Panic, Steps, Targets


class Rule(IntEnum):
    """The rules in spec autoscaling 3.1; the numbers are kept on disk."""

    UNDECIDED = 0
    """Nothing has been decided yet."""
    NO_DATA = 1
    """Not known what is asked: what was decided before stands."""
    STABLE = 2
    PANIC = 3
    PANIC_HOLD = 4
    """Panic mode takes no pods away."""
    UP_LIMIT = 5
    DOWN_LIMIT = 6
    ACTIVATION = 7
    METRIC = 8
    """Another metric of the revision asks for more."""
    DELAY = 9
    """The scale-down delay."""
    METRIC_HOLD = 10
    """While a metric gives no number, no pods are taken away."""


def deciding(
    targets: Targets, steps: Steps, panic: Panic, decided: Floats, others: Floats, delay_s: Floats, desired: Floats
) -> NDArray[np.uint8]:
    """The `Rule` of each row. Shapes: all (n,).

    `decided` is what `decide()` came to and `panic` its state after it, `others` the most that other metrics ask for
    (NaN: none), `desired` what came out at last.
    """
    by_panic = panic.on & (steps.want_panic > steps.want_stable)
    asked = np.where(by_panic, steps.asked_panic, steps.asked_stable)
    won = np.where(by_panic, steps.want_panic, steps.want_stable)
    limited = np.minimum(np.maximum(asked, steps.down_limit), steps.up_limit)
    asked_for = np.fmax(np.fmax(decided, others), -1.0)
    found = np.select(
        [
            np.isnan(desired),
            (desired > asked_for) & (delay_s > 0),
            desired > asked_for,
            others > np.nan_to_num(decided, nan=-1.0),
            panic.on & (decided > np.maximum(steps.want_stable, steps.want_panic)),
            (won == targets.activation_pods) & (won > limited),
            asked > won,
            asked < won,
            by_panic,
        ],
        [
            Rule.NO_DATA,
            Rule.DELAY,
            Rule.METRIC_HOLD,
            Rule.METRIC,
            Rule.PANIC_HOLD,
            Rule.ACTIVATION,
            Rule.UP_LIMIT,
            Rule.DOWN_LIMIT,
            Rule.PANIC,
        ],
        default=Rule.STABLE,
    )
    return found.astype(np.uint8)
