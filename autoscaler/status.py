"""What a PodAutoscaler's status says, from what is wanted and what is there.

Pure. Source: spec autoscaling 4.4. Without a ServerlessService there is no condition SKSReady and no
service name to wait for: pods are followed directly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from autoscaler.decision.bounds import Activity
from swell.api.autoscaling import ACTIVE, SCALE_TARGET_INITIALIZED, PodAutoscalerStatus
from swell.api.conditions import Condition, Conditions, ConditionSet

CONDITIONS: Final = ConditionSet(dependents=(ACTIVE, SCALE_TARGET_INITIALIZED))
QUEUED: Final = "Queued"
NO_TRAFFIC: Final = "NoTraffic"
TIMED_OUT: Final = "TimedOut"
SKEW_S_MAX: Final = 60.0
"""How far the clocks of two autoscalers may be apart."""


@dataclass(frozen=True, slots=True)
class Pods:
    """What a revision has and should have. `want` -1: not known; `least` is its lower bound now, `initial`
    how many it starts with.
    """

    want: int
    ready: int
    least: int
    initial: int


def next_status(status: PodAutoscalerStatus, pods: Pods, generation: int, now_s: float) -> PodAutoscalerStatus:
    """The status after this reconcile; `now_s` is unix seconds. Equal to `status` when nothing has changed."""
    conditions = CONDITIONS.initialize(status.conditions, now_s)
    keeps = pods.want < 0 and status.desired_scale is not None and status.desired_scale >= 0
    return replace(
        status,
        observed_generation=generation,
        conditions=_with_active(conditions, pods, now_s),
        desired_scale=status.desired_scale if keeps else pods.want,
        actual_scale=pods.ready,
    )


def activity(status: PodAutoscalerStatus, now_s: float) -> tuple[Activity, float]:
    """Whether the revision is active, and for how many seconds it has been so; no condition is unknown, for 0 s.

    What lies ahead was written before the clock was set back: nobody knows how long ago, and nobody waits for it.
    """
    condition = status.condition(ACTIVE)
    if condition is None:
        return Activity.UNKNOWN, 0.0
    since_s = now_s - condition.last_transition_time
    if since_s < -SKEW_S_MAX and not condition.is_unknown:
        since_s = math.inf
    return Activity(condition.status), max(0.0, since_s)


def is_initialized(status: PodAutoscalerStatus) -> bool:
    """Whether the revision once had all the pods that it starts with."""
    condition = status.condition(SCALE_TARGET_INITIALIZED)
    return condition is not None and condition.is_true


def _with_active(conditions: Conditions, pods: Pods, now_s: float) -> Conditions:
    was = _find(conditions, ACTIVE)
    floor = max(pods.least, 1 if _find(conditions, SCALE_TARGET_INITIALIZED).is_true else pods.initial)
    enough = pods.ready >= floor
    if enough:
        conditions = CONDITIONS.mark_true(conditions, SCALE_TARGET_INITIALIZED, now_s)
    if pods.want == 0 or floor == 0:
        if was.is_unknown and floor > 0:
            message = "the pods that were asked for did not become ready in time"
            return CONDITIONS.mark_false(conditions, ACTIVE, TIMED_OUT, message, now_s)
        return _idle(conditions, now_s)
    wanted = pods.want > 0 or not was.is_false
    if not enough:
        if not wanted:
            return _idle(conditions, now_s)
        return CONDITIONS.mark_unknown(conditions, ACTIVE, QUEUED, "requests wait until enough pods are ready", now_s)
    return CONDITIONS.mark_true(conditions, ACTIVE, now_s) if wanted else conditions


def _idle(conditions: Conditions, now_s: float) -> Conditions:
    return CONDITIONS.mark_false(conditions, ACTIVE, NO_TRAFFIC, "nothing is asked of the revision", now_s)


def _find(conditions: Conditions, type_: str) -> Condition:
    return next(condition for condition in conditions if condition.type == type_)
