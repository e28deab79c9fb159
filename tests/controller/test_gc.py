"""Which revisions without traffic are deleted (case 44)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from controller.gc import Seen, plan
from swell.api import labels
from swell.api.meta import rfc3339
from swell.api.serving import Revision
from swell.config.gc import GcConfig
from swell.testing.serving import NOW_S, configuration, revision

DAY_S = 86400.0
LATER_S = NOW_S + 10 * DAY_S


def idle(number: int, *, active_s: float = NOW_S, state: str = "reserve", **annotations: str) -> Revision:
    """Made at NOW_S; the higher its number, the longer ago it was used."""
    last = rfc3339(active_s - number)
    noted = {labels.ROUTING_STATE_MODIFIED: last, **annotations}
    return revision(f"r{number}", number=number, state=state, annotations=noted)


@dataclass(frozen=True)
class Case:
    name: str
    revisions: tuple[Revision, ...]
    config: GcConfig
    now_s: float
    gone: tuple[str, ...]


STALE = tuple(idle(number) for number in range(1, 6))
CASES = [
    Case("a: 5 stale, keep 2", STALE, GcConfig(non_active_min=2), LATER_S, ("r5", "r4", "r3")),
    Case("b: 3 fresh, at most 2", STALE[:3], GcConfig(non_active_min=0, non_active_max=2), NOW_S + 1, ("r3",)),
    Case(
        "c: stale, but not to be collected",
        tuple(idle(number, **{labels.NO_GC: "True"}) for number in range(1, 4)),
        GcConfig(non_active_min=0),
        LATER_S,
        (),
    ),
    Case(
        "d: stale, but pending",
        tuple(idle(number, state="pending") for number in range(1, 4)),
        GcConfig(non_active_min=0),
        LATER_S,
        (),
    ),
    Case("e: 20 of them, stock settings", tuple(idle(n) for n in range(20)), GcConfig(), LATER_S, ()),
    Case("the latest ready one stays", (idle(0), idle(9)), GcConfig(non_active_min=0), LATER_S, ("r9",)),
    Case(
        "both limits off: nothing is stale",
        STALE,
        GcConfig(None, None, non_active_min=0, non_active_max=None),
        LATER_S,
        (),
    ),
    Case(
        "used a moment ago: not stale, however old",
        tuple(idle(number, active_s=LATER_S) for number in range(1, 4)),
        GcConfig(non_active_min=0),
        LATER_S,
        (),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_44_collection(case: Case) -> None:
    names = {"latestReadyRevisionName": "r0"}
    seen = Seen(configuration(status={"conditions": [], **names}), case.revisions, case.config)
    assert tuple(delete.name for delete in plan(seen, case.now_s).deletes) == case.gone


def test_it_looks_again_when_the_next_one_may_be_out_of_date() -> None:
    seen = Seen(configuration(), STALE[:2], GcConfig(non_active_min=0, retain_since_create_s=100.0))
    assert plan(seen, NOW_S + 40).requeue_after_s == 15 * 3600 - 2 - 40
