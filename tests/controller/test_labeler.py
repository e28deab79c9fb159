"""Which revisions are marked as used by a Route, and when the mark goes."""

from __future__ import annotations

from controller.labeler import Seen, plan
from controller.plan import Patch
from swell.api import labels
from swell.api.kinds import CONFIGURATION, REVISION
from swell.api.meta import Obj, rfc3339
from swell.testing.serving import NOW_S, condition, configuration, revision, route, status

TO_LATEST: Obj = {"configurationName": "svc", "latestRevision": True, "percent": 100}
MARKED = {labels.ROUTES: "svc"}


def on(name: str, ready: str = "True") -> Obj:
    return status(1, [condition("Ready", ready)], traffic=[{"revisionName": name, "percent": 100}])


def latest(name: str) -> Obj:
    return status(1, [], latestCreatedRevisionName=name)


def test_case_43_when_traffic_has_moved_the_old_revision_is_kept_in_reserve() -> None:
    seen = Seen(
        "svc",
        route(traffic=(TO_LATEST,), status=on("r2")),
        (revision("r1", annotations=MARKED), revision("r2", annotations=MARKED)),
        (configuration(annotations=MARKED, status=latest("r2")),),
    )
    changed = {labels.ROUTES: None, labels.ROUTING_STATE_MODIFIED: rfc3339(NOW_S)}
    assert plan(seen, NOW_S).patches == (Patch(REVISION, "ns", "r1", {labels.ROUTING_STATE: "reserve"}, changed),)


def test_nothing_is_cleared_while_the_route_is_not_settled() -> None:
    seen = Seen(
        "svc",
        route(traffic=(TO_LATEST,), status=on("r2", "Unknown")),
        (revision("r1", annotations=MARKED), revision("r2", annotations=MARKED)),
        (configuration(annotations=MARKED, status=latest("r2")),),
    )
    assert plan(seen, NOW_S).patches == ()


def test_what_a_new_route_uses_is_marked_and_so_is_what_it_is_about_to_use() -> None:
    seen = Seen(
        "svc",
        route(traffic=(TO_LATEST,), status=on("r1")),
        (revision("r1", state="pending"), revision("r2", state="reserve")),
        (configuration(status=latest("r2")),),
    )
    active = {labels.ROUTING_STATE: "active"}
    changed = {labels.ROUTES: "svc", labels.ROUTING_STATE_MODIFIED: rfc3339(NOW_S)}
    assert plan(seen, NOW_S).patches == (
        Patch(CONFIGURATION, "ns", "svc", {}, {labels.ROUTES: "svc"}),
        Patch(REVISION, "ns", "r1", active, changed),
        Patch(REVISION, "ns", "r2", active, changed),
    )


def test_a_revision_that_another_route_uses_stays_active() -> None:
    both = {labels.ROUTES: "blue,svc"}
    seen = Seen("svc", None, (revision("r1", annotations=both),), (configuration(annotations=both),))
    assert plan(seen, NOW_S).patches == (
        Patch(CONFIGURATION, "ns", "svc", {}, {labels.ROUTES: "blue"}),
        Patch(REVISION, "ns", "r1", {}, {labels.ROUTES: "blue"}),
    )


def test_a_deleted_routes_marks_go_unless_the_revision_goes_too() -> None:
    marked = revision("r1", annotations=MARKED)
    left = plan(Seen("svc", None, (marked,), (configuration(),)), NOW_S)
    assert [patch.name for patch in left.patches] == ["r1"]
    assert plan(Seen("svc", None, (marked,)), NOW_S).patches == ()


def test_a_revision_that_never_had_traffic_stays_pending() -> None:
    idle = revision("r1", state="pending")
    seen = Seen("svc", route(traffic=(TO_LATEST,), status=on("r2")), (idle,), (configuration(status=latest("r2")),))
    assert [patch.kind for patch in plan(seen, NOW_S).patches] == [CONFIGURATION]
