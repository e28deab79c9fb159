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
        "metadata": {"namespace": "default", "name": "hello", "labels": labels, **meta},
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
