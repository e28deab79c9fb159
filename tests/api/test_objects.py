"""Objects as typed values: what is read is what is written."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.admission import admit
from swell.api.autoscaling import Annotations, PodAutoscaler
from swell.api.fields import Malformed
from swell.api.kinds import DEPLOYMENT, NODE, POD, SERVICE
from swell.api.meta import controller_of, is_controlled_by, key_of, owner_reference
from swell.api.podspec import protocol, serving_container, serving_index, user_port
from swell.api.serving import Configuration, Revision, Route, Service, is_failed, is_ready
from swell.testing.objects import configuration, revision, revision_template, route, service

Obj = dict[str, Any]

STATUS: Obj = {
    "observedGeneration": 2,
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
}
TRAFFIC = [{"revisionName": "svc-00001", "percent": 0, "latestRevision": False, "tag": "old", "url": "http://old"}]
REACH: Obj = {"url": "http://svc", "address": {"url": "http://svc.ns.svc"}, "traffic": TRAFFIC}
LATEST: Obj = {"latestCreatedRevisionName": "svc-00002", "latestReadyRevisionName": "svc-00001"}


@pytest.mark.parametrize(
    ("parse", "obj", "status"),
    [
        (Service, service(), {**STATUS, **REACH, **LATEST}),
        (Configuration, configuration(), {**STATUS, **LATEST}),
        (Route, route(traffic=[{"revisionName": "r", "percent": 100}]), {**STATUS, **REACH}),
        (
            Revision,
            revision(),
            {**STATUS, "containerStatuses": [{"name": "a", "imageDigest": "x"}], "actualReplicas": 0},
        ),
    ],
)
def test_an_object_survives_being_read_and_written(parse: Any, obj: Obj, status: Obj) -> None:
    whole = {**admit(obj, user="alice").obj, "status": status}
    whole["metadata"] |= {"generation": 2, "uid": "u", "labels": {"a": "b"}}
    assert parse.parse(whole).to_obj() == whole


def test_a_pod_autoscaler_survives_too_and_zero_is_said() -> None:
    obj: Obj = {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": "r", "namespace": "ns"},
        "spec": {
            "containerConcurrency": 0,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "protocolType": "h2c",
            "reachability": "Unreachable",
        },
        "status": {**STATUS, "serviceName": "", "metricsServiceName": "", "desiredScale": 0, "actualScale": 0},
    }
    assert PodAutoscaler.parse(obj).to_obj() == obj


def test_ready_counts_only_at_the_present_generation() -> None:
    obj = {**service(), "status": STATUS}
    assert not is_ready(Service.parse(obj))
    obj["metadata"]["generation"] = 2
    assert is_ready(Service.parse(obj))
    assert not is_failed(Service.parse(obj))


def test_a_field_of_the_wrong_type_is_named() -> None:
    bad = service(template=revision_template(timeoutSeconds="soon"))
    with pytest.raises(Malformed, match=r"spec\.template\.spec\.timeoutSeconds: found string 'soon'"):
        Service.parse(bad)


def test_annotations_that_do_not_parse_count_as_absent() -> None:
    prefix = "autoscaling.knative.dev/"
    found = Annotations({f"{prefix}window": "90s", f"{prefix}target": "x", f"{prefix}maxScale": "3"})
    assert (found.window_s(), found.target(), found.max_scale(), found.min_scale()) == (90.0, None, 3, None)
    assert Annotations({f"{prefix}metricAggregationAlgorithm": "weightedExponential"}).aggregation() == (
        "weighted-exponential"
    )


def test_the_first_spelling_that_is_present_counts_even_if_empty() -> None:
    prefix = "autoscaling.knative.dev/"
    assert Annotations({f"{prefix}min-scale": "", f"{prefix}minScale": "3"}).min_scale() is None


def test_the_container_that_serves() -> None:
    spec = {"containers": [{"image": "a"}, {"image": "b", "ports": [{"containerPort": 81, "name": "h2c"}]}]}
    assert serving_index(spec) == 1
    assert (user_port(spec), protocol(spec)) == (81, "h2c")
    assert (user_port({"containers": [{}]}), protocol({"containers": [{}]})) == (8080, "http1")
    with pytest.raises(LookupError, match="one of several containers must have ports"):
        serving_container({"containers": [{}, {}]})


def test_owners_and_keys() -> None:
    owner = {**service(), "metadata": {"name": "svc", "namespace": "ns", "uid": "1"}}
    child = {"metadata": {"name": "c", "namespace": "ns", "ownerReferences": [owner_reference(owner)]}}
    assert is_controlled_by(child, "1")
    assert not is_controlled_by(child, "2")
    assert controller_of({"metadata": {"ownerReferences": [owner_reference(owner, controller=False)]}}) is None
    assert str(key_of(child)) == "ns/c"


def test_paths_of_kinds() -> None:
    assert POD.path("ns", "p", "log") == "/api/v1/namespaces/ns/pods/p/log"
    assert DEPLOYMENT.path() == "/apis/apps/v1/deployments"
    assert NODE.path("ignored", "n") == "/api/v1/nodes/n"
    assert str(SERVICE) == "services.serving.knative.dev"
