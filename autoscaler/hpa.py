"""PodAutoscalers of class HPA: each has a HorizontalPodAutoscaler, and says what that one says (spec autoscaling 5).

Kubernetes scales these revisions, by CPU, memory or a metric of its own, and never to zero. The embedded cluster keeps
the object but has nothing that scales by it: then the revision keeps the pods that it started with, and says so.
Without a ServerlessService a revision counts as served once a pod is ready.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

from autoscaler.status import CONDITIONS, is_initialized
from swell.api.autoscaling import (
    ACTIVE,
    SCALE_TARGET_INITIALIZED,
    UNREACHABLE,
    PodAutoscaler,
    PodAutoscalerStatus,
)
from swell.api.kinds import HORIZONTAL_POD_AUTOSCALER
from swell.api.meta import Obj, owner_reference
from swell.api.numbers import INT32_MAX
from swell.config.autoscaler import AutoscalerConfig

CPU: Final = "cpu"
MEMORY: Final = "memory"
NOT_OWNED: Final = "NotOwned"
FAILED_CREATE: Final = "FailedCreate"
NOT_SCALED: Final = "NotScaled"


def make_hpa(pa: PodAutoscaler, obj: Obj, config: AutoscalerConfig, seen: Obj | None = None) -> Obj:
    """The HorizontalPodAutoscaler that a PodAutoscaler should have, given the one there is.

    `obj` is the PodAutoscaler, `pa` the same, parsed.
    """
    most, least = pa.annotations.max_scale(), _least(pa, config)
    spec: Obj = {
        "scaleTargetRef": pa.scale_target_ref.to_obj(),
        "maxReplicas": (config.max_scale if most is None else most) or INT32_MAX,
    }
    if least or (seen is not None and "minReplicas" in seen["spec"]):
        spec["minReplicas"] = least or 1  # what the API server fills in
    if metrics := _metrics(pa):
        spec["metrics"] = metrics
    window_s = pa.annotations.window_s()
    if window_s is not None:
        rules = {"stabilizationWindowSeconds": int(window_s)}
        spec["behavior"] = {"scaleUp": dict(rules), "scaleDown": dict(rules)}
    return {
        "apiVersion": HORIZONTAL_POD_AUTOSCALER.api_version,
        "kind": HORIZONTAL_POD_AUTOSCALER.kind,
        "metadata": {
            "name": pa.meta.name,
            "namespace": pa.meta.namespace,
            "labels": dict(pa.meta.labels),
            "annotations": dict(pa.meta.annotations),
            "ownerReferences": [owner_reference(obj)],
        },
        "spec": spec,
    }


def _least(pa: PodAutoscaler, config: AutoscalerConfig) -> int:
    if pa.reachability == UNREACHABLE:
        return 0
    least = pa.annotations.min_scale()
    return config.min_scale if least is None else least


def _metrics(pa: PodAutoscaler) -> list[Obj]:
    """What is scaled by; nothing without a target, then the cluster's default applies."""
    target, metric = pa.annotations.target(), pa.annotations.metric() or CPU
    if target is None:
        return []
    if metric == CPU:
        wanted: Obj = {"type": "Utilization", "averageUtilization": math.ceil(target)}
        return [{"type": "Resource", "resource": {"name": CPU, "target": wanted}}]
    if metric == MEMORY:
        wanted = {"type": "AverageValue", "averageValue": f"{int(target)}Mi"}
        return [{"type": "Resource", "resource": {"name": MEMORY, "target": wanted}}]
    wanted = {"type": "AverageValue", "averageValue": f"{int(target)}"}
    return [{"type": "Pods", "pods": {"metric": {"name": metric}, "target": wanted}}]


def next_status(pa: PodAutoscaler, hpa: Obj, ready: int, config: AutoscalerConfig, now_s: float) -> PodAutoscalerStatus:
    """The status that follows from the HorizontalPodAutoscaler's and from so many ready pods; `now_s` unix seconds."""
    found: dict[str, Any] = hpa.get("status") or {}
    looked_at = bool(found.get("conditions") or found.get("currentReplicas") or found.get("desiredReplicas"))
    actual = int(found.get("currentReplicas") or 0) if looked_at else ready
    reason = "" if looked_at else NOT_SCALED
    message = f"nothing scales by HorizontalPodAutoscaler {pa.meta.name} yet: the pods that there are stay"
    conditions = CONDITIONS.initialize(pa.status.conditions, now_s)
    conditions = CONDITIONS.mark_true(conditions, ACTIVE, now_s, reason, message if reason else "")
    initial = pa.annotations.initial_scale(config.limits)
    if not is_initialized(pa.status) and ready > 0 and actual >= max(_least(pa, config), initial):
        conditions = CONDITIONS.mark_true(conditions, SCALE_TARGET_INITIALIZED, now_s)
    return replace(
        pa.status,
        observed_generation=pa.meta.generation,
        conditions=conditions,
        desired_scale=int(found.get("desiredReplicas") or 0) if looked_at else pa.status.desired_scale,
        actual_scale=actual,
    )


def failed_status(pa: PodAutoscaler, reason: str, message: str, now_s: float) -> PodAutoscalerStatus:
    """The status when there is no HorizontalPodAutoscaler to go by."""
    conditions = CONDITIONS.initialize(pa.status.conditions, now_s)
    conditions = CONDITIONS.mark_false(conditions, ACTIVE, reason, message, now_s)
    return replace(pa.status, observed_generation=pa.meta.generation, conditions=conditions)
