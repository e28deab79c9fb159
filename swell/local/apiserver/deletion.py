"""Delete: what goes at once, what is only marked because finalizers or a grace period keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from swell.api.kinds import NAMESPACE, POD
from swell.api.meta import Obj, rfc3339
from swell.kube.client import Propagation
from swell.local.apiserver.metadata import require_preconditions
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.writes import Caller, Writes, is_finished
from swell.runtime.clock import Clock

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"
POD_GRACE_S: Final = 30


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What the caller asks; `propagation` None leaves it to the finalizers that are there."""

    propagation: Propagation | None = None
    uid: str | None = None
    resource_version: str | None = None
    grace_s: int | None = None


class Deletion:
    """Deletes through the write path; the collector of owned objects does the rest."""

    def __init__(self, writes: Writes, clock: Clock) -> None:
        self._writes = writes
        self._clock = clock

    def delete(self, resource: Resource, obj: Obj, options: DeleteOptions, caller: Caller) -> tuple[Obj, bool]:
        """The object as it is afterwards, and whether it is gone. Raises `Conflict` on preconditions."""
        require_preconditions(resource, obj["metadata"], options.uid, options.resource_version)
        marked = self._marked(resource, obj, options)
        if caller.dry_run:
            return obj, is_finished(resource, marked)
        if is_finished(resource, marked):
            return self._writes.remove(resource, obj, _as_found(obj, marked)), True
        if marked == obj:
            return obj, False
        return self._writes.commit(resource, obj, marked), False

    def _marked(self, resource: Resource, obj: Obj, options: DeleteOptions) -> Obj:
        """`obj` as being deleted; a second delete can only shorten the grace period."""
        meta = dict(obj["metadata"])
        finalizers = _finalizers(meta.get("finalizers") or [], options)
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        grace_s = _grace_s(resource, obj, options)
        first = "deletionTimestamp" not in meta
        if first or grace_s < meta.get("deletionGracePeriodSeconds", 0):
            meta["deletionTimestamp"] = rfc3339(self._clock.wall() + grace_s)
            meta["deletionGracePeriodSeconds"] = grace_s
        if first and "generation" in meta:
            meta["generation"] += 1
        marked = {**obj, "metadata": meta}
        if resource.kind == NAMESPACE:
            marked["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        return marked


def _as_found(obj: Obj, marked: Obj) -> Obj:
    """What watchers see last: a pod that was never marked shows no mark, one that was keeps it."""
    return marked if "deletionTimestamp" in obj["metadata"] else obj


def _finalizers(present: list[str], options: DeleteOptions) -> list[str]:
    if options.propagation is None:
        return present
    kept = [each for each in present if each not in (ORPHAN, FOREGROUND)]
    added = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND], "Background": []}[options.propagation]
    return kept + added


def _grace_s(resource: Resource, obj: Obj, options: DeleteOptions) -> int:
    """How long a pod may take to end; nothing else is given time, nor is a pod that runs nowhere."""
    if resource.kind != POD:
        return 0
    ended = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
    if ended or not obj["spec"].get("nodeName"):
        return 0
    if options.grace_s is not None:
        return max(0, options.grace_s)
    return int(obj["spec"].get("terminationGracePeriodSeconds", POD_GRACE_S))
