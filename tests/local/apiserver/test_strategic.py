"""Strategic merge: lists by key, directives, order."""

from __future__ import annotations

from typing import Any

import pytest

from swell.kube.errors import Invalid
from swell.local.apiserver.strategic import strategic_merge
from swell.local.apiserver.types import Types

TYPES = Types()
POD = TYPES.schema("PodSpec")


def pod(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containers": list(containers), **more}


def test_items_merge_by_their_key_and_new_ones_are_added() -> None:
    target = pod({"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"})
    patch = pod({"name": "a", "env": [{"name": "Y", "value": "2"}]}, {"name": "c", "image": "3"})
    merged = strategic_merge(POD, target, patch)
    assert [each["name"] for each in merged["containers"]] == ["a", "b", "c"]
    assert merged["containers"][0] == {
        "name": "a",
        "image": "1",
        "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
    }
    assert target["containers"][0]["env"] == [{"name": "X", "value": "1"}], "the input stays as it was"


def test_an_item_can_be_deleted_and_a_list_replaced() -> None:
    target = pod({"name": "a"}, {"name": "b"})
    deleted = strategic_merge(POD, target, pod({"name": "a", "$patch": "delete"}))
    assert deleted["containers"] == [{"name": "b"}]
    replaced = strategic_merge(POD, target, pod({"$patch": "replace"}, {"name": "c"}))
    assert replaced["containers"] == [{"name": "c"}]


def test_a_list_without_a_key_is_replaced() -> None:
    merged = strategic_merge(POD, pod({"name": "a", "args": ["1", "2"]}), pod({"name": "a", "args": ["3"]}))
    assert merged["containers"][0]["args"] == ["3"]


def test_null_removes_and_maps_merge() -> None:
    merged = strategic_merge(
        POD,
        {"nodeSelector": {"a": "1", "b": "2"}, "nodeName": "x"},
        {
            "nodeSelector": {"a": None, "c": "3"},
            "nodeName": None,
        },
    )
    assert merged == {"nodeSelector": {"b": "2", "c": "3"}}


def test_order_is_set_by_the_directive() -> None:
    target = pod({"name": "a"}, {"name": "b"}, {"name": "c"})
    patch = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}
    merged = strategic_merge(POD, target, patch)
    assert [each["name"] for each in merged["containers"]] == ["c", "a", "b"]


def test_retained_keys_drop_the_others() -> None:
    schema = TYPES.schema("DeploymentSpec")
    target = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_merge(schema, target, patch) == {"strategy": {"type": "Recreate"}}


def test_values_are_taken_out_of_a_set() -> None:
    schema = TYPES.schema("ObjectMeta")
    target = {"finalizers": ["a", "b"]}
    assert strategic_merge(schema, target, {"finalizers": ["c"]}) == {"finalizers": ["a", "b", "c"]}
    assert strategic_merge(schema, target, {"$deleteFromPrimitiveList/finalizers": ["a"]}) == {"finalizers": ["b"]}


def test_ports_of_one_number_are_told_apart_by_protocol() -> None:
    target = pod({"name": "a", "ports": [{"containerPort": 53, "protocol": "TCP"}]})
    merged = strategic_merge(POD, target, pod({"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}]}))
    assert len(merged["containers"][0]["ports"]) == 2


@pytest.mark.parametrize("patch", [pod({"image": "x"}), {"$patch": "shuffle"}])
def test_a_patch_that_cannot_be_followed_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        strategic_merge(POD, pod({"name": "a"}), patch)
