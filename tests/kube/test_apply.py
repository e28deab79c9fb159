"""Only differences are written, over the real embedded server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP, DEPLOYMENT, POD
from swell.api.meta import Obj
from swell.kube.apply import difference, ensure, write_status
from swell.kube.errors import AlreadyExists, Conflict
from swell.local.apiserver.server import StoreClient

MakePod = Callable[..., Obj]


def deployment(**container: Any) -> Obj:
    labels = {"app": "hello"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": "default", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": "hello", **container}]},
            },
        },
    }


def version(obj: Obj) -> str:
    return str(obj["metadata"]["resourceVersion"])


async def test_the_second_time_writes_nothing_though_the_server_filled_in_defaults(store_client: StoreClient) -> None:
    wanted = deployment(ports=[{"containerPort": 80}], env=[], resources={})
    made = await ensure(store_client, DEPLOYMENT, wanted, None)
    assert made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    again = await ensure(store_client, DEPLOYMENT, wanted, made)
    assert again is made
    assert version(await store_client.get(DEPLOYMENT, "default", "hello")) == version(made)


async def test_what_wanted_does_not_name_belongs_to_others_and_stays(store_client: StoreClient) -> None:
    await ensure(store_client, DEPLOYMENT, deployment(), None)
    patch = {"metadata": {"labels": {"theirs": "1"}}, "spec": {"replicas": 7}}
    seen = await store_client.patch(DEPLOYMENT, "default", "hello", patch)
    after = await ensure(store_client, DEPLOYMENT, deployment(image="other"), seen)
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "other"
    assert after["spec"]["replicas"] == 7
    assert after["metadata"]["labels"] == {"app": "hello", "theirs": "1"}


async def test_labels_annotations_and_data_are_made_to_match(store_client: StoreClient) -> None:
    wanted = {"metadata": {"name": "c", "namespace": "default"}, "data": {"a": "1", "b": "2"}}
    seen = await ensure(store_client, CONFIG_MAP, wanted, None)
    wanted = {
        "metadata": {"name": "c", "namespace": "default", "annotations": {"x": "y"}, "labels": {"l": "m"}},
        "data": {"a": "3", "b": None},
    }
    after = await ensure(store_client, CONFIG_MAP, wanted, seen)
    assert after["data"] == {"a": "3"}
    assert after["metadata"]["annotations"] == {"x": "y"}
    assert after["metadata"]["labels"] == {"l": "m"}
    assert await ensure(store_client, CONFIG_MAP, wanted, after) is after


CASES: list[tuple[str, Obj, Obj, Obj]] = [
    ("a longer list", {"spec": {"a": [1, 2]}}, {"spec": {"a": [1]}}, {"spec": {"a": [1, 2]}}),
    ("a shorter list", {"spec": {"a": [1]}}, {"spec": {"a": [1, 2]}}, {"spec": {"a": [1]}}),
    ("defaults inside a list", {"spec": {"a": [{"b": 1}]}}, {"spec": {"a": [{"b": 1, "c": 2}]}}, {}),
    ("what is empty may be absent", {"spec": {"a": [], "b": {}, "c": "", "d": False}}, {"spec": {}}, {}),
    ("None where something is", {"spec": {"a": None}}, {"spec": {"a": 1}}, {"spec": {"a": None}}),
    ("zero instead of one", {"spec": {"a": 0}}, {"spec": {"a": 1}}, {"spec": {"a": 0}}),
    ("a map instead of a value", {"spec": {"a": {"b": 1}}}, {"spec": {"a": 1}}, {"spec": {"a": {"b": 1}}}),
    ("no spec at all yet", {"spec": {"a": 1}}, {}, {"spec": {"a": 1}}),
    ("the status is not looked at", {"status": {"a": 1}}, {"status": {"a": 2}}, {}),
]


@pytest.mark.parametrize(("wanted", "seen", "patch"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_difference(wanted: Obj, seen: Obj, patch: Obj) -> None:
    assert difference({"metadata": {}, **wanted}, {"metadata": {}, **seen}) == patch


async def test_an_object_gone_since_it_was_seen_is_looked_at_again(store_client: StoreClient) -> None:
    seen = await ensure(store_client, DEPLOYMENT, deployment(), None)
    await store_client.delete(DEPLOYMENT, "default", "hello")
    with pytest.raises(Conflict, match="deleted meanwhile"):
        await ensure(store_client, DEPLOYMENT, deployment(image="other"), seen)


async def test_an_object_made_anew_by_another_is_not_written(store_client: StoreClient) -> None:
    seen = await ensure(store_client, DEPLOYMENT, deployment(), None)
    with pytest.raises(AlreadyExists):
        await ensure(store_client, DEPLOYMENT, deployment(), None)
    await store_client.delete(DEPLOYMENT, "default", "hello")
    await store_client.create(DEPLOYMENT, deployment())
    with pytest.raises(Conflict):
        await ensure(store_client, DEPLOYMENT, deployment(image="other"), seen)


async def test_a_status_is_written_over_what_others_changed_meanwhile(
    store_client: StoreClient, make_pod: MakePod
) -> None:
    seen = await store_client.create(POD, make_pod("a"))
    await store_client.patch(POD, "default", "a", {"metadata": {"labels": {"theirs": "1"}}})
    after = await write_status(store_client, POD, seen, {"phase": "Running"})
    assert after["status"] == {"phase": "Running"}
    assert after["metadata"]["labels"] == {"theirs": "1"}
    assert await write_status(store_client, POD, after, {"phase": "Running"}) is after


async def test_the_status_of_what_is_gone_is_nobodys_business(store_client: StoreClient, make_pod: MakePod) -> None:
    seen = await store_client.create(POD, make_pod("a"))
    await store_client.delete(POD, "default", "a")
    assert await write_status(store_client, POD, seen, {"phase": "Running"}) is seen
    await store_client.create(POD, make_pod("a"))
    with pytest.raises(Conflict):
        await write_status(store_client, POD, seen, {"phase": "Running"})
