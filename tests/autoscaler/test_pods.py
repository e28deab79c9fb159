"""How many pods a revision has, event by event: spec autoscaling 4.2."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.pods import Owner, PodCounts, State, state_of
from swell.api.meta import Key, Obj

HELLO = Owner(Key("default", "hello-00001"), "uid-1")


def pod(phase: str = "Running", *, ready: bool = True, uid: str = "uid-1", **meta: Any) -> Obj:
    labels = {"serving.knative.dev/revision": "hello-00001", "serving.knative.dev/revisionUID": uid}
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"namespace": "default", "name": "hello", "uid": "pod-1", "labels": labels, **meta},
        "status": {"phase": phase, "conditions": conditions},
    }


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (pod(), State.READY),
        (pod(ready=False), State.NOT_READY),
        (pod("Pending", ready=False), State.PENDING),
        (pod(deletionTimestamp="2026-08-21T09:30:00Z"), State.TERMINATING),
        (pod("Failed"), None),
        (pod("Succeeded"), None),
        ({"metadata": {"namespace": "default", "name": "new"}}, None),
    ],
)
def test_the_state_that_counts(obj: Obj, expected: State | None) -> None:
    assert state_of(obj) is expected


def test_counts_follow_events_and_leave_nothing_behind() -> None:
    counts = PodCounts()
    starting, ready, going = pod("Pending"), pod(), pod(deletionTimestamp="2026-08-21T09:30:00Z")
    assert counts.changed(None, starting) == {HELLO}
    assert (counts.ready(HELLO), counts.count(HELLO, State.PENDING)) == (0, 1)
    assert counts.changed(starting, ready) == {HELLO}
    assert counts.changed(ready, ready) == set(), "nothing that counts has changed"
    assert (counts.ready(HELLO), counts.count(HELLO, State.PENDING)) == (1, 0)
    assert counts.changed(ready, going) == {HELLO}
    assert (counts.ready(HELLO), counts.count(HELLO, State.TERMINATING)) == (0, 1)
    assert counts.changed(going, None) == {HELLO}
    assert counts._counts == {}


def test_pods_of_an_earlier_revision_of_that_name_do_not_count() -> None:
    counts = PodCounts()
    assert counts.changed(None, pod(uid="uid-0")) == {Owner(HELLO.revision, "uid-0")}
    assert counts.ready(HELLO) == 0


def test_a_proven_pod_is_ready_until_kubernetes_has_its_own_word() -> None:
    counts = PodCounts()
    starting, running, ready = pod("Pending", ready=False), pod(ready=False), pod()
    counts.changed(None, starting)
    assert counts.proven(starting) == {HELLO}
    assert (counts.ready(HELLO), counts.count(HELLO, State.PENDING)) == (1, 0)
    assert counts.proven(starting) == set(), "told by another activator too"
    assert counts.changed(starting, running) == set()
    assert counts.changed(running, ready) == set()
    assert counts.changed(ready, running) == {HELLO}, "Kubernetes took it back"
    assert counts.ready(HELLO) == 0


@pytest.mark.parametrize(
    "after",
    [
        pod(ready=False, deletionTimestamp="2026-08-21T09:30:00Z"),
        pod(ready=False, uid="uid-1") | {"metadata": pod()["metadata"] | {"uid": "pod-2"}},
        pod("Failed"),
        None,
    ],
    ids=["going", "replaced", "ended", "gone"],
)
def test_what_was_proven_ends_with_the_pod(after: Obj | None) -> None:
    counts = PodCounts()
    starting = pod("Pending", ready=False)
    counts.changed(None, starting)
    counts.proven(starting)
    assert counts.changed(starting, after) == {HELLO}
    assert (counts.ready(HELLO), counts._proven) == (0, set())


@pytest.mark.parametrize("container", [{"restartCount": 1}, {"restartCount": 0, "state": {"terminated": {}}}])
def test_a_pod_whose_container_has_ended_is_left_to_kubernetes(container: Obj) -> None:
    counts = PodCounts()
    starting = pod(ready=False)
    ended = starting | {"status": starting["status"] | {"containerStatuses": [container]}}
    counts.changed(None, starting)
    counts.proven(starting)
    assert counts.changed(starting, ended) == {HELLO}
    assert counts.proven(ended) == set()
    assert counts.ready(HELLO) == 0
