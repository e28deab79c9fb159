"""One row of the ledger: what a tick of one revision went by, what each rule came to, and what became of it.

Knows fields and types, not how rows are kept. Replayable: `decide()` on a row's inputs gives the row's answer.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.decision.decide import Decision, Observed, Panic, Targets, decide
from autoscaler.decision.rows import Target
from autoscaler.decision.rule import Rule

Records = NDArray[np.void]
"""An array of rows, of dtype `ROW`."""


class Kind(IntEnum):
    """What a row was written for; the numbers are kept on disk."""

    TICK = 0
    STEP = 1
    """The bounds came to something else, while the decision stood."""
    SCALED = 2
    """The Deployment's replicas were written."""


EXTRA: Final = ("concurrency", "rps", "cpu", "memory", "prometheus", "json", "floor", "policy")
"""Rules that only some revisions have, in pods: what each metric asks for, the scheduled floor, the policy's answer."""
OTHER_METRICS: Final = EXTRA[:6]
OTHER_BOUNDS: Final = EXTRA[6:]

_TARGETS: Final = [(name, "?" if name == "reachable" else "f8") for name in Target._fields]

ROW: Final = np.dtype(
    [
        ("life", "i8"),  # which revision; one that is made anew under the same name is another
        ("number", "i8"),  # rows are numbered as they are written
        ("at_s", "f8"),
        ("kind", "u1"),
        ("changed", "?"),  # it came to something else than the row before
        # Inputs of the decision. `since_s` and `pods_max` are the panic state before it.
        ("decided_s", "f8"),
        ("rps", "?"),
        ("stable", "f8"),
        ("panic", "f8"),
        ("ready_pods", "f8"),
        *_TARGETS,
        ("since_s", "f8"),
        ("pods_max", "f8"),
        ("delay_s", "f8"),
        ("panic_window_s", "f4"),
        # What each rule came to, and which one decided.
        ("asked_stable", "f8"),
        ("asked_panic", "f8"),
        ("down_limit", "f8"),
        ("up_limit", "f8"),
        ("want_stable", "f8"),
        ("want_panic", "f8"),
        *((f"extra_{name}", "f8") for name in EXTRA),
        ("rule", "u1"),
        # Its outcome: `decide()`'s answer and panic state, then with the scale-down delay in it.
        ("undelayed", "f8"),
        ("since_after_s", "f8"),
        ("pods_max_after", "f8"),
        ("desired", "f8"),
        ("excess_burst", "f8"),
        # Bounds and the way to zero. `active_from_s`: since when `activity` has been as it is.
        ("min_scale", "i4"),
        ("max_scale", "i4"),
        ("initial_scale", "i4"),
        ("initialized", "?"),
        ("scale_to_zero", "?"),
        ("activator", "?"),
        ("activity", "i1"),
        ("active_from_s", "f8"),
        ("retention_s", "f4"),
        ("grace_s", "f4"),
        ("start_s_max", "f4"),
        ("clamp", "u1"),
        ("want", "i4"),
        ("apply", "?"),
        # The Deployment's, before and after it was written last.
        ("replicas_before", "i4"),
        ("replicas", "i4"),
    ]
)
RAW: Final = np.dtype((np.void, ROW.itemsize))
"""A row as bytes: numpy copies rows of fields field by field, which takes 40 µs even for one."""
UNKNOWN: Final = -1
"""Of whole numbers that are not known."""


def blank(rows: int) -> Records:
    """Rows in which nothing is known."""
    found: Records = np.zeros(rows, ROW)
    for name in ROW.names or ():
        if ROW[name].kind == "f":
            found[name] = np.nan
        elif ROW[name].kind == "i":
            found[name] = UNKNOWN
    found["rule"] = Rule.UNDECIDED
    return found


def targets_of(rows: Records) -> Targets:
    """The targets that these rows' decisions went by."""
    return Targets(**{name: rows[name] for name in Target._fields})


def replay(rows: Records) -> Decision:
    """What `decide()` comes to on the rows' inputs: `undelayed`, `excess_burst` and the panic state after."""
    seen = Observed(rows["stable"], rows["panic"], rows["ready_pods"])
    return decide(rows["decided_s"], targets_of(rows), seen, Panic(rows["since_s"], rows["pods_max"]))


def converted(rows: NDArray[Any]) -> Records:
    """Rows of another version of this program: the fields that both have, the others not known."""
    found = blank(len(rows))
    for name in set(ROW.names or ()) & set(rows.dtype.names or ()):
        found[name] = rows[name]
    return found
