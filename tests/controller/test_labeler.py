"""Which revisions are marked as used by a Route, and when the mark goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.caches import Caches
from controller.labeler import Seen, plan, see
from controller.plan import NOTHING, Patch
from controller.settings import Settings
from swell.api import labels
from swell.api.kinds import CONFIGURATION, REVISION, SERVICE
from swell.api.meta import Key, Obj, rfc3339
from swell.runtime.clock import SystemClock
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


def test_a_mark_that_was_there_before_its_route_stays_until_the_service_has_made_that() -> None:
    seen = Seen(
        "svc",
        None,
        (revision("r1", annotations=MARKED),),
        (configuration(annotations=MARKED, status=latest("r1")),),
        coming=True,
    )
    assert plan(seen, NOW_S) is NOTHING
    assert [patch.name for patch in plan(replace(seen, coming=False), NOW_S).patches] == ["svc", "r1"]


async def test_a_route_is_coming_as_long_as_its_service_is_there(cluster: Any) -> None:
    await cluster.stop()
    service = await cluster.apply()
    meta = {"namespace": "ns", "name": "svc", "annotations": MARKED}
    await cluster.kube.create(CONFIGURATION, {"metadata": meta, "spec": {"template": service["spec"]["template"]}})

    async def seen() -> Seen:
        caches = Caches(cluster.kube, Settings(), SystemClock())
        await caches.start()
        await caches.close()
        return see(Key("ns", "svc"), caches)

    found = await seen()
    assert ([each.meta.name for each in found.configurations], found.coming) == (["svc"], True)
    assert plan(found, NOW_S) is NOTHING
    await cluster.kube.delete(SERVICE, "ns", "svc")
    left = await seen()
    assert (left.coming, plan(left, NOW_S).patches[0].annotations) == (False, {labels.ROUTES: None})


def test_a_revision_that_never_had_traffic_stays_pending() -> None:
    idle = revision("r1", state="pending")
    seen = Seen("svc", route(traffic=(TO_LATEST,), status=on("r2")), (idle,), (configuration(status=latest("r2")),))
    assert [patch.kind for patch in plan(seen, NOW_S).patches] == [CONFIGURATION]
