"""What a reconciler wants done, as values, and the start and end of every status. Pure.

A `plan()` looks at what is, and says what should be: children to have, objects to change or delete, the
status, and what to tell people. `controller.apply` makes it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from swell.api.conditions import Condition, Conditions, ConditionSet, find
from swell.api.kinds import Kind
from swell.api.meta import Obj, ObjectMeta
from swell.api.statuses import Status
from swell.kube.apply import difference
from swell.kube.events import EventKind

S = TypeVar("S", bound=Status)


@dataclass(frozen=True, slots=True)
class Child:
    """An object to have: `wanted` as `swell.kube.apply.ensure` takes it, `seen` as the cache has it.

    `news`: what to tell of the parent once the child is created.
    """

    kind: Kind
    wanted: Obj
    seen: Obj | None = None
    news: str = ""

    @property
    def changes_spec(self) -> bool:
        """Whether this writes the spec of an object that is there, so that its status is out of date."""
        return self.seen is not None and "spec" in difference(self.wanted, self.seen)


@dataclass(frozen=True, slots=True)
class Patch:
    """A JSON merge patch of labels and annotations; None takes one away.

    With `version` it is refused if the object has changed since: for what several keys work on at once.
    """

    kind: Kind
    namespace: str
    name: str
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None]
    version: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """An object to delete, if it is still the same one."""

    kind: Kind
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class News:
    """An Event of the object that is reconciled."""

    kind: EventKind
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Effects, in the order in which they are made: writes, status, news; then the error is raised.

    `status` None leaves the status alone. `error`: somebody else's object is in the way, or the like; it is
    tried again, with a pause that grows.
    `requeue_after_s`: look again then, although nothing happened.
    """

    ensure: tuple[Child, ...] = ()
    patches: tuple[Patch, ...] = ()
    deletes: tuple[Delete, ...] = ()
    status: Status | None = None
    news: tuple[News, ...] = ()
    error: str = ""
    requeue_after_s: float | None = None


NOTHING = Plan()


def begin(rules: ConditionSet, meta: ObjectMeta, status: Status, now_s: float) -> Conditions:
    """The conditions that a reconcile starts from (spec api 5.1, 2 and 7)."""
    conditions = rules.initialize(status.conditions, now_s)
    if status.observed_generation != meta.generation:
        conditions = rules.observe_generation(conditions, now_s)
    return conditions


def finish(old: S, new: S, conditions: Conditions, meta: ObjectMeta) -> S:
    """`new` with these conditions, observed at this generation.

    A condition that is at the end what it was at the start keeps its time, whatever it went through between.
    """
    settled = tuple(_settled(condition, old.conditions) for condition in conditions)
    return replace(new, conditions=settled, observed_generation=meta.generation)


def _settled(condition: Condition, before: Conditions) -> Condition:
    was = find(before, condition.type)
    same = was is not None and replace(condition, last_transition_time=was.last_transition_time) == was
    return was if was is not None and same else condition
