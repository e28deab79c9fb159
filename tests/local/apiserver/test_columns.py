"""What `kubectl get` shows: pods' status, ages, and the shape of a Table."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.kinds import DEPLOYMENT, POD
from swell.api.meta import Obj
from swell.local.apiserver.ages import age_of, human_duration
from swell.local.apiserver.pod_columns import shown_status
from swell.local.apiserver.tables import Presenter, shape_of

NOW_S = 1_700_000_000.0
WAITING = {"state": {"waiting": {"reason": "ContainerCreating"}}}
CRASHING = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
RUNNING = {"ready": True, "state": {"running": {}}}
KILLED = {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}


def pod(*containers: Obj, phase: str = "Running", deleted: bool = False, **status: Any) -> Obj:
    meta: Obj = {"name": "one", "creationTimestamp": "2023-11-14T22:12:20Z"}
    if deleted:
        meta["deletionTimestamp"] = "2023-11-14T22:13:20Z"
    statuses = [{"restartCount": 0, "ready": False, **each} for each in containers]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "a"} for _ in containers]},
        "status": {"phase": phase, "containerStatuses": statuses, **status},
    }


@pytest.mark.parametrize(
    ("shown", "obj"),
    [
        ("Pending", pod(phase="Pending")),
        ("ContainerCreating", pod(WAITING, phase="Pending")),
        ("Running", pod(RUNNING, RUNNING)),
        ("CrashLoopBackOff", pod(RUNNING, CRASHING)),
        ("OOMKilled", pod(KILLED)),
        ("Completed", pod(DONE, phase="Succeeded")),
        ("NotReady", pod(DONE, RUNNING)),
        ("Terminating", pod(RUNNING, deleted=True)),
        ("Evicted", pod(phase="Failed", reason="Evicted")),
        ("ExitCode:3", pod({"state": {"terminated": {"exitCode": 3}}})),
    ],
)
def test_the_status_of_a_pod(shown: str, obj: Obj) -> None:
    assert shown_status(obj) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *[(0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"), (700, "11m"), (10_800, "3h")],
        *[(13_000, "3h36m"), (30_000, "8h"), (200_000, "2d7h"), (800_000, "9d"), (-5, "<invalid>")],
    ],
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    assert human_duration(seconds) == shown


def test_an_age_that_is_not_known() -> None:
    assert age_of(None, NOW_S) == "<unknown>"
    assert age_of("yesterday", NOW_S) == "<invalid>"


@pytest.mark.parametrize(
    ("accept", "shape"),
    [
        ("", "object"),
        ("*/*", "object"),
        ("application/json", "object"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "table"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "object"),
        ("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json", "metadata"),
        ("application/vnd.kubernetes.protobuf,application/json", "object"),
        ("application/json,application/json;as=Table;v=v1;g=meta.k8s.io", "object"),
    ],
)
def test_the_shape_that_an_accept_header_asks_for(accept: str, shape: str) -> None:
    assert shape_of(accept) == shape


def test_a_row_has_a_cell_for_each_column_and_the_metadata(api: Any) -> None:
    table = Presenter(api.server.registry.of(POD), "table").many([pod(RUNNING)], {"resourceVersion": "3"}, NOW_S)
    (row,) = table["rows"]
    cells = dict(zip([column["name"] for column in table["columnDefinitions"]], row["cells"], strict=True))
    assert cells | {"Name": "one", "Ready": "1/1", "Status": "Running", "Restarts": "0", "Age": "60s"} == cells
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert table["metadata"] == {"resourceVersion": "3"}


def test_a_gate_without_a_condition_breaks_no_table(api: Any) -> None:
    obj = pod(RUNNING)
    obj["spec"]["readinessGates"] = [{}]
    table = Presenter(api.server.registry.of(POD), "table").many([obj], {}, NOW_S)
    assert "0/1" in table["rows"][0]["cells"]


def test_a_row_can_carry_the_whole_object_or_none(api: Any) -> None:
    resource = api.server.registry.of(POD)
    assert Presenter(resource, "table", "Object").one(pod(), NOW_S)["rows"][0]["object"]["spec"] is not None
    assert "object" not in Presenter(resource, "table", "None").one(pod(), NOW_S)["rows"][0]


def test_a_list_of_metadata(api: Any) -> None:
    listed = Presenter(api.server.registry.of(DEPLOYMENT), "metadata").many([pod()], {}, NOW_S)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert "spec" not in listed["items"][0]
