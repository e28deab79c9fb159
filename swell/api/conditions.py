"""The algebra of status conditions (spec api 5.1): pure functions over tuples, time as an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self, cast

from swell.api import fields
from swell.api.meta import Obj, parse_rfc3339, rfc3339

Status = Literal["True", "False", "Unknown"]
Conditions = tuple["Condition", ...]

TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"
READY: Final = "Ready"
INFO: Final = "Info"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `severity` is "" for those that decide readiness, "Info" for the others.

    `last_transition_time` is unix seconds, whole (that is what the wire keeps).
    """

    type: str
    status: Status = UNKNOWN
    reason: str = ""
    message: str = ""
    severity: str = ""
    last_transition_time: float = 0.0

    @property
    def is_true(self) -> bool:
        return self.status == TRUE

    @property
    def is_false(self) -> bool:
        return self.status == FALSE

    @property
    def is_unknown(self) -> bool:
        return self.status == UNKNOWN

    @classmethod
    def parse(cls, obj: Mapping[str, Any], path: str = "") -> Self:
        """From JSON. Raises `Malformed`."""
        status = fields.text(obj, "status", path) or UNKNOWN
        if status not in (TRUE, FALSE, UNKNOWN):
            raise fields.Malformed(fields.join(path, "status"), status, "True, False or Unknown")
        moved = fields.text(obj, "lastTransitionTime", path)
        try:
            moved_s = parse_rfc3339(moved) if moved else 0.0
        except ValueError as exc:
            raise fields.Malformed(fields.join(path, "lastTransitionTime"), moved, "an RFC 3339 timestamp") from exc
        return cls(
            type=fields.text(obj, "type", path),
            status=cast("Status", status),
            reason=fields.text(obj, "reason", path),
            message=fields.text(obj, "message", path),
            severity=fields.text(obj, "severity", path),
            last_transition_time=moved_s,
        )

    def to_obj(self) -> Obj:
        """As JSON, without what is empty."""
        found: Obj = {"type": self.type, "status": self.status}
        if self.severity:
            found["severity"] = self.severity
        if self.last_transition_time:
            found["lastTransitionTime"] = rfc3339(self.last_transition_time)
        if self.reason:
            found["reason"] = self.reason
        if self.message:
            found["message"] = self.message
        return found


def parse_conditions(status: Mapping[str, Any], path: str = "status") -> Conditions:
    """`status.conditions`, sorted by type. Raises `Malformed`."""
    items = fields.objects(status, "conditions", path)
    found = (Condition.parse(item, f"{path}.conditions[{index}]") for index, item in enumerate(items))
    return tuple(sorted(found, key=lambda condition: condition.type))


def conditions_to_obj(conditions: Iterable[Condition]) -> list[Obj]:
    """As JSON, in the order given."""
    return [condition.to_obj() for condition in conditions]


def find(conditions: Iterable[Condition], type: str) -> Condition | None:
    """The condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type), None)


@dataclass(frozen=True, slots=True)
class ConditionSet:
    """How one kind's conditions hang together: a top condition and the dependents it follows.

    Every method returns new conditions, sorted by type; `now` is unix seconds.
    """

    top: str = READY
    dependents: tuple[str, ...] = ()

    def initialize(self, conditions: Conditions, now: float) -> Conditions:
        """Add what is missing: top Unknown; dependents True if the top is, else Unknown."""
        top = find(conditions, self.top) or Condition(self.top)
        conditions = self._put(conditions, top, now)
        for type in self.dependents:
            if find(conditions, type) is None:
                conditions = self._put(conditions, Condition(type, TRUE if top.is_true else UNKNOWN), now)
        return conditions

    def mark_true(
        self, conditions: Conditions, type: str, now: float, reason: str = "", message: str = ""
    ) -> Conditions:
        """Set one condition True and work out the top one anew."""
        conditions = self._put(conditions, Condition(type, TRUE, reason, message), now)
        unhappy = self._unhappy(conditions)
        if unhappy is not None:
            top = replace(unhappy, type=self.top)
        elif type != self.top:
            top = Condition(self.top, TRUE)
        else:
            return conditions
        return self._put(conditions, top, now)

    def mark_false(self, conditions: Conditions, type: str, reason: str, message: str, now: float) -> Conditions:
        """Set one condition False; if the top one depends on it, it takes this reason (the last wins)."""
        fault = Condition(type, FALSE, reason, message)
        conditions = self._put(conditions, fault, now)
        if type in self.dependents:
            conditions = self._put(conditions, replace(fault, type=self.top), now)
        return conditions

    def mark_unknown(self, conditions: Conditions, type: str, reason: str, message: str, now: float) -> Conditions:
        """Set one condition Unknown; the top one follows unless some dependent is False."""
        doubt = Condition(type, UNKNOWN, reason, message)
        conditions = self._put(conditions, doubt, now)
        if any(condition.is_false for condition in self._of_dependents(conditions)):
            top = find(conditions, self.top)
            if top is None or not top.is_false:
                conditions = self._put(conditions, Condition(self.top, FALSE, reason, message), now)
        elif type in self.dependents:
            conditions = self._put(conditions, replace(doubt, type=self.top), now)
        return conditions

    def observe_generation(self, conditions: Conditions, now: float) -> Conditions:
        """What a reconcile starts from when the object's generation was not observed yet."""
        return self.mark_unknown(
            conditions, self.top, "NewObservedGenFailure", "unsuccessfully observed a new generation", now
        )

    def _of_dependents(self, conditions: Conditions) -> list[Condition]:
        return [condition for condition in conditions if condition.type in self.dependents]

    def _unhappy(self, conditions: Conditions) -> Condition | None:
        """The dependent that speaks for the top: False before Unknown, the latest to change first."""
        seen = sorted(self._of_dependents(conditions), key=lambda condition: -condition.last_transition_time)
        for status in (FALSE, UNKNOWN):
            for condition in seen:
                if condition.status == status:
                    return condition
        return Condition(self.top) if len(seen) < len(self.dependents) else None

    def _put(self, conditions: Conditions, wanted: Condition, now: float) -> Conditions:
        """Replace or add one; its transition time moves only if something else about it changes."""
        severity = "" if wanted.type == self.top or wanted.type in self.dependents else INFO
        old = find(conditions, wanted.type)
        since = float(int(now)) if old is None else old.last_transition_time
        wanted = replace(wanted, severity=severity, last_transition_time=since)
        if old == wanted:
            return conditions
        if old is not None:
            wanted = replace(wanted, last_transition_time=float(int(now)))
        others = [condition for condition in conditions if condition.type != wanted.type]
        return tuple(sorted([*others, wanted], key=lambda condition: condition.type))
