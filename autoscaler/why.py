"""Why a revision is as it is: the numbers of its ledger as one JSON document, with `explain`'s words beside them."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from autoscaler.decision.bounds import Clamp
from autoscaler.decision.rows import Target
from autoscaler.decision.rule import Rule
from autoscaler.explain import change_words, words
from autoscaler.ledger.ledger import ACTIVITIES, Ledger
from autoscaler.ledger.row import EXTRA, Kind, Records
from autoscaler.revisions import Revisions
from swell.api.meta import Key

CHANGES_MAX: Final = 10

_PARTS: Final = {
    "seen": {name: name for name in ("stable", "panic", "ready_pods")},
    "targets": {name: name for name in Target._fields} | {"panic_window_s": "panic_window_s", "delay_s": "delay_s"},
    "panic_before": {"since_s": "since_s", "pods_max": "pods_max"},
    "rules": {
        name: name
        for name in ("asked_stable", "asked_panic", "down_limit", "up_limit", "want_stable", "want_panic", "undelayed")
    },
    "panic_after": {"since_s": "since_after_s", "pods_max": "pods_max_after"},
    "extra": {name: f"extra_{name}" for name in EXTRA},
    "bounds": {
        name: name
        for name in (
            *("min_scale", "max_scale", "initial_scale", "initialized", "scale_to_zero", "activator"),
            *("active_from_s", "retention_s", "grace_s", "start_s_max", "apply"),
        )
    },
}
"""The parts of a document and their fields: name in the document -> field of the row."""


def why(key: Key, ledger: Ledger, revisions: Revisions, now_s: float, at: str | None = None) -> dict[str, Any]:
    """The document about one revision now, or `at` a time in unix seconds. `row` is None where nothing is kept.

    Times end in `_s` and are unix seconds; what is not known is None. Raises ValueError for an `at` that is no number.
    """
    at_s = now_s if at is None else _seconds(at)
    kept = ledger.of(key)
    before = kept[kept["at_s"] <= at_s]
    newest = before[-1:] if at is not None else ledger.latest(key)
    row = document(newest) if newest is not None and len(newest) else None
    changes = ledger.changes_of(key)
    changes = changes[changes["at_s"] <= at_s]
    live = revisions.watched(key, now_s) if at is None else {}
    return {
        "revision": str(key),
        "at_s": at_s,
        "kept": {"from_s": float(kept["at_s"][0]), "to_s": float(kept["at_s"][-1]), "rows": len(kept)}
        if len(kept)
        else None,
        "row": row,
        "live": live or None,
        "text": words(row, live, at_s) if row is not None else None,
        "changes": _changes(changes),
    }


def document(row: Records) -> dict[str, Any]:
    """One row (an array of one) as JSON."""
    parts = {part: {name: _plain(row[field][0]) for name, field in fields.items()} for part, fields in _PARTS.items()}
    parts["extra"] = {name: value for name, value in parts["extra"].items() if value is not None}
    rule, clamp = Rule(row["rule"][0]), Clamp(row["clamp"][0])
    activity = int(row["activity"][0])
    return {
        "at_s": float(row["at_s"][0]),
        "decided_s": _plain(row["decided_s"][0]),
        "kind": Kind(row["kind"][0]).name.lower(),
        "metric": "rps" if row["rps"][0] else "concurrency",
        **parts,
        "active": None if activity < 0 else ACTIVITIES[activity].value,
        "rule": rule.name.lower(),
        "clamp": clamp.name.lower(),
        "desired": _count(row["desired"][0]),
        "excess_burst": _count(row["excess_burst"][0]),
        "want": _count(row["want"][0]),
        "replicas_before": _count(row["replicas_before"][0]),
        "replicas": _count(row["replicas"][0]),
    }


def _changes(rows: Records) -> list[dict[str, Any]]:
    """The newest of what people call changes, the newest last."""
    told = []
    for index in range(len(rows) - 1, -1, -1):
        row = document(rows[index : index + 1])
        text = change_words(row)
        if text:
            told.append({"at_s": row["at_s"], "text": text, "before": row["replicas_before"], "after": row["replicas"]})
        if len(told) == CHANGES_MAX:
            break
    return told[::-1]


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"at={text}: unix seconds are wanted")
    return found


def _plain(value: Any) -> Any:
    found = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(found, float) and not math.isfinite(found) else found


def _count(value: Any) -> int | None:
    found = _plain(value)
    return None if found is None else int(found)
