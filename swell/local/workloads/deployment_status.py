"""What a Deployment says of itself: counts, Available, Progressing, ReplicaFailure. Pure; the reference's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from swell.api.meta import Obj, condition_of, rfc3339
from swell.local.workloads import rollout
from swell.local.workloads.pods import seconds
from swell.local.workloads.rollout import Bounds, Sets

COMPLETE: Final = "NewReplicaSetAvailable"
UPDATED: Final = "ReplicaSetUpdated"
CREATED: Final = "NewReplicaSetCreated"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
PAUSED: Final = "DeploymentPaused"
DEADLINE_MAX_S: Final = 2**31 - 1
"""A deadline of this many seconds is none."""


def make_status(deployment: Obj, sets: Sets, now_s: float) -> tuple[Obj, float | None]:
    """The status, and in how many seconds it changes by itself (the progress deadline); None if it does not."""
    counts = _counts(deployment, sets)
    progressing = _progressing(deployment, sets, counts, now_s)
    conditions = [_available(deployment, counts, now_s)]
    if progressing is not None:
        conditions.append(progressing)
    conditions += _failures(sets)
    status = {key: value for key, value in counts.items() if value}
    return {**status, "conditions": conditions}, _deadline_in_s(deployment, progressing, now_s)


def is_complete(deployment: Obj, counts: Obj) -> bool:
    """All replicas are of the present template, and available."""
    replicas = deployment["spec"].get("replicas", 1)
    return all(counts.get(key, 0) == replicas for key in ("updatedReplicas", "replicas", "availableReplicas"))


def _before(deployment: Obj) -> Obj:
    """The status as it was written last."""
    return deployment.get("status") or {}


def _counts(deployment: Obj, sets: Sets) -> Obj:
    everything = sets.all()
    available = rollout.available(*everything)
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": rollout.actual(*everything),
        "updatedReplicas": rollout.actual(sets.new),
        "readyReplicas": rollout.ready(*everything),
        "availableReplicas": available,
        "unavailableReplicas": max(0, rollout.wanted(*everything) - available),
        "collisionCount": _before(deployment).get("collisionCount", 0),
    }


def _available(deployment: Obj, counts: Obj, now_s: float) -> Obj:
    if counts["availableReplicas"] >= _available_min(deployment):
        message = "Deployment has minimum availability."
        return _condition(deployment, "Available", "True", "MinimumReplicasAvailable", message, now_s)
    message = "Deployment does not have minimum availability."
    return _condition(deployment, "Available", "False", "MinimumReplicasUnavailable", message, now_s)


def _available_min(deployment: Obj) -> int:
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return int(deployment["spec"].get("replicas", 1))
    return Bounds.of(deployment).available_min


def _progressing(deployment: Obj, sets: Sets, counts: Obj, now_s: float) -> Obj | None:
    """Once complete it stays so until the template changes: scaling is no rollout."""
    seen = condition_of(deployment, "Progressing")
    if _deadline_s(deployment) is None:
        return None
    if deployment["spec"].get("paused"):
        return _condition(deployment, "Progressing", "Unknown", PAUSED, "Deployment is paused", now_s)
    name = sets.new["metadata"]["name"] if sets.new is not None else deployment["metadata"]["name"]
    settled = counts["replicas"] == counts["updatedReplicas"]
    if seen and seen["reason"] == COMPLETE and settled and _names(seen, name):
        return seen
    if is_complete(deployment, counts):
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return _condition(deployment, "Progressing", "True", COMPLETE, message, now_s)
    if not seen or (seen["reason"] != PAUSED and not _names(seen, name)):
        return _moved(deployment, CREATED, f'Created new replica set "{name}"', now_s)
    if seen["reason"] in (COMPLETE, PAUSED) or _has_moved(_before(deployment), counts):
        return _moved(deployment, UPDATED, f'ReplicaSet "{name}" is progressing.', now_s)
    if seen["reason"] != TIMED_OUT and _deadline_in_s(deployment, seen, now_s) is None:
        message = f'ReplicaSet "{name}" has timed out progressing.'
        return _condition(deployment, "Progressing", "False", TIMED_OUT, message, now_s)
    return seen


def _names(condition: Obj, replica_set: str) -> bool:
    return f'"{replica_set}"' in condition.get("message", "")


def _has_moved(old: Obj, new: Obj) -> bool:
    def grew(key: str) -> bool:
        return bool(new[key] > old.get(key, 0))

    left_before = old.get("replicas", 0) - old.get("updatedReplicas", 0)
    left = new["replicas"] - new["updatedReplicas"]
    return grew("updatedReplicas") or grew("readyReplicas") or grew("availableReplicas") or left < left_before


def _moved(deployment: Obj, reason: str, message: str, now_s: float) -> Obj:
    """Progress: the deadline counts from now."""
    condition = _condition(deployment, "Progressing", "True", reason, message, now_s)
    return {**condition, "lastUpdateTime": rfc3339(now_s)}


def _deadline_s(deployment: Obj) -> float | None:
    deadline_s = deployment["spec"].get("progressDeadlineSeconds")
    return None if deadline_s is None or deadline_s >= DEADLINE_MAX_S else float(deadline_s)


def _deadline_in_s(deployment: Obj, progressing: Obj | None, now_s: float) -> float | None:
    """Seconds until the rollout is too late; None when it is, or is not under way."""
    deadline_s = _deadline_s(deployment)
    if deadline_s is None or progressing is None or progressing["reason"] in (COMPLETE, TIMED_OUT, PAUSED):
        return None
    left_s = seconds(progressing.get("lastUpdateTime")) + deadline_s - now_s
    return left_s if left_s > 0 else None


def _failures(sets: Sets) -> Iterator[Obj]:
    """The new ReplicaSet's trouble, else an old one's."""
    for replica_set in (sets.new, *sets.old):
        failure = condition_of(replica_set or {}, "ReplicaFailure")
        if failure:
            yield {"lastUpdateTime": failure.get("lastTransitionTime", ""), **failure}
            return


def _condition(deployment: Obj, type_: str, status: str, reason: str, message: str, now_s: float) -> Obj:
    """The condition as it was if it says the same; times move only with what they tell of."""
    seen = condition_of(deployment, type_)
    now = rfc3339(now_s)
    changed = now
    if seen:
        if (seen["status"], seen["reason"], seen.get("message")) == (status, reason, message):
            return seen
        if seen["status"] == status:
            changed = seen["lastTransitionTime"]
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": changed,
    }
