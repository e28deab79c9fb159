"""Route -> URL, traffic by ready revisions, and one Kubernetes Service."""

from __future__ import annotations

from typing import Any

from controller.plan import Plan
from controller.route import Seen, plan
from controller.traffic.domains import Names
from controller.traffic.targets import Known
from swell.api import labels
from swell.api.kinds import CORE_SERVICE, ROUTE
from swell.api.meta import Obj
from swell.api.statuses import RouteStatus
from swell.config.domain import DomainConfig
from swell.config.network import NetworkConfig
from swell.kube.apply import difference
from swell.testing.serving import NOW_S, condition, configuration, owned_by, revision, route, status

NAMES = Names(DomainConfig({"example.com": {}}))
TRUE = condition("Ready", "True")
TO_LATEST: Obj = {"configurationName": "svc", "latestRevision": True, "percent": 100}
KNOWN = Known(
    {"svc": configuration(status=status(1, [TRUE], latestReadyRevisionName="r2"))},
    {name: revision(name, status=status(1, [TRUE])) for name in ("r1", "r2")},
)


def planned(*traffic: Obj, names: Names = NAMES, placeholder: Obj | None = None, **rest: Any) -> Plan:
    return plan(Seen(route(traffic=traffic, **rest), KNOWN, placeholder, names), NOW_S)


def reach(found: Plan) -> RouteStatus:
    assert isinstance(found.status, RouteStatus)
    return found.status


def summary(found: Plan) -> dict[str, tuple[str, ...]]:
    conditions = reach(found).conditions
    return {each.type: tuple(filter(None, (each.status, each.reason, each.message))) for each in conditions}


def test_case_35_a_public_route_without_tags() -> None:
    found = planned(TO_LATEST)
    assert reach(found).url == "http://svc.ns.example.com"
    assert reach(found).address_url == "http://svc.ns.svc.cluster.local"
    assert [target.to_obj() for target in reach(found).traffic] == [
        {"revisionName": "r2", "percent": 100, "latestRevision": True}
    ]
    assert summary(found) == {
        "AllTrafficAssigned": ("True",),
        "CertificateProvisioned": ("True", "TLSNotEnabled", "external-domain-tls is not enabled"),
        "IngressReady": ("True",),
        "Ready": ("True",),
    }


def test_case_32_each_tag_has_a_url() -> None:
    old = {"revisionName": "r1", "percent": 49, "tag": "one"}
    found = planned(
        old, {"revisionName": "r2", "percent": 50, "tag": "two"}, {**TO_LATEST, "percent": 1, "tag": "also-two"}
    )
    assert [(target.percent, target.url) for target in reach(found).traffic] == [
        (49, "http://one-svc.ns.example.com"),
        (50, "http://two-svc.ns.example.com"),
        (1, "http://also-two-svc.ns.example.com"),
    ]


def test_case_33_a_tag_without_percent_is_shown_with_its_url() -> None:
    found = planned(TO_LATEST, {"revisionName": "r1", "percent": 0, "tag": "t"})
    assert reach(found).traffic[1].to_obj() == {
        "revisionName": "r1",
        "percent": 0,
        "latestRevision": False,
        "tag": "t",
        "url": "http://t-svc.ns.example.com",
    }


def test_case_34_a_route_for_the_cluster_only_has_its_url_inside() -> None:
    inside = "http://svc.ns.svc.cluster.local"
    labelled = planned(TO_LATEST, labels={labels.SERVICE: "svc", labels.VISIBILITY: "cluster-local"})
    assert reach(labelled).url == inside
    assert reach(planned(TO_LATEST, names=Names())).url == inside, "c: no domain is configured"
    service = planned(TO_LATEST).ensure[0].wanted
    service["metadata"]["labels"][labels.VISIBILITY] = "cluster-local"
    assert reach(planned(TO_LATEST, placeholder=service)).url == inside, "the Service is labelled by hand"


def test_the_port_that_users_see_is_in_every_url() -> None:
    names = Names(DomainConfig({"localhost": {}}), NetworkConfig(external_port=8080))
    found = planned({**TO_LATEST, "tag": "new"}, names=names)
    assert reach(found).url == "http://svc.ns.localhost:8080"
    assert reach(found).traffic[0].url == "http://new-svc.ns.localhost:8080"


def test_case_31e_traffic_stays_where_it_is_while_a_target_cannot_be_used() -> None:
    blue = {"revisionName": "r1", "percent": 100, "latestRevision": False}
    before = status(1, [TRUE], url="http://svc.ns.example.com", traffic=[blue])
    found = planned({"revisionName": "r1", "percent": 50}, {"revisionName": "r9", "percent": 50}, status=before)
    assert [target.to_obj() for target in reach(found).traffic] == [blue]
    message = 'Revision "r9" referenced in traffic not found.'
    assert summary(found)["AllTrafficAssigned"] == ("False", "RevisionMissing", message)
    assert summary(found)["Ready"] == ("False", "RevisionMissing", message)


def test_a_new_route_that_waits_says_for_what() -> None:
    waiting = Known({"svc": configuration(status=status(1, [condition("Ready", "Unknown")]))})
    found = plan(Seen(route(traffic=(TO_LATEST,)), waiting, names=NAMES), NOW_S)
    message = 'Configuration "svc" is waiting for a Revision to become ready.'
    assert summary(found)["Ready"] == ("Unknown", "RevisionMissing", message)
    assert reach(found).url == "http://svc.ns.example.com", "known before anybody answers there"
    assert reach(found).traffic == ()


def test_a_template_that_makes_no_host_is_told() -> None:
    names = Names(NAMES.domain, NetworkConfig(domain_template="{{.Name}}.{{.Labels.team}}.{{.Domain}}"))
    found = planned(TO_LATEST, names=names)
    assert summary(found)["AllTrafficAssigned"][:2] == ("False", "ErrorConfig")


def test_a_route_owns_one_service_that_points_at_the_front_door() -> None:
    child = planned(TO_LATEST, {"revisionName": "r1", "tag": "t", "percent": 0}, annotations={"note": "x"}).ensure[0]
    assert (child.kind, child.seen) == (CORE_SERVICE, None)
    assert child.wanted["metadata"] == {
        "name": "svc",
        "namespace": "ns",
        "labels": {labels.SERVICE: "svc", labels.ROUTE: "svc"},
        "annotations": {"note": "x"},
        "ownerReferences": [owned_by(ROUTE, "svc")],
    }
    assert child.wanted["spec"]["type"] == "ExternalName"
    assert child.wanted["spec"]["externalName"] == "activator-local.swell-system.svc.cluster.local"


def test_case_c3_what_the_service_was_labelled_with_stays() -> None:
    before = planned(TO_LATEST, annotations={"note": "x"}).ensure[0].wanted
    child = planned(TO_LATEST, placeholder=before).ensure[0]
    assert child.wanted["metadata"]["annotations"] == {"note": "x"}
    assert difference(child.wanted, before) == {}


def test_a_service_of_somebody_else_is_never_touched() -> None:
    foreign = {"metadata": {"name": "svc", "namespace": "ns", "uid": "x"}, "spec": {"clusterIP": "10.0.0.1"}}
    found = planned(TO_LATEST, placeholder=foreign)
    message = 'There is an existing placeholder Service "svc" that we do not own.'
    assert summary(found)["IngressReady"] == ("False", "NotOwned", message)
    assert found.ensure == ()
    assert found.error
