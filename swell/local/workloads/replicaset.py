"""ReplicaSet -> pods: how many to make, which to delete, and what to say about it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Final

from swell.api.kinds import POD, REPLICA_SET
from swell.api.meta import Key, Obj, rfc3339
from swell.kube.errors import KubeError, Unavailable
from swell.local.workloads.announcer import Announcer
from swell.local.workloads.cluster_cache import ClusterCache
from swell.local.workloads.pods import available_in_s, first_to_go, has_ended, is_active, is_ready, make_pod, seconds

ENDED_KEPT_MAX: Final = 3
"""Pods that ended are kept for people to look at; older ones go, and all of them with the last replica."""
REPLACE_FIRST_S: Final = 1.0
REPLACE_LAST_S: Final = 60.0
CREATES_MAX: Final = 500
"""Pods made in one go; the rest follows at once. The reference's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about one ReplicaSet's pods."""

    create: int = 0
    delete: list[Obj] = field(default_factory=list)
    requeue_after_s: float | None = None


def plan(replica_set: Obj, pods: list[Obj], now_s: float) -> Plan:
    """From the pods that it controls. Pods that ended are replaced, one that keeps ending more slowly each time."""
    if "deletionTimestamp" in replica_set["metadata"]:
        return Plan()
    replicas: int = replica_set["spec"].get("replicas", 1)
    active = [pod for pod in pods if is_active(pod)]
    spare = _spare_ended(pods, replicas)
    if len(active) > replicas:
        surplus = sorted(active, key=first_to_go)[: len(active) - replicas]
        return Plan(delete=[*surplus, *spare])
    missing = min(replicas - len(active), CREATES_MAX)
    wait_s = _pause_s([pod for pod in pods if has_ended(pod)], now_s) if missing else 0.0
    if wait_s > 0:
        return Plan(delete=spare, requeue_after_s=wait_s)
    return Plan(create=missing, delete=spare)


def _spare_ended(pods: list[Obj], replicas: int) -> list[Obj]:
    ended = [pod for pod in pods if has_ended(pod) and "deletionTimestamp" not in pod["metadata"]]
    newest_first = sorted(ended, key=_created_s, reverse=True)
    return newest_first[ENDED_KEPT_MAX if replicas else 0 :]


def _pause_s(ended: list[Obj], now_s: float) -> float:
    """A pod that ended is replaced at once; the second and third in a short time after a pause that doubles."""
    recent = [pod for pod in ended if now_s - _created_s(pod) < REPLACE_LAST_S]
    if len(recent) < 2:
        return 0.0
    pause_s = min(REPLACE_LAST_S, REPLACE_FIRST_S * 2.0 ** len(recent))
    return max(0.0, max(map(_created_s, recent)) + pause_s - now_s)


def _created_s(pod: Obj) -> float:
    return seconds(pod["metadata"].get("creationTimestamp"))


def make_status(replica_set: Obj, pods: list[Obj], failure: str, now_s: float) -> tuple[Obj, float | None]:
    """The status, and in how many seconds it changes by itself. `failure` is why pods could not be made, or ""."""
    active = [pod for pod in pods if is_active(pod)]
    min_ready_s = float(replica_set["spec"].get("minReadySeconds") or 0)
    waits = [available_in_s(pod, min_ready_s, now_s) for pod in active]
    labels: Obj = replica_set["spec"]["template"].get("metadata", {}).get("labels") or {}
    status: Obj = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(labels.items() <= pod["metadata"].get("labels", {}).items() for pod in active),
        "readyReplicas": sum(map(is_ready, active)),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "observedGeneration": replica_set["metadata"].get("generation", 1),
        "conditions": _conditions(replica_set, failure, now_s),
    }
    kept = {key: value for key, value in status.items() if value or key == "replicas"}
    return kept, min((wait for wait in waits if wait), default=None)


def _conditions(replica_set: Obj, failure: str, now_s: float) -> list[Obj]:
    if not failure:
        return []
    old = next(iter((replica_set.get("status") or {}).get("conditions") or ()), None)
    if old is not None and old.get("message") == failure:
        return [old]
    return [
        {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate",
            "message": failure,
            "lastTransitionTime": rfc3339(now_s),
        }
    ]


class ReplicaSets:
    """Reconciles one ReplicaSet at a time."""

    def __init__(self, cache: ClusterCache, announcer: Announcer) -> None:
        self._cache = cache
        self._announcer = announcer

    async def reconcile(self, key: Key) -> float | None:
        replica_set = self._cache.of(REPLICA_SET).get(*key)
        if replica_set is None:
            return None
        pods = await self._cache.settle(replica_set, POD)
        wanted = plan(replica_set, pods, self._cache.clock.wall())
        refusal = await self._create(replica_set, wanted.create)
        for pod in wanted.delete:
            await self._cache.delete(POD, pod)
            if is_active(pod):
                self._announcer.tell(replica_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        if refusal is not None:
            await self._tell(key, _without_names(replica_set, refusal.message))
            raise refusal  # for a pause that grows
        if wanted.create or wanted.delete:
            return None  # whoever runs the pods comes first; their changes lead back here for the status
        return _earliest(wanted.requeue_after_s, await self._tell(key, ""))

    async def _tell(self, key: Key, failure: str) -> float | None:
        replica_set = self._cache.of(REPLICA_SET).get(*key)
        if replica_set is None:
            return None
        pods = self._cache.claimed(replica_set, POD).owned
        status, changes_in_s = make_status(replica_set, pods, failure, self._cache.clock.wall())
        await self._cache.write_status(REPLICA_SET, replica_set, status)
        return changes_in_s

    async def _create(self, replica_set: Obj, count: int) -> KubeError | None:
        """Make pods until one is refused; returns the refusal. Raises `Unavailable`."""
        template = replica_set["spec"]["template"]
        for number in range(count):
            if number:
                await asyncio.sleep(0)  # others have work too: those who start the pods made so far
            try:
                pod = await self._cache.create(POD, make_pod(replica_set, template))
            except Unavailable:
                raise
            except KubeError as exc:
                message = f"Error creating: {_without_names(replica_set, exc.message)}"
                self._announcer.tell(replica_set, "FailedCreate", message, warning=True)
                return exc
            self._announcer.tell(replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return None


def _without_names(replica_set: Obj, message: str) -> str:
    """Each attempt has another name; the same refusal is to read the same, so that it is written once."""
    base = f"{replica_set['metadata']['name']}-"
    return re.sub(rf"{re.escape(base)}[a-z0-9]{{5}}\b", base, message)


def _earliest(*delays_s: float | None) -> float | None:
    return min((each for each in delays_s if each is not None), default=None)
