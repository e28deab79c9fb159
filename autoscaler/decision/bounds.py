"""Between the decision and the replicas: bounds, initial scale, and the rules of scaling to zero.

Pure. Knows the autoscaler's want and the PodAutoscaler's condition, not where either comes from.
Source: spec autoscaling 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

PROBE_AGAIN_S: Final = 1.0
DEACTIVATED_AGAIN_S: Final = 3.0


class Activity(Enum):
    """The PodAutoscaler's Active condition; no condition yet is UNKNOWN."""

    UNKNOWN = "Unknown"
    ACTIVE = "True"
    INACTIVE = "False"


@dataclass(frozen=True, slots=True)
class ScaleRules:
    """The settings that apply to one revision. `_s` are seconds.

    `least` and `most` bound the replicas; `most` 0 means unlimited. `activation_timeout_s` is how long a
    start may take before it is given up.
    """

    least: int
    most: int
    initial: int
    reachable: bool
    scale_to_zero: bool
    stable_window_s: float
    grace_s: float
    retention_s: float
    activation_timeout_s: float
    always_buffered: bool
    """Target burst capacity -1: the buffer never leaves the path, so that it need not be asked for."""


@dataclass(frozen=True, slots=True)
class ScaleState:
    """Where a revision stands. `activity_s` is how long Active has been as it is.

    `proxying_s` is how long the buffer has been in the path, None while it is not. `buffer_answers`: an
    activator would take requests if the last pod went now.
    """

    desired: int
    activity: Activity
    activity_s: float
    initialized: bool
    proxying_s: float | None
    buffer_answers: bool


class Clamp(IntEnum):
    """Which rule between the decision and the replicas decided; the numbers are kept on disk."""

    NONE = 0
    """None: what is desired is wanted."""
    UNDECIDED = 1
    MIN_SCALE = 2
    INITIAL_SCALE = 3
    MAX_SCALE = 4
    ZERO_DISABLED = 5
    """The cluster does not scale to zero."""
    STARTING = 6
    """It is not known yet whether its pods come up."""
    START_GIVEN_UP = 7
    STABLE_WINDOW = 8
    """It has not been active for a stable window."""
    DEACTIVATING = 9
    NO_ACTIVATOR = 10
    RETENTION = 11
    GRACE = 12


@dataclass(frozen=True, slots=True)
class ScaleStep:
    """The replicas wanted (-1: not known); `apply` says whether to write them, `requeue_s` when to look again.

    `probe`: whether an activator answers must be found out first. `clamp` says why, and is no part of what to do.
    """

    want: int
    apply: bool
    requeue_s: float | None = None
    probe: bool = False
    clamp: Clamp = field(default=Clamp.NONE, compare=False)


def clamp(pods: int, least: int, most: int) -> int:
    """`pods` within `least`..`most`, where `most` 0 is no bound; `least` is looked at first."""
    if pods < least:
        return least
    return most if most != 0 and pods > most else pods


def scale_step(state: ScaleState, rules: ScaleRules) -> ScaleStep:
    """The replicas to have now, from what the decision desires and the rules of activation and deactivation."""
    if state.desired < 0 and state.activity is not Activity.UNKNOWN:
        return ScaleStep(state.desired, apply=False, clamp=Clamp.UNDECIDED)
    least = rules.least
    if rules.initial > 1 and not state.initialized and rules.reachable:
        least = max(least, rules.initial)
    want = clamp(state.desired, least, rules.most)
    if want != 0:
        return ScaleStep(want, apply=True, clamp=_clamp_of(want, state.desired, rules))
    if not rules.scale_to_zero:
        return ScaleStep(1, apply=True, clamp=Clamp.ZERO_DISABLED)
    return _ZERO[state.activity](state, rules)


def _clamp_of(want: int, desired: int, rules: ScaleRules) -> Clamp:
    if want == desired:
        return Clamp.NONE
    if want < desired:
        return Clamp.MAX_SCALE
    return Clamp.MIN_SCALE if want == rules.least else Clamp.INITIAL_SCALE


def _activating_to_zero(state: ScaleState, rules: ScaleRules) -> ScaleStep:
    if state.activity_s > rules.activation_timeout_s:
        return ScaleStep(0, apply=True, clamp=Clamp.START_GIVEN_UP)
    return ScaleStep(-1, apply=False, requeue_s=rules.activation_timeout_s, clamp=Clamp.STARTING)


def _active_to_zero(state: ScaleState, rules: ScaleRules) -> ScaleStep:
    if state.activity_s < rules.stable_window_s:
        left_s = rules.stable_window_s - state.activity_s
        return ScaleStep(1, apply=True, requeue_s=left_s, clamp=Clamp.STABLE_WINDOW)
    again_s = None if state.proxying_s is None else DEACTIVATED_AGAIN_S
    return ScaleStep(0, apply=False, requeue_s=again_s, clamp=Clamp.DEACTIVATING)


def _inactive_to_zero(state: ScaleState, rules: ScaleRules) -> ScaleStep:
    if not rules.always_buffered and not state.buffer_answers:
        return ScaleStep(0, apply=False, requeue_s=PROBE_AGAIN_S, probe=True, clamp=Clamp.NO_ACTIVATOR)
    retention_s = rules.retention_s if rules.reachable else 0.0
    if state.activity_s >= max(rules.grace_s, retention_s):
        return ScaleStep(0, apply=True)
    if retention_s > 0 and state.activity_s < retention_s:
        return ScaleStep(0, apply=False, requeue_s=retention_s - state.activity_s, clamp=Clamp.RETENTION)
    grace_left_s = rules.grace_s - (state.proxying_s or 0.0)
    if grace_left_s <= 0:
        return ScaleStep(0, apply=True)
    return ScaleStep(0, apply=False, requeue_s=grace_left_s, clamp=Clamp.GRACE)


_ZERO: Final = {
    Activity.UNKNOWN: _activating_to_zero,
    Activity.ACTIVE: _active_to_zero,
    Activity.INACTIVE: _inactive_to_zero,
}
