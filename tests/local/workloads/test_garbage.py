"""Owner references and namespaces: what goes along, in which order, and what is found after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, NAMESPACE, POD, REPLICA_SET, Kind
from swell.api.meta import Obj, owner_reference
from swell.kube.errors import Forbidden, NotFound

World = Any
WIDGET = Kind("example.com", "v1", "Widget", "widgets")
DEFINITION = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


def config_map(name: str, *owners: Obj, namespace: str = "default", **meta: Any) -> Obj:
    references = [owner_reference(owner, controller=number == 0) for number, owner in enumerate(owners)]
    return {"metadata": {"name": name, "namespace": namespace, "ownerReferences": references, **meta}}


async def everything_is_gone(world: World) -> bool:
    return not (await world.sets() or await world.pods())


async def test_in_the_background_children_follow_their_owner(world: World) -> None:
    await world.deploy(3)
    await world.kube.delete(DEPLOYMENT, "default", "hello")
    assert await world.is_gone(DEPLOYMENT, "hello")
    await world.until(lambda: everything_is_gone(world))


async def test_in_the_foreground_the_owner_goes_last(world: World) -> None:
    await world.deploy(2)
    world.kubelet.end_s = 1.0
    await world.kube.delete(DEPLOYMENT, "default", "hello", propagation="Foreground")
    await world.passes(0.5)
    assert len(await world.pods()) == 2
    assert not await world.is_gone(DEPLOYMENT, "hello")
    (replica_set,) = await world.sets()
    assert replica_set["metadata"]["finalizers"] == ["foregroundDeletion"]
    await world.until(lambda: world.is_gone(DEPLOYMENT, "hello"))
    assert await everything_is_gone(world)


async def test_orphans_stay_and_know_no_owner(world: World) -> None:
    await world.deploy(1)
    (replica_set,) = await world.sets()
    await world.kube.delete(DEPLOYMENT, "default", "hello", propagation="Orphan")
    await world.until(lambda: world.is_gone(DEPLOYMENT, "hello"))
    await world.passes(5)
    (left,) = await world.sets()
    assert left["metadata"]["uid"] == replica_set["metadata"]["uid"]
    assert "ownerReferences" not in left["metadata"]
    assert len(await world.pods()) == 1


async def test_with_another_owner_left_only_the_reference_goes(world: World) -> None:
    owners = [await world.kube.create(CONFIG_MAP, config_map(name)) for name in ("a", "b")]
    await world.kube.create(CONFIG_MAP, config_map("child", *owners))
    await world.kube.delete(CONFIG_MAP, "default", "a")
    await world.passes(1)
    child = await world.kube.get(CONFIG_MAP, "default", "child")
    assert [each["name"] for each in child["metadata"]["ownerReferences"]] == ["b"]
    await world.kube.delete(CONFIG_MAP, "default", "b")
    await world.until(lambda: world.is_gone(CONFIG_MAP, "child"))


async def test_an_owner_of_the_same_name_is_not_the_owner(world: World) -> None:
    owner = await world.kube.create(CONFIG_MAP, config_map("owner"))
    await world.kube.delete(CONFIG_MAP, "default", "owner")
    await world.kube.create(CONFIG_MAP, config_map("owner"))
    await world.kube.create(CONFIG_MAP, config_map("late", owner))
    await world.until(lambda: world.is_gone(CONFIG_MAP, "late"))
    assert not await world.is_gone(CONFIG_MAP, "owner")


async def test_what_was_left_over_is_found_at_the_start(world: World) -> None:
    await world.deploy(2)
    await world.workloads.close()
    await world.kube.delete(DEPLOYMENT, "default", "hello")
    await world.passes(1)
    assert len(await world.pods()) == 2
    await world.restart()
    await world.until(lambda: everything_is_gone(world))


async def test_a_foreground_deletion_goes_on_after_a_restart(world: World) -> None:
    await world.deploy(1)
    await world.workloads.close()
    await world.kube.delete(DEPLOYMENT, "default", "hello", propagation="Foreground")
    await world.restart()
    await world.until(lambda: world.is_gone(DEPLOYMENT, "hello"))
    assert await everything_is_gone(world)


async def test_custom_kinds_own_and_are_owned_from_when_they_are_defined(world: World) -> None:
    await world.kube.create(CUSTOM_RESOURCE_DEFINITION, DEFINITION)
    await world.passes(1)
    widget = await world.kube.create(WIDGET, {"metadata": {"name": "w", "namespace": "default"}})
    await world.kube.create(CONFIG_MAP, config_map("child", widget))
    await world.kube.delete(WIDGET, "default", "w")
    await world.until(lambda: world.is_gone(CONFIG_MAP, "child"))


async def test_what_a_custom_kind_owned_goes_with_its_definition(world: World) -> None:
    await world.kube.create(CUSTOM_RESOURCE_DEFINITION, DEFINITION)
    widget = await world.kube.create(WIDGET, {"metadata": {"name": "w", "namespace": "default"}})
    await world.kube.create(CONFIG_MAP, config_map("child", widget))
    await world.passes(1)
    await world.kube.delete(CUSTOM_RESOURCE_DEFINITION, None, "widgets.example.com")
    await world.until(lambda: world.is_gone(CONFIG_MAP, "child"))
    await world.kube.create(CUSTOM_RESOURCE_DEFINITION, DEFINITION)
    await world.passes(5)
    again = await world.kube.create(WIDGET, {"metadata": {"name": "w", "namespace": "default"}})
    await world.kube.create(CONFIG_MAP, config_map("child", again))
    await world.kube.delete(WIDGET, "default", "w")
    await world.until(lambda: world.is_gone(CONFIG_MAP, "child"))


async def test_an_owner_of_an_unknown_kind_counts_as_there(world: World) -> None:
    stranger = {"apiVersion": "example.com/v1", "kind": "Unheard", "metadata": {"name": "x", "uid": "1"}}
    await world.kube.create(CONFIG_MAP, config_map("child", stranger))
    await world.passes(5)
    assert not await world.is_gone(CONFIG_MAP, "child")


async def test_a_namespace_takes_everything_along_and_says_what_it_waits_for(world: World) -> None:
    await world.kube.create(NAMESPACE, {"metadata": {"name": "shop"}})
    await world.kube.create(CUSTOM_RESOURCE_DEFINITION, DEFINITION)
    await world.passes(1)
    deployment = world.deployment(2)
    deployment["metadata"]["namespace"] = "shop"
    await world.kube.create(DEPLOYMENT, deployment)
    await world.kube.create(CONFIG_MAP, config_map("c", namespace="shop"))
    await world.kube.create(WIDGET, {"metadata": {"name": "w", "namespace": "shop"}})
    await world.passes(2)
    world.kubelet.end_s = 1.0
    await world.kube.delete(NAMESPACE, None, "shop")
    await world.passes(0.5)
    namespace = await world.kube.get(NAMESPACE, None, "shop")
    assert namespace["status"]["phase"] == "Terminating"
    assert namespace["status"]["conditions"][0]["message"] == "Some resources are remaining: Pod (2)"
    with pytest.raises(Forbidden):
        await world.kube.create(CONFIG_MAP, config_map("late", namespace="shop"))
    await world.until(lambda: world.is_gone(NAMESPACE, "shop"))
    for kind in (DEPLOYMENT, REPLICA_SET, POD, CONFIG_MAP, WIDGET):
        assert await world.names(kind, "shop") == set()


async def test_a_finalizer_in_a_namespace_is_waited_for(world: World) -> None:
    await world.kube.create(NAMESPACE, {"metadata": {"name": "shop"}})
    await world.kube.create(CONFIG_MAP, config_map("c", namespace="shop", finalizers=["example.com/wait"]))
    await world.kube.delete(NAMESPACE, None, "shop")
    await world.restart()
    await world.passes(10)
    assert not await world.is_gone(NAMESPACE, "shop")
    await world.kube.patch(CONFIG_MAP, "shop", "c", {"metadata": {"finalizers": None}})
    await world.until(lambda: world.is_gone(NAMESPACE, "shop"))
    with pytest.raises(NotFound):
        await world.kube.create(CONFIG_MAP, config_map("late", namespace="shop"))
