"""Service -> Configuration and Route: what is made, and what the Service's conditions come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from controller.plan import Plan
from controller.service import Seen, plan
from swell.api import labels
from swell.api.conditions import conditions_to_obj
from swell.api.kinds import SERVICE
from swell.api.meta import Obj
from swell.kube.apply import difference
from swell.testing.serving import (
    NOW_S,
    condition,
    configuration,
    owned_by,
    revision,
    route,
    service,
    status,
    template,
)

LATEST = {"latestRevision": True, "percent": 100, "configurationName": "svc"}
OUT_OF_DATE_CONFIGURATION = "The Configuration is still working to reflect the latest desired specification."
OUT_OF_DATE_ROUTE = "The Route is still working to reflect the latest desired specification."
WAITING = 'Configuration "svc" is waiting for a Revision to become ready.'


def made(seen: Seen) -> dict[str, Obj]:
    """The children that a plan would create or change, by kind."""
    children = plan(seen, NOW_S).ensure
    return {
        child.kind.kind: child.wanted
        for child in children
        if child.seen is None or difference(child.wanted, child.seen)
    }


def summary(planned: Plan) -> dict[str, tuple[str, ...]]:
    """The conditions by type: status, reason and message, without what is empty."""
    assert planned.status is not None
    found = conditions_to_obj(planned.status.conditions)
    return {
        each["type"]: tuple(filter(None, (each["status"], each.get("reason"), each.get("message")))) for each in found
    }


def children(
    ready: Obj, routes: Obj, *, latest: str = "svc-00001", traffic: tuple[Obj, ...] = (), **names: Any
) -> dict[str, Obj]:
    """A Configuration and a Route as they are kept for `service()`, with these Ready conditions."""
    first = plan(Seen(service(**names)), NOW_S).ensure
    wanted = {child.kind.kind: child.wanted for child in first}
    configured = {
        **wanted["Configuration"],
        "metadata": {**wanted["Configuration"]["metadata"], "uid": "uid-c", "generation": 1},
        "status": status(1, [ready], latestCreatedRevisionName="svc-00001", latestReadyRevisionName=latest),
    }
    if "Route" not in wanted:
        return {"configuration": configured}
    routed = {
        **wanted["Route"],
        "metadata": {**wanted["Route"]["metadata"], "uid": "uid-r", "generation": 1},
        "status": status(1, [routes], url="http://svc.ns.example.com", traffic=list(traffic)),
    }
    return {"configuration": configured, "route": routed}


TRUE = condition("Ready", "True")
ALL_TO_FIRST = ({"revisionName": "svc-00001", "percent": 100, "latestRevision": True},)


def test_case_19_a_new_service_gets_a_configuration_and_a_route() -> None:
    annotations = {
        labels.KUBECTL_LAST_APPLIED: "{}",
        labels.ROLLOUT_DURATION: "5s",
        labels.CREATOR: "alice",
        labels.LAST_MODIFIER: "alice",
    }
    seen = Seen(service(labels={"team": "a"}, annotations=annotations))
    found = made(seen)
    assert found["Configuration"]["metadata"] == {
        "name": "svc",
        "namespace": "ns",
        "labels": {"team": "a", labels.SERVICE: "svc", labels.SERVICE_UID: "uid-svc"},
        "annotations": {labels.CREATOR: "alice", labels.LAST_MODIFIER: "alice", labels.ROUTES: "svc"},
        "ownerReferences": [owned_by(SERVICE, "svc")],
    }
    assert found["Configuration"]["spec"] == {"template": template()}
    assert found["Route"]["metadata"]["labels"] == {"team": "a", labels.SERVICE: "svc"}
    assert found["Route"]["metadata"]["annotations"] == {
        labels.CREATOR: "alice",
        labels.LAST_MODIFIER: "alice",
        labels.ROLLOUT_DURATION: "5s",
    }
    assert found["Route"]["spec"] == {"traffic": [LATEST]}
    assert [child.news for child in plan(seen, NOW_S).ensure] == ['Created Configuration "svc"', 'Created Route "svc"']


@dataclass(frozen=True)
class Case:
    name: str
    seen: Seen
    want: dict[str, tuple[str, ...]]
    error: str = ""


NAMED = {"revision_template": template(name="svc-v1")}
CASES = [
    Case(
        "case 19: nothing there yet: out of date, in the Route's words",
        Seen(service()),
        {
            "ConfigurationsReady": ("Unknown", "OutOfDate", OUT_OF_DATE_CONFIGURATION),
            "RoutesReady": ("Unknown", "OutOfDate", OUT_OF_DATE_ROUTE),
            "Ready": ("Unknown", "OutOfDate", OUT_OF_DATE_ROUTE),
        },
    ),
    Case(
        "both ready, traffic where it should be",
        Seen(service(), **children(TRUE, TRUE, traffic=ALL_TO_FIRST)),
        {"ConfigurationsReady": ("True",), "RoutesReady": ("True",), "Ready": ("True",)},
    ),
    Case(
        "case 30b: the Route is ready, but on an older revision",
        Seen(service(), **children(TRUE, TRUE, latest="svc-00002", traffic=ALL_TO_FIRST)),
        {
            "ConfigurationsReady": ("True",),
            "RoutesReady": ("Unknown", "TrafficNotMigrated", "Traffic is not yet migrated to the latest revision."),
            "Ready": ("Unknown", "TrafficNotMigrated", "Traffic is not yet migrated to the latest revision."),
        },
    ),
    Case(
        "case 30c: both failed: Ready carries the Route's reason",
        Seen(
            service(),
            **children(
                condition("Ready", "False", "RevisionFailed", "c"), condition("Ready", "False", "RevisionMissing", "r")
            ),
        ),
        {
            "ConfigurationsReady": ("False", "RevisionFailed", "c"),
            "RoutesReady": ("False", "RevisionMissing", "r"),
            "Ready": ("False", "RevisionMissing", "r"),
        },
    ),
    Case(
        "both wait, and the revision tells nothing: Ready carries the Route's reason",
        Seen(
            service(),
            **children(condition("Ready", "Unknown"), condition("Ready", "Unknown", "RevisionMissing", WAITING)),
        ),
        {
            "ConfigurationsReady": ("Unknown",),
            "RoutesReady": ("Unknown", "RevisionMissing", WAITING),
            "Ready": ("Unknown", "RevisionMissing", WAITING),
        },
    ),
    Case(
        "both wait, and the revision tells why: Ready says it too",
        Seen(
            service(),
            **children(
                condition("Ready", "Unknown", "ErrImagePull", "no such image"),
                condition("Ready", "Unknown", "RevisionMissing", WAITING),
            ),
        ),
        {
            "ConfigurationsReady": ("Unknown", "ErrImagePull", "no such image"),
            "RoutesReady": ("Unknown", "RevisionMissing", WAITING),
            "Ready": ("Unknown", "ErrImagePull", "no such image"),
        },
    ),
    Case(
        "case 30d: a Configuration of that name is somebody else's",
        Seen(service(), configuration=configuration(owner=owned_by(SERVICE, "other")).to_obj()),
        {
            "ConfigurationsReady": (
                "False",
                "NotOwned",
                'There is an existing Configuration "svc" that we do not own.',
            ),
            "RoutesReady": ("Unknown",),
            "Ready": ("False", "NotOwned", 'There is an existing Configuration "svc" that we do not own.'),
        },
        error='Service: "svc" does not own Configuration: "svc"',
    ),
    Case(
        "a Route of that name is somebody else's",
        Seen(service(), route=route(owner=owned_by(SERVICE, "other")).to_obj()),
        {
            "ConfigurationsReady": ("Unknown", "OutOfDate", OUT_OF_DATE_CONFIGURATION),
            "RoutesReady": ("False", "NotOwned", 'There is an existing Route "svc" that we do not own.'),
            "Ready": ("False", "NotOwned", 'There is an existing Route "svc" that we do not own.'),
        },
        error='Service: "svc" does not own Route: "svc"',
    ),
    Case(
        "case 29: the revision's name is taken",
        Seen(
            service(**NAMED),
            **children(condition("Ready", "False", "RevisionFailed", "taken"), TRUE, **NAMED),
            named_revision=revision("svc-v1", of="other"),
        ),
        {
            "ConfigurationsReady": ("False", "RevisionFailed", "taken"),
            "RoutesReady": (
                "False",
                "RevisionNameTaken",
                'The revision name "svc-v1" is taken by a conflicting Revision, so traffic will not be migrated',
            ),
            "Ready": (
                "False",
                "RevisionNameTaken",
                'The revision name "svc-v1" is taken by a conflicting Revision, so traffic will not be migrated',
            ),
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_conditions(case: Case) -> None:
    planned = plan(case.seen, NOW_S)
    assert summary(planned) == case.want
    assert planned.error == case.error


def test_case_30a_a_named_revision_holds_the_route_back_until_the_configuration_has_seen_it() -> None:
    assert list(made(Seen(service(**NAMED)))) == ["Configuration"]


def test_case_29_a_taken_name_leaves_the_route_untouched() -> None:
    seen = Seen(service(**NAMED), **children(TRUE, TRUE, **NAMED), named_revision=revision("svc-v1", of="other"))
    assert "Route" not in made(seen)


def test_case_30e_two_targets_of_one_revision_count_as_one() -> None:
    halves = ({"revisionName": "svc-00001", "percent": 50}, {"revisionName": "svc-00001", "percent": 50})
    whole = ({"revisionName": "svc-00001", "percent": 100, "latestRevision": False},)
    first = plan(Seen(service(traffic=halves)), NOW_S).ensure
    routed = {**first[1].wanted, "status": status(1, [TRUE], traffic=list(whole))}
    routed["metadata"] = {**routed["metadata"], "generation": 1}
    assert summary(plan(Seen(service(traffic=halves), route=routed), NOW_S))["RoutesReady"] == ("True",)


def test_what_is_as_it_should_be_is_not_written() -> None:
    assert made(Seen(service(), **children(TRUE, TRUE, traffic=ALL_TO_FIRST))) == {}


def test_a_changed_template_makes_the_configuration_out_of_date_at_once() -> None:
    before = children(TRUE, TRUE, traffic=ALL_TO_FIRST)
    seen = Seen(service(revision_template=template(image="other")), **before)
    assert list(made(seen)) == ["Configuration"]
    assert summary(plan(seen, NOW_S))["ConfigurationsReady"][1] == "OutOfDate"


def test_case_c3_what_is_taken_off_the_service_is_taken_off_its_children() -> None:
    noted = {"labels": {"team": "a"}, "annotations": {"note": "x"}}
    seen = Seen(service(), **children(TRUE, TRUE, **noted))
    for child in plan(seen, NOW_S).ensure:
        patch = difference(child.wanted, child.seen or {})
        assert patch["metadata"] == {"labels": {"team": None}, "annotations": {"note": None}}


def test_other_routes_stay_marked_on_the_configuration() -> None:
    marked = configuration(annotations={labels.ROUTES: "blue"}).to_obj()
    found = made(Seen(service(), configuration=marked))
    assert found["Configuration"]["metadata"]["annotations"][labels.ROUTES] == "blue,svc"


def test_a_condition_that_ends_as_it_began_keeps_its_time() -> None:
    before = [condition("ConfigurationsReady", "True"), condition("Ready", "True"), condition("RoutesReady", "True")]
    old = service(status=status(1, before))
    planned = plan(Seen(old, **children(TRUE, TRUE, traffic=ALL_TO_FIRST)), NOW_S + 1000)
    assert planned.status is not None
    assert conditions_to_obj(planned.status.conditions) == before
