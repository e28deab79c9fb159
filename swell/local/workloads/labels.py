"""Label selectors as objects spell them, and the claim of a controller on what they select. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from swell.api.meta import Obj, controller_of


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a `LabelSelector` selects these labels. One that is empty or absent selects nothing here:
    a workload that claimed everything would be a mistake."""
    wanted = (selector or {}).get("matchLabels") or {}
    expressions = (selector or {}).get("matchExpressions") or ()
    if not wanted and not expressions:
        return False
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in expressions
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = str(expression["key"]), str(expression["operator"])
    values = expression.get("values") or ()
    if operator in ("In", "NotIn"):
        return (operator == "In") == (labels.get(key) in values)
    return (operator == "Exists") == (key in labels)


def labels_of(obj: Obj) -> Mapping[str, str]:
    labels: Mapping[str, str] = obj["metadata"].get("labels") or {}
    return labels


@dataclass(frozen=True, slots=True)
class Claim:
    """What an owner has, what it should adopt, and what it should let go."""

    owned: list[Obj]
    adopt: list[Obj]
    release: list[Obj]


def claim(owner: Obj, owned: Iterable[Obj], orphans: Iterable[Obj]) -> Claim:
    """By the owner's selector: `owned` are those it controls, `orphans` those of its namespace without a controller.

    An owner that is being deleted adopts and releases nothing.
    """
    owned = list(owned)
    if "deletionTimestamp" in owner["metadata"]:
        return Claim(owned, [], [])
    selector = owner["spec"].get("selector")
    kept = [obj for obj in owned if selects(selector, labels_of(obj))]
    lost = [obj for obj in owned if not selects(selector, labels_of(obj)) and _stays(obj)]
    found = [obj for obj in orphans if _stays(obj) and selects(selector, labels_of(obj))]
    return Claim(kept, found, lost)


def orphan_key(obj: Obj) -> Iterable[str]:
    """For an index: the namespace of an object that nobody controls."""
    return () if controller_of(obj) is not None else (obj["metadata"].get("namespace", ""),)


def controller_key(obj: Obj) -> Iterable[str]:
    """For an index: the uid of the object's controller."""
    controller = controller_of(obj)
    return () if controller is None else (controller["uid"],)


def _stays(obj: Obj) -> bool:
    return "deletionTimestamp" not in obj["metadata"]
