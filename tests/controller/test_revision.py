"""Revision -> Deployment and PodAutoscaler, and what the Revision's conditions come to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from controller.plan import Plan
from controller.resources.deployment import make_deployment
from controller.resources.pod_settings import PodSettings
from controller.revision import Seen, plan
from swell.api import labels
from swell.api.kinds import DEPLOYMENT, POD_AUTOSCALER, REVISION
from swell.api.meta import Obj
from swell.api.statuses import RevisionStatus
from swell.config.deployment import DeploymentConfig
from swell.config.observability import ObservabilityConfig
from swell.kube.apply import difference
from swell.testing.serving import NOW_S, condition, owned_by, revision, status

SETTINGS = PodSettings()
GETS_ON = condition("Progressing", "True", "ReplicaSetUpdated")
OVERDUE = condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out")
INITIALIZED = condition("ScaleTargetInitialized", "True")
NO_TRAFFIC = ("NoTraffic", "The target is not receiving traffic.")
BACK_OFF = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": 'no image "x": swell image add x DIR'}}}


def deployment(*conditions: Obj, replicas: int = 1, ready: int = 0, owner: Obj | None = None) -> Obj:
    made = make_deployment(revision(), SETTINGS)
    made["spec"]["replicas"] = replicas
    if owner is not None:
        made["metadata"]["ownerReferences"] = [owner]
    counts = {"readyReplicas": ready, "availableReplicas": ready} if ready else {}
    return {**made, "status": {"conditions": list(conditions), **counts}}


def podautoscaler(*conditions: Obj, owner: Obj | None = None, **scales: int) -> Obj:
    child = next(child for child in plan(Seen(revision(), SETTINGS), NOW_S).ensure if child.kind is POD_AUTOSCALER)
    meta = {**child.wanted["metadata"], "uid": "uid-pa"}
    if owner is not None:
        meta["ownerReferences"] = [owner]
    return {**child.wanted, "metadata": meta, "status": {"conditions": list(conditions), **scales}}


def pod(*, conditions: tuple[Obj, ...] = (), name: str = "pod-1", **container: Any) -> Obj:
    statuses = [{"name": "queue-proxy", **BACK_OFF}, {"name": "user-container", **container}]
    return {"metadata": {"name": name}, "status": {"conditions": list(conditions), "containerStatuses": statuses}}


def ended(code: int, message: str = "") -> Obj:
    return {"lastState": {"terminated": {"exitCode": code, "message": message}}}


def summary(planned: Plan) -> dict[str, tuple[str, ...]]:
    assert planned.status is not None
    return {
        each.type: tuple(filter(None, (each.status, each.reason, each.message))) for each in planned.status.conditions
    }


def reachability(planned: Plan) -> str:
    child = next(child for child in planned.ensure if child.kind is POD_AUTOSCALER)
    return str(child.wanted["spec"].get("reachability"))


@dataclass(frozen=True)
class Case:
    name: str
    deployment: Obj | None = None
    podautoscaler: Obj | None = None
    pod: Obj | None = None
    settings: PodSettings = SETTINGS
    want: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reachable: str = "Reachable"


DEPLOYING, T = ("Unknown", "Deploying"), ("True",)
STARTING = {"ResourcesAvailable": DEPLOYING, "ContainerHealthy": DEPLOYING, "Active": DEPLOYING, "Ready": DEPLOYING}
CASES = [
    Case("nothing there yet", want=STARTING),
    Case(
        "pods are on their way",
        deployment(GETS_ON),
        podautoscaler(),
        want={"ResourcesAvailable": DEPLOYING, "ContainerHealthy": DEPLOYING, "Active": DEPLOYING},
    ),
    Case(
        "ready pods do not suffice: the autoscaler must have seen them",
        deployment(GETS_ON, ready=1),
        podautoscaler(condition("Ready", "Unknown", "Queued", "q")),
        want={"ResourcesAvailable": DEPLOYING, "ContainerHealthy": T, "Active": ("Unknown", "Queued", "q")},
    ),
    Case(
        "started",
        deployment(GETS_ON, ready=1),
        podautoscaler(condition("Ready", "True"), INITIALIZED),
        want={"ResourcesAvailable": T, "ContainerHealthy": T, "Active": T, "Ready": T},
    ),
    Case(
        "case 23a: the app ended with 5 and said boom",
        deployment(GETS_ON),
        podautoscaler(),
        pod(**ended(5, "boom\n")),
        want={
            "ContainerHealthy": ("False", "ExitCode5", "Container failed with: boom"),
            "Ready": ("False", "ExitCode5", "Container failed with: boom"),
        },
        reachable="Unreachable",
    ),
    Case(
        "case 23b: the app ended with 0 and said nothing",
        deployment(GETS_ON),
        podautoscaler(),
        pod(**ended(0)),
        want={
            "ContainerHealthy": ("False", "ExitCode0", "Container failed with: container exited with no error"),
        },
        reachable="Unreachable",
    ),
    Case(
        "case 23c: the image cannot be had, there is time left: not failed, but told",
        deployment(GETS_ON),
        podautoscaler(condition("Ready", "Unknown", "Queued")),
        pod(**BACK_OFF),
        want={
            "ResourcesAvailable": ("Unknown", "ImagePullBackOff", 'no image "x": swell image add x DIR'),
            "Ready": ("Unknown", "ImagePullBackOff", 'no image "x": swell image add x DIR'),
        },
    ),
    Case(
        "case 23d: the same after the deadline",
        deployment(OVERDUE),
        podautoscaler(condition("Ready", "Unknown", "Queued")),
        pod(**BACK_OFF),
        want={
            "ResourcesAvailable": ("False", "ImagePullBackOff", 'no image "x": swell image add x DIR'),
            "Ready": ("False", "ImagePullBackOff", 'no image "x": swell image add x DIR'),
        },
        reachable="Unreachable",
    ),
    Case(
        "case 23e: no node takes the pod",
        deployment(GETS_ON),
        podautoscaler(),
        pod(conditions=(condition("PodScheduled", "False", "Unschedulable", "0/1 nodes"),)),
        want={"ResourcesAvailable": ("False", "Unschedulable", "0/1 nodes")},
        reachable="Unreachable",
    ),
    Case(
        "case 23f: the same where a node will come",
        deployment(GETS_ON),
        podautoscaler(),
        pod(conditions=(condition("PodScheduled", "False", "Unschedulable", "0/1 nodes"),)),
        PodSettings(deployment=DeploymentConfig(pod_is_always_schedulable=True)),
        want={"ResourcesAvailable": DEPLOYING},
    ),
    Case(
        "case 24a: the deadline has passed",
        deployment(OVERDUE),
        podautoscaler(),
        want={
            "ResourcesAvailable": ("False", "ProgressDeadlineExceeded", "has timed out"),
            "Ready": ("False", "ProgressDeadlineExceeded", "has timed out"),
        },
        reachable="Unreachable",
    ),
    Case(
        "case 24b: pods cannot be made",
        deployment(GETS_ON, condition("ReplicaFailure", "True", "FailedCreate", "quota")),
        podautoscaler(),
        want={
            "ResourcesAvailable": ("False", "FailedCreate", "quota"),
            "Ready": ("False", "FailedCreate", "quota"),
        },
        reachable="Unreachable",
    ),
    Case(
        "case 25a: at zero, after it was started: Ready all the same",
        deployment(GETS_ON, replicas=0),
        podautoscaler(condition("Ready", "False", *NO_TRAFFIC), INITIALIZED),
        want={"Ready": T, "Active": ("False", *NO_TRAFFIC), "ResourcesAvailable": T, "ContainerHealthy": T},
    ),
    Case(
        "case 25b: given up before it was ever started",
        deployment(GETS_ON),
        podautoscaler(condition("Ready", "False", *NO_TRAFFIC)),
        want={
            "ResourcesAvailable": ("False", "ProgressDeadlineExceeded", "Initial scale was never achieved"),
            "Active": ("False", *NO_TRAFFIC),
        },
    ),
    Case(
        "case 25d: being woken up again",
        deployment(GETS_ON),
        podautoscaler(condition("Ready", "Unknown", "Queued", "buffered"), INITIALIZED),
        want={"Ready": T, "Active": ("Unknown", "Queued", "buffered")},
    ),
    Case(
        "started once, and its image is gone at a later start: still Ready, as it was",
        deployment(GETS_ON),
        podautoscaler(condition("Ready", "Unknown", "Queued"), INITIALIZED),
        pod(**BACK_OFF),
        want={"Ready": T},
    ),
    Case(
        "started once, and pods cannot be made at a later start: told, to those who wait for one too",
        deployment(GETS_ON, condition("ReplicaFailure", "True", "FailedCreate", "quota")),
        podautoscaler(condition("Ready", "Unknown", "Queued"), INITIALIZED),
        want={"ResourcesAvailable": ("False", "FailedCreate", "quota"), "Ready": ("False", "FailedCreate", "quota")},
        reachable="Unreachable",
    ),
    Case(
        "case 26: never meant to have a pod at first",
        deployment(GETS_ON, replicas=0),
        podautoscaler(condition("Ready", "False", *NO_TRAFFIC), INITIALIZED, actualScale=0),
        want={"Ready": T, "Active": ("False", *NO_TRAFFIC)},
    ),
    Case(
        "a container that only starts is no trouble",
        deployment(GETS_ON),
        podautoscaler(),
        pod(state={"waiting": {"reason": "ContainerCreating"}}),
        want={"ResourcesAvailable": DEPLOYING},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Case) -> None:
    pods = (case.pod,) if case.pod else ()
    planned = plan(Seen(revision(), case.settings, case.deployment, case.podautoscaler, pods), NOW_S)
    found = summary(planned)
    assert {type: found[type] for type in case.want} == case.want
    assert reachability(planned) == case.reachable


def test_a_new_revision_gets_a_deployment_and_a_podautoscaler() -> None:
    planned = plan(Seen(revision(), SETTINGS), NOW_S)
    made = {child.kind: child.wanted for child in planned.ensure}
    assert made[DEPLOYMENT]["metadata"]["name"] == "svc-00001-deployment"
    assert made[POD_AUTOSCALER]["metadata"]["name"] == "svc-00001"
    for wanted in made.values():
        assert wanted["metadata"]["ownerReferences"] == [owned_by(REVISION, "svc-00001")]


def test_case_21_digests_are_kept_and_tags_taken_as_they_are() -> None:
    digest = "r.io/x@sha256:" + "0" * 64
    for image, want in (("kind.local/x:1", ""), ("hello", ""), (digest, digest)):
        spec = {"containers": [{"name": "user-container", "image": image}]}
        planned = plan(Seen(revision(spec=spec), SETTINGS), NOW_S)
        assert isinstance(planned.status, RevisionStatus)
        assert [each.image_digest for each in planned.status.container_statuses] == [want]
        made = next(child.wanted for child in planned.ensure if child.kind is DEPLOYMENT)
        assert made["spec"]["template"]["spec"]["containers"][0]["image"] == image


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            Seen(revision(), SETTINGS, deployment(owner=owned_by(REVISION, "other"))),
            'There is an existing Deployment "svc-00001-deployment" that we do not own.',
        ),
        (
            Seen(revision(), SETTINGS, deployment(GETS_ON), podautoscaler(owner=owned_by(REVISION, "other"))),
            'There is an existing PodAutoscaler "svc-00001" that we do not own.',
        ),
    ],
    ids=["Deployment", "PodAutoscaler"],
)
def test_a_child_of_somebody_else_is_never_touched(found: Seen, text: str) -> None:
    planned = plan(found, NOW_S)
    assert summary(planned)["ResourcesAvailable"] == ("False", "NotOwned", text)
    assert planned.error
    assert planned.ensure == ()


def test_replicas_are_copied_and_a_scale_that_is_not_known_is_left_out() -> None:
    seen = Seen(revision(), SETTINGS, deployment(GETS_ON), podautoscaler(actualScale=2, desiredScale=-1))
    planned = plan(seen, NOW_S)
    assert isinstance(planned.status, RevisionStatus)
    assert (planned.status.actual_replicas, planned.status.desired_replicas) == (2, None)


def test_becoming_ready_is_told_once() -> None:
    started = (deployment(GETS_ON, ready=1), podautoscaler(condition("Ready", "True"), INITIALIZED))
    first = plan(Seen(revision(), SETTINGS, *started), NOW_S)
    assert [news.reason for news in first.news] == ["RevisionReady"]
    assert first.status is not None
    again = plan(Seen(revision(status=first.status.to_obj()), SETTINGS, *started), NOW_S + 60)
    assert again.news == ()
    assert again.status == first.status


def test_what_is_as_it_should_be_is_not_written() -> None:
    planned = plan(Seen(revision(), SETTINGS, deployment(GETS_ON, replicas=7), podautoscaler()), NOW_S)
    assert [child.kind for child in planned.ensure] == [POD_AUTOSCALER]
    child = planned.ensure[0]
    assert child.seen is not None
    assert difference(child.wanted, child.seen) == {}


def test_changed_settings_reach_the_deployment_and_replicas_stay_the_autoscalers() -> None:
    settings = replace(SETTINGS, deployment=DeploymentConfig(queue_sidecar_image="queue:2"))
    seen = deployment(GETS_ON, replicas=7)
    planned = plan(Seen(revision(), settings, seen, podautoscaler()), NOW_S)
    child = next(child for child in planned.ensure if child.kind is DEPLOYMENT)
    patch = difference(child.wanted, seen)
    assert patch["spec"].keys() == {"template"}
    assert patch["spec"]["template"]["spec"]["containers"][-1]["image"] == "queue:2"
    assert patch["metadata"]["labels"].keys() == {labels.DEPLOYMENT_HASH}


def test_case_43_a_revision_without_traffic_is_unreachable() -> None:
    for state, want in (("active", "Reachable"), ("reserve", "Unreachable"), ("pending", "None")):
        assert reachability(plan(Seen(revision(state=state), SETTINGS), NOW_S)) == want


def test_the_pod_that_is_asked_is_one_that_stays() -> None:
    going = pod(name="pod-0", **ended(5, "boom"))
    going["metadata"]["deletionTimestamp"] = "2026-08-21T09:30:00Z"
    seen = Seen(revision(), SETTINGS, deployment(GETS_ON), podautoscaler(), (pod(**BACK_OFF), going))
    assert summary(plan(seen, NOW_S))["ContainerHealthy"] == DEPLOYING


def test_the_log_url_names_the_revisions_uid() -> None:
    settings = PodSettings(observability=ObservabilityConfig(revision_url_template="http://logs/${REVISION_UID}"))
    planned = plan(Seen(revision(), settings), NOW_S)
    assert isinstance(planned.status, RevisionStatus)
    assert planned.status.log_url == "http://logs/uid-svc-00001"


def test_a_failed_container_is_healthy_again_once_a_pod_is_ready() -> None:
    before = status(1, [condition("ContainerHealthy", "False", "ExitCode5", "Container failed with: boom")])
    started = (deployment(GETS_ON, ready=1), podautoscaler(condition("Ready", "True"), INITIALIZED))
    assert summary(plan(Seen(revision(status=before), SETTINGS, *started), NOW_S))["Ready"] == T
