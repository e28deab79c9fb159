"""What is read from Revision and Pod objects."""

from __future__ import annotations

from typing import Any

import pytest

from activator.gateway import Target
from activator.peers import place
from activator.pods import read_pod
from activator.revision import RevisionFacts, read_revision

Obj = dict[str, Any]


def pod(status: Obj | None = None, **meta: Any) -> Obj:
    return {
        "metadata": {
            "name": "hello-00001-x",
            "namespace": "default",
            "uid": "u1",
            "labels": {"serving.knative.dev/revision": "hello-00001"},
            **meta,
        },
        "spec": {
            "containers": [
                {"name": "user-container", "ports": [{"name": "user-port", "containerPort": 8080}]},
                {"name": "queue-proxy", "ports": [{"name": "queue-port", "containerPort": 8013}]},
            ]
        },
        "status": status or {},
    }


def test_a_revision_without_fields_has_the_defaults() -> None:
    assert read_revision({"metadata": {}, "spec": {}}) == RevisionFacts(0, 300.0, 300.0, False, "")


@pytest.mark.parametrize(("name", "http2"), [("h2c", True), ("http1", False), ("", False)])
def test_the_ports_name_says_what_pods_speak(name: str, http2: bool) -> None:
    ports = [{"containerPort": 8080, "name": name}]
    assert read_revision({"spec": {"containers": [{"image": "a", "ports": ports}]}}).http2 is http2


@pytest.mark.parametrize(
    ("spec", "want_s"),
    [
        ({"timeoutSeconds": 60}, 60),
        ({"timeoutSeconds": 60, "idleTimeoutSeconds": 3}, 3),
        ({"timeoutSeconds": 60, "responseStartTimeoutSeconds": 20, "idleTimeoutSeconds": 30}, 20),
        ({"timeoutSeconds": 10, "responseStartTimeoutSeconds": 0, "idleTimeoutSeconds": 90}, 10),
        ({"timeoutSeconds": 0}, 300),
    ],
)
def test_an_answer_has_to_begin_within_the_smallest_timeout(spec: Obj, want_s: float) -> None:
    assert read_revision({"spec": spec}).head_timeout_s == want_s


@pytest.mark.parametrize(
    ("container", "want"),
    [
        ({"readinessProbe": {"httpGet": {"path": "/"}}}, False),
        ({"readinessProbe": {"exec": {"command": ["true"]}}}, True),
        ({"startupProbe": {"tcpSocket": {"port": 1}}}, True),
    ],
)
def test_case_12_probes_that_only_the_kubelet_runs_leave_the_decision_to_kubernetes(container: Obj, want: bool) -> None:
    assert read_revision({"spec": {"containers": [{}, container]}}).kubernetes_decides is want


@pytest.mark.parametrize(
    ("condition", "want"),
    [
        ({"type": "Ready", "status": "True"}, ""),
        ({"type": "Ready", "status": "Unknown", "reason": "Deploying"}, ""),
        (
            {"type": "Ready", "status": "False", "reason": "ExitCode3", "message": "no database"},
            "ExitCode3: no database",
        ),
        ({"type": "Ready", "status": "False", "reason": "NoSpace"}, "NoSpace"),
    ],
)
def test_a_revision_has_failed_when_its_ready_condition_is_false(condition: Obj, want: str) -> None:
    assert read_revision({"status": {"conditions": [condition]}}).failed == want


def test_a_pod_has_its_revision_address_and_readiness() -> None:
    facts = read_pod(pod({"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]}))
    assert facts is not None
    assert facts.revision == Target("default", "hello-00001")
    assert (facts.ip, facts.port, facts.ready, facts.leaving) == ("10.0.0.7", 8013, True, False)


def test_a_pod_of_no_revision_is_not_ours() -> None:
    assert read_pod(pod(labels={"app": "other"})) is None


@pytest.mark.parametrize(
    "leaving", [pod(deletionTimestamp="2026-01-01T00:00:00Z"), pod({"phase": "Failed"}), pod({"phase": "Succeeded"})]
)
def test_a_pod_that_is_deleted_or_has_ended_is_leaving(leaving: Obj) -> None:
    facts = read_pod(leaving)
    assert facts is not None
    assert facts.leaving


TROUBLES = [
    ({"containerStatuses": [{"name": "user-container", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
    (
        {
            "containerStatuses": [
                {
                    "name": "user-container",
                    "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image: add it"}},
                }
            ]
        },
        "ErrImagePull (container user-container): no such image: add it",
    ),
    (
        {
            "containerStatuses": [
                {
                    "name": "user-container",
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                    "lastState": {"terminated": {"exitCode": 3, "message": "no database\n"}},
                }
            ]
        },
        "CrashLoopBackOff (container user-container): exit code 3, no database",
    ),
]


@pytest.mark.parametrize(("status", "want"), TROUBLES)
def test_a_pod_that_cannot_start_says_why(status: Obj, want: str) -> None:
    facts = read_pod(pod(status))
    assert facts is not None
    assert facts.trouble == want


def test_a_pod_that_no_node_has_room_for_may_get_one() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    facts = read_pod(pod({"conditions": [unscheduled]}))
    assert facts is not None
    assert facts.unplaced
    assert facts.trouble == ""


def peer(name: str, ip: str, *, ready: bool = True, **meta: Any) -> Obj:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return pod({"podIP": ip, "conditions": conditions}, name=name, **meta)


def test_activators_are_counted_in_the_order_of_their_addresses() -> None:
    peers = [
        peer("one", "10.0.0.9"),
        peer("two", "10.0.0.10"),
        peer("starting", "10.0.0.1", ready=False),
        peer("leaving", "10.0.0.2", deletionTimestamp="2026-01-01T00:00:00Z"),
    ]
    assert (place(peers, "one"), place(peers, "two")) == ((1, 2), (0, 2))


def test_an_activator_that_is_not_among_them_does_not_know_its_place() -> None:
    assert place([peer("one", "10.0.0.9")], "me") is None
    assert place([], "me") is None
