"""Deployment -> ReplicaSets: which is the new one, and how many replicas each may have now. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from swell.api.meta import Obj, owner_reference
from swell.local.workloads.pods import seconds, share

HASH_LABEL: Final = "pod-template-hash"
REVISION: Final = "deployment.kubernetes.io/revision"
_HASH_ALPHABET: Final = "bcdf2456789ghjklmnpqrstvwxz"
_HASH_CHARACTERS: Final = 10
_NOT_INHERITED: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION})


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a rollout may stray from the wanted number of pods."""

    replicas: int
    surge: int = 0
    unavailable: int = 0

    @classmethod
    def of(cls, deployment: Obj) -> Bounds:
        """Percentages of surge round up, of unavailable down; both 0 would stand still, so one may be unavailable."""
        spec = deployment["spec"]
        replicas: int = spec.get("replicas", 1)
        strategy = spec.get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return cls(replicas, 0, replicas)
        rolling = strategy.get("rollingUpdate") or {}
        surge = share(rolling.get("maxSurge", "25%"), replicas, up=True)
        unavailable = min(replicas, share(rolling.get("maxUnavailable", "25%"), replicas, up=False))
        return cls(replicas, surge, unavailable or (1 if surge == 0 else 0))

    @property
    def available_min(self) -> int:
        return max(0, self.replicas - self.unavailable)

    @property
    def pods_max(self) -> int:
        return self.replicas + self.surge


@dataclass(frozen=True, slots=True)
class Sets:
    """The ReplicaSets of a Deployment: the one of its present template, and those of former ones, oldest first."""

    new: Obj | None
    old: list[Obj] = field(default_factory=list)

    @classmethod
    def of(cls, deployment: Obj, replica_sets: Iterable[Obj]) -> Sets:
        by_age = sorted(replica_sets, key=_age)
        template = deployment["spec"]["template"]
        present = (each for each in by_age if "deletionTimestamp" not in each["metadata"])
        new = next((each for each in present if same_template(each["spec"]["template"], template)), None)
        return cls(new, [each for each in by_age if each is not new])

    def all(self) -> list[Obj]:
        return self.old if self.new is None else [*self.old, self.new]


def same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two pod templates are equal but for the hash that a ReplicaSet adds."""
    return _without_hash(one) == _without_hash(other)


def _without_hash(template: Mapping[str, Any]) -> Obj:
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {key: value for key, value in meta.items() if value}}


def template_hash(template: Mapping[str, Any], collisions: int) -> str:
    """A short name for a template, the same whenever it is asked; another one after each collision."""
    text = orjson.dumps([_without_hash(template), collisions], option=orjson.OPT_SORT_KEYS)
    number = int.from_bytes(hashlib.sha256(text).digest()[:8])
    letters = ""
    for _ in range(_HASH_CHARACTERS):
        number, digit = divmod(number, len(_HASH_ALPHABET))
        letters += _HASH_ALPHABET[digit]
    return letters


def make_replica_set(deployment: Obj, sets: Sets) -> Obj:
    """The ReplicaSet of the present template, with the replicas it may start with."""
    meta, spec = deployment["metadata"], deployment["spec"]
    hashed = template_hash(spec["template"], (deployment.get("status") or {}).get("collisionCount", 0))
    template_meta = dict(spec["template"].get("metadata") or {})
    labels = {**(template_meta.get("labels") or {}), HASH_LABEL: hashed}
    selector = spec["selector"]
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in _NOT_INHERITED}
    made: Obj = {
        "replicas": new_replicas(Bounds.of(deployment), sets),
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hashed}},
        "template": {**spec["template"], "metadata": {**template_meta, "labels": labels}},
    }
    if spec.get("minReadySeconds"):
        made["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{hashed}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {**annotations, REVISION: str(next_revision(sets))},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": made,
    }


def next_revision(sets: Sets) -> int:
    """The number of the present template: what the new one has, if it is the latest, else one more than all."""
    latest = max(map(revision_of, sets.old), default=0)
    found = revision_of(sets.new) if sets.new is not None else 0
    return found if found > latest else latest + 1


def revision_of(replica_set: Obj) -> int:
    text = (replica_set["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def new_replicas(bounds: Bounds, sets: Sets) -> int:
    """How many replicas the new ReplicaSet may have now, beside what the old ones have."""
    present = wanted(sets.new)
    if present >= bounds.replicas:
        return bounds.replicas
    room = bounds.pods_max - wanted(*sets.all())
    return min(bounds.replicas, present + max(0, room))


def old_replicas(bounds: Bounds, sets: Sets) -> list[tuple[Obj, int]]:
    """How many replicas each old ReplicaSet may keep; only those that change.

    First those go that are not available anyway, then, as far as enough stay available, the oldest.
    """
    new_unavailable = max(0, wanted(sets.new) - available(sets.new))
    spare = wanted(*sets.all()) - bounds.available_min - new_unavailable
    kept = {each["metadata"]["name"]: wanted(each) for each in sets.old}
    for each in sets.old:
        gone = min(spare, max(0, wanted(each) - available(each)))
        if gone > 0:
            kept[each["metadata"]["name"]] -= gone
            spare -= gone
    spare = min(spare, available(*sets.all()) - bounds.available_min)
    for each in sets.old:
        gone = min(spare, kept[each["metadata"]["name"]])
        if gone > 0:
            kept[each["metadata"]["name"]] -= gone
            spare -= gone
    changed = ((each, kept[each["metadata"]["name"]]) for each in sets.old)
    return [(each, replicas) for each, replicas in changed if replicas != wanted(each)]


def outdated(deployment: Obj, sets: Sets) -> list[Obj]:
    """Old ReplicaSets beyond `revisionHistoryLimit`, which have no pods any more."""
    limit: int = deployment["spec"].get("revisionHistoryLimit", 10)
    empty = [each for each in sets.old if not wanted(each) and not actual(each) and _is_current(each)]
    return empty[: max(0, len(empty) - limit)]


def wanted(*replica_sets: Obj | None) -> int:
    return sum(each["spec"].get("replicas", 1) for each in replica_sets if each is not None)


def actual(*replica_sets: Obj | None) -> int:
    return _count("replicas", replica_sets)


def ready(*replica_sets: Obj | None) -> int:
    return _count("readyReplicas", replica_sets)


def available(*replica_sets: Obj | None) -> int:
    return _count("availableReplicas", replica_sets)


def _count(key: str, replica_sets: Iterable[Obj | None]) -> int:
    return sum((each.get("status") or {}).get(key, 0) for each in replica_sets if each is not None)


def _is_current(replica_set: Obj) -> bool:
    meta, status = replica_set["metadata"], replica_set.get("status") or {}
    return "deletionTimestamp" not in meta and status.get("observedGeneration", 0) >= meta.get("generation", 1)


def _age(replica_set: Obj) -> tuple[float, int, str]:
    meta = replica_set["metadata"]
    return seconds(meta.get("creationTimestamp")), revision_of(replica_set), meta["name"]
