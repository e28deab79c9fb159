"""The PodAutoscaler of a revision."""

from __future__ import annotations

from controller.resources.meta import child_annotations, exactly
from controller.resources.podautoscaler import make_podautoscaler, reachability
from swell.api import labels
from swell.api.kinds import REVISION
from swell.kube.apply import difference
from swell.testing.serving import owned_by, pod_spec, revision

NOTED = {labels.MIN_SCALE: "2", labels.CREATOR: "alice", labels.ROUTES: "svc"}


def test_case_22_it_scales_the_deployment_and_knows_the_protocol() -> None:
    spec = {**pod_spec(ports=[{"containerPort": 9000, "name": "h2c"}]), "containerConcurrency": 3}
    found = make_podautoscaler(revision(spec=spec, annotations=NOTED), "Reachable")
    assert found["spec"] == {
        "containerConcurrency": 3,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "svc-00001-deployment"},
        "protocolType": "h2c",
        "reachability": "Reachable",
    }
    assert found["metadata"]["name"] == "svc-00001"
    assert found["metadata"]["annotations"] == {labels.MIN_SCALE: "2", labels.CREATOR: "alice"}
    assert found["metadata"]["ownerReferences"] == [owned_by(REVISION, "svc-00001")]
    assert labels.ROUTING_STATE not in found["metadata"]["labels"]


def test_scaling_annotations_are_the_revisions_save_class_and_metric() -> None:
    seen = make_podautoscaler(revision(annotations=NOTED), "")
    seen["metadata"]["annotations"] |= {
        labels.AUTOSCALER_CLASS: "kpa",
        labels.METRIC: "rps",
        labels.TARGET: "5",
        "theirs": "x",
    }
    wanted = make_podautoscaler(revision(annotations={labels.MIN_SCALE: "3"}), "", seen)
    patch = difference(exactly(wanted, seen), seen)
    assert patch == {"metadata": {"annotations": {labels.MIN_SCALE: "3", labels.TARGET: None}}}


def test_reachability_follows_the_routing_state_unless_the_pods_are_hopeless() -> None:
    assert reachability(revision(state="active"), hopeless=False) == "Reachable"
    assert reachability(revision(state="active"), hopeless=True) == "Unreachable"
    assert reachability(revision(state="reserve"), hopeless=False) == "Unreachable"
    assert reachability(revision(state="pending"), hopeless=False) == ""


def test_a_reachability_that_is_not_known_any_more_is_taken_off() -> None:
    seen = make_podautoscaler(revision(), "Reachable")
    assert difference(exactly(make_podautoscaler(revision(), "", seen), seen), seen) == {"spec": {"reachability": None}}


def test_the_list_of_metrics_is_about_scaling_so_that_pods_are_not_replaced_because_of_it() -> None:
    noted = revision(annotations={labels.METRICS: "[{type: rps, target: 1}]", labels.CREATOR: "alice"})
    assert child_annotations(noted) == {labels.CREATOR: "alice"}
    seen = make_podautoscaler(noted, "")
    assert seen["metadata"]["annotations"][labels.METRICS] == "[{type: rps, target: 1}]"
    wanted = make_podautoscaler(revision(annotations={}), "", seen)
    assert labels.METRICS not in wanted["metadata"]["annotations"]
