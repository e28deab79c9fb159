"""Which revision a traffic target means, and what keeps it from being used."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from controller.traffic.targets import Fault, Known, merged, resolve
from swell.api import labels
from swell.api.meta import Obj
from swell.api.serving import Configuration, Revision
from swell.api.specs import TrafficTarget
from swell.testing.serving import condition, configuration, revision, route, status

TRUE, UNKNOWN, FALSE = (condition("Ready", value) for value in ("True", "Unknown", "False"))


def ready(name: str, condition: Obj = TRUE, **rest: str) -> Revision:
    return revision(name, status=status(1, [condition]), **rest)


def latest(name: str = "", condition: Obj = TRUE) -> Configuration:
    names = {"latestReadyRevisionName": name} if name else {}
    return configuration(status=status(1, [condition], **names))


def known(*revisions: Revision, svc: Configuration | None = None) -> Known:
    return Known({"svc": svc or latest("r1")}, {each.meta.name: each for each in revisions})


TO_LATEST: Obj = {"configurationName": "svc", "latestRevision": True, "percent": 100}


def to(name: str, percent: int = 100, tag: str = "") -> Obj:
    return {"revisionName": name, "percent": percent, **({"tag": tag} if tag else {})}


@dataclass(frozen=True)
class Case:
    name: str
    traffic: tuple[Obj, ...]
    known: Known
    fault: Fault


def missing(message: str, final: bool = True) -> Fault:
    return Fault("RevisionMissing", message, final)


CASES = [
    Case(
        "case 31a: no such configuration",
        (TO_LATEST,),
        Known(),
        Fault("ConfigurationMissing", 'Configuration "svc" referenced in traffic not found.'),
    ),
    Case("case 31b: no such revision", (to("r9"),), known(), missing('Revision "r9" referenced in traffic not found.')),
    Case(
        "case 31c: the configuration was never ready, and may become so",
        (TO_LATEST,),
        known(svc=latest(condition=UNKNOWN)),
        missing('Configuration "svc" is waiting for a Revision to become ready.', final=False),
    ),
    Case(
        "case 31d: the configuration was never ready, and has failed",
        (TO_LATEST,),
        known(svc=latest(condition=FALSE)),
        missing('Configuration "svc" does not have any ready Revision.'),
    ),
    Case(
        "case 31e: blue is ready, green is not yet",
        (to("r1", 50), to("r2", 50)),
        known(ready("r1"), ready("r2", UNKNOWN)),
        missing('Revision "r2" is not yet ready.', final=False),
    ),
    Case(
        "case 31f: another Service's revision",
        (to("r1"),),
        known(ready("r1", of="other")),
        Fault("RevisionNotOwned", 'Revision "r1" belongs to Service "other", not Service "svc".'),
    ),
    Case(
        "a revision that failed",
        (to("r1"),),
        known(ready("r1", FALSE)),
        missing('Revision "r1" failed to become ready.'),
    ),
    Case(
        "of two failures the last counts",
        (to("r8"), to("r9")),
        known(),
        missing('Revision "r9" referenced in traffic not found.'),
    ),
    Case(
        "one that is only not ready never replaces a failure",
        (to("r9"), to("r2")),
        known(ready("r2", UNKNOWN)),
        missing('Revision "r9" referenced in traffic not found.'),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_target_that_cannot_be_used(case: Case) -> None:
    assert resolve(route(traffic=case.traffic), case.known)[1] == case.fault


def test_the_latest_ready_revision_stands_for_its_configuration() -> None:
    found, fault = resolve(route(traffic=(TO_LATEST,)), known(ready("r1")))
    assert fault is None
    assert found == (TrafficTarget("r1", latest_revision=True, percent=100),)


def test_case_31f_a_route_of_its_own_may_send_anywhere() -> None:
    traffic = (to("r1"),)
    others = Known({"other": configuration("other")}, {"r1": ready("r1", of="other")})
    found, fault = resolve(route(traffic=traffic, owner=None, labels={}), others)
    assert (len(found), fault) == (1, None)


def test_a_revision_without_a_service_is_not_the_services() -> None:
    stray = revision("r1", status=status(1, [TRUE]), labels={labels.SERVICE: ""})
    _, fault = resolve(route(traffic=(to("r1"),)), known(stray))
    assert fault == Fault("RevisionNotOwned", 'Revision "r1" does not belong to Service "svc".')


def test_case_32_tagged_targets_keep_their_entries() -> None:
    traffic = (to("r1", 49, "one"), to("r2", 50, "two"), {**TO_LATEST, "percent": 1, "tag": "also-two"})
    found, fault = resolve(route(traffic=traffic), known(ready("r1"), ready("r2"), svc=latest("r2")))
    assert fault is None
    assert [(each.tag, each.revision_name, each.percent, each.latest_revision) for each in found] == [
        ("one", "r1", 49, False),
        ("two", "r2", 50, False),
        ("also-two", "r2", 1, True),
    ]


def test_equal_entries_are_added_up_where_the_first_stood() -> None:
    half = TrafficTarget("r1", percent=25)
    assert merged((half, TrafficTarget("r2", percent=50), half)) == (
        TrafficTarget("r1", percent=50),
        TrafficTarget("r2", percent=50),
    )
