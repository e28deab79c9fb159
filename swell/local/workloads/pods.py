"""Pods as workloads see them: which count, which are available, which go first. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from swell.api.meta import Obj, condition_of, owner_reference, parse_rfc3339
from swell.api.pod_cost import deletion_cost

_PHASE_ORDER: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def is_active(pod: Obj) -> bool:
    """Whether the pod counts as one of its owner's replicas: not ended, and not on its way out."""
    return not has_ended(pod) and "deletionTimestamp" not in pod["metadata"]


def has_ended(pod: Obj) -> bool:
    return _status(pod).get("phase") in ("Succeeded", "Failed")


def ready_since_s(pod: Obj) -> float | None:
    """Unix seconds since when the pod is ready, None if it is not."""
    ready = condition_of(pod)
    return seconds(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None


def is_ready(pod: Obj) -> bool:
    return ready_since_s(pod) is not None


def available_in_s(pod: Obj, min_ready_s: float, now_s: float) -> float | None:
    """Seconds until the pod has been ready for `min_ready_s`, 0 if it has; None while it is not ready."""
    since_s = ready_since_s(pod)
    if since_s is None:
        return None
    return max(0.0, since_s + min_ready_s - now_s) if min_ready_s > 0 else 0.0


def first_to_go(pod: Obj) -> tuple[Any, ...]:
    """The sort key of scaling down: what serves least goes first. As the reference ranks, but for nodes.

    Not placed, not started, not ready, cheap to delete, ready or made last, restarted often.
    """
    ready_s = ready_since_s(pod)
    status = _status(pod)
    restarts = sum(each.get("restartCount", 0) for each in status.get("containerStatuses") or ())
    meta = pod["metadata"]
    return (
        bool(pod["spec"].get("nodeName")),
        _PHASE_ORDER.get(status.get("phase", "Pending"), 0),
        ready_s is not None,
        deletion_cost(pod),
        -(ready_s if ready_s is not None else 0.0),
        -restarts,
        -seconds(meta.get("creationTimestamp")),
        meta["name"],
    )


def make_pod(owner: Obj, template: Mapping[str, Any]) -> Obj:
    """A new pod of `owner` (a ReplicaSet), to be named by the server: `<owner>-xxxxx`."""
    meta = template.get("metadata") or {}
    made: Obj = {
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "ownerReferences": [owner_reference(owner)],
    }
    made |= {key: meta[key] for key in ("labels", "annotations", "finalizers") if meta.get(key)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": template["spec"]}


def seconds(timestamp: str | None) -> float:
    """Unix seconds of a timestamp in an object; 0 if it is absent."""
    return parse_rfc3339(timestamp) if timestamp else 0.0


def share(value: int | str | None, whole: int, *, up: bool) -> int:
    """An int-or-percent field as a number of `whole` pods, a percentage rounded up or down."""
    if value is None:
        return 0
    if isinstance(value, int):
        return max(0, value)
    text = value.strip()
    if not text.endswith("%"):
        return max(0, int(text)) if text.isdecimal() else 0
    exact = float(text[:-1] or 0) * whole / 100
    return max(0, math.ceil(exact) if up else math.floor(exact))


def _status(pod: Obj) -> Obj:
    status: Obj = pod.get("status") or {}
    return status
