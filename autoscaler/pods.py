"""How many pods each revision has, by state: kept up to date event by event, read in one look-up.

Knows pods as JSON; lists nothing. Source: spec autoscaling 4.2 (pod counts). A pod that has passed an activator's
probe counts as ready from then on, though Kubernetes says so half a second later: requests go to it already.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from swell.api import labels
from swell.api.meta import Key, Obj, condition_of


class State(Enum):
    """Where a pod stands, as far as scaling goes."""

    PENDING = "pending"
    NOT_READY = "not_ready"
    READY = "ready"
    TERMINATING = "terminating"


class Owner(NamedTuple):
    """Whose pod it is. The uid tells a revision from an earlier one of that name; "" if it is not told."""

    revision: Key
    uid: str


def owner_of(obj: Obj) -> Owner | None:
    """The revision that an object is labelled with; None without that label."""
    meta = obj["metadata"]
    found = meta.get("labels") or {}
    name = found.get(labels.REVISION)
    return Owner(Key(meta["namespace"], name), found.get(labels.REVISION_UID, "")) if name else None


def state_of(pod: Obj) -> State | None:
    """The state that counts; None for a pod that has ended."""
    status = pod.get("status") or {}
    phase = status.get("phase")
    if phase == "Pending":
        return State.PENDING
    if phase != "Running":
        return None
    if pod["metadata"].get("deletionTimestamp"):
        return State.TERMINATING
    return State.READY if condition_of(pod).get("status") == "True" else State.NOT_READY


class PodCounts:
    """Counts of pods. A revision without pods takes no memory.

    `_proven` holds the uids of pods that are ready by a probe only; Kubernetes' own word ends that.
    """

    def __init__(self) -> None:
        self._counts: dict[Owner, dict[State, int]] = {}
        self._proven: set[str] = set()

    def changed(self, old: Obj | None, new: Obj | None) -> set[Owner]:
        """Take in one event of a pod; returns the revisions whose counts it has changed."""
        before = self._counted(old)
        if old is not None and not (new is not None and _uid(new) == _uid(old) and _may_be_proven(new)):
            self._proven.discard(_uid(old))
        return self._moved(before, self._counted(new))

    def proven(self, pod: Obj) -> set[Owner]:
        """A pod has passed a probe; returns the revisions whose counts that has changed."""
        before = self._counted(pod)
        if before is not None and _may_be_proven(pod):
            self._proven.add(_uid(pod))
        return self._moved(before, self._counted(pod))

    def ready(self, owner: Owner) -> int:
        """Pods that run, are ready and stay."""
        return self.count(owner, State.READY)

    def count(self, owner: Owner, state: State) -> int:
        """Pods in one state."""
        return self._counts.get(owner, {}).get(state, 0)

    def _counted(self, pod: Obj | None) -> tuple[Owner, State] | None:
        if pod is None:
            return None
        owner, state = owner_of(pod), state_of(pod)
        if owner is None or state is None:
            return None
        return owner, State.READY if _uid(pod) in self._proven else state

    def _moved(self, before: tuple[Owner, State] | None, after: tuple[Owner, State] | None) -> set[Owner]:
        if before == after:
            return set()
        for counted, change in ((before, -1), (after, +1)):
            if counted is not None:
                self._add(*counted, change)
        return {counted[0] for counted in (before, after) if counted is not None}

    def _add(self, owner: Owner, state: State, change: int) -> None:
        counts = self._counts.setdefault(owner, {})
        counts[state] = counts.get(state, 0) + change
        if not any(counts.values()):
            del self._counts[owner]


def _uid(pod: Obj) -> str:
    return str(pod["metadata"]["uid"])


def _may_be_proven(pod: Obj) -> bool:
    """It is not ready yet by Kubernetes, is not going, and none of its containers has ended so far."""
    if "deletionTimestamp" in pod["metadata"] or state_of(pod) not in (State.PENDING, State.NOT_READY):
        return False
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return not any(each.get("restartCount") or "terminated" in (each.get("state") or {}) for each in containers)
