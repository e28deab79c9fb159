"""ReplicaSets: which pods go first, what replaces those that ended, adoption."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.kinds import DEPLOYMENT, POD, REPLICA_SET
from swell.api.meta import Obj, controller_of, key_of, rfc3339
from swell.api.pod_cost import DELETION_COST
from swell.local.workloads.pods import first_to_go, share
from swell.local.workloads.replicaset import ENDED_KEPT_MAX, plan

World = Any
NOW_S = 1_700_000_000.0


def pod(
    name: str,
    *,
    phase: str = "Running",
    ready_for_s: float | None = 100.0,
    age_s: float = 100.0,
    cost: str | None = None,
    restarts: int = 0,
    placed: bool = True,
    **meta: Any,
) -> Obj:
    conditions = []
    if ready_for_s is not None:
        since = rfc3339(NOW_S - ready_for_s)
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    return {
        "metadata": {
            "name": name,
            "annotations": {DELETION_COST: cost} if cost is not None else {},
            "creationTimestamp": rfc3339(NOW_S - age_s),
            **meta,
        },
        "spec": {"nodeName": "local"} if placed else {},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]},
    }


FIRST: list[tuple[str, Obj, Obj]] = [
    ("not placed", pod("first", placed=False, phase="Pending", ready_for_s=None), pod("second", phase="Pending")),
    ("pending", pod("first", phase="Pending", ready_for_s=None), pod("second", ready_for_s=None)),
    ("not ready", pod("first", ready_for_s=None, cost="9"), pod("second", cost="1")),
    ("cheap to delete", pod("first", cost="-5"), pod("second", ready_for_s=1)),
    ("cost that cannot be read is none", pod("first", cost="much", ready_for_s=1), pod("second", cost="1")),
    ("ready last", pod("first", ready_for_s=5), pod("second", ready_for_s=50)),
    ("restarted", pod("first", restarts=3), pod("second", restarts=1)),
    ("made last", pod("first", age_s=10), pod("second", age_s=20)),
    ("else by name, so that it is always the same", pod("first"), pod("second")),
]


@pytest.mark.parametrize(("first", "second"), [case[1:] for case in FIRST], ids=[case[0] for case in FIRST])
def test_what_serves_least_goes_first(first: Obj, second: Obj) -> None:
    assert sorted([second, first], key=first_to_go) == [first, second]


def replica_set(replicas: int, **meta: Any) -> Obj:
    return {"metadata": {"name": "r", **meta}, "spec": {"replicas": replicas}}


def ended(name: str, age_s: float) -> Obj:
    return pod(name, phase="Failed", ready_for_s=None, age_s=age_s)


def test_an_ended_pod_is_replaced_at_once() -> None:
    assert plan(replica_set(2), [pod("a"), ended("b", 5)], NOW_S).create == 1


def test_pods_on_their_way_out_are_replaced_too() -> None:
    assert plan(replica_set(1), [pod("a", deletionTimestamp=rfc3339(NOW_S))], NOW_S).create == 1


def test_pods_that_keep_ending_are_replaced_more_slowly_each_time() -> None:
    waits = []
    for count in (1, 2, 3):
        found = plan(replica_set(1), [ended(str(number), 0) for number in range(count)], NOW_S)
        waits.append(found.requeue_after_s)
        assert found.create == (1 if found.requeue_after_s is None else 0)
    assert waits == [None, 4.0, 8.0]
    assert plan(replica_set(1), [ended("a", 200), ended("b", 100), ended("c", 80)], NOW_S).create == 1


def test_few_ended_pods_are_kept_to_be_looked_at_and_none_without_replicas() -> None:
    pods = [ended(str(age), age) for age in range(100, 110)]
    gone = {each["metadata"]["name"] for each in plan(replica_set(1), [*pods, pod("a")], NOW_S).delete}
    assert gone == {str(age) for age in range(100 + ENDED_KEPT_MAX, 110)}
    assert len(plan(replica_set(0), pods, NOW_S).delete) == 10


def test_a_replica_set_on_its_way_out_does_nothing() -> None:
    found = plan(replica_set(3, deletionTimestamp=rfc3339(NOW_S)), [pod("a")], NOW_S)
    assert (found.create, found.delete) == (0, [])


SHARES = [(3, 10, True, 3), ("25%", 3, True, 1), ("25%", 3, False, 0), ("100%", 3, False, 3), (None, 3, True, 0)]


@pytest.mark.parametrize(("value", "whole", "up", "want"), [*SHARES, ("0%", 9, True, 0), ("x", 9, True, 0)])
def test_share(value: int | str | None, whole: int, up: bool, want: int) -> None:
    assert share(value, whole, up=up) == want


async def test_scaling_down_takes_the_cheap_and_the_unready(world: World) -> None:
    await world.deploy(4)
    pods = await world.pods()
    cheap, broken = pods[1], pods[2]
    await world.kube.patch(POD, *key_of(cheap), {"metadata": {"annotations": {DELETION_COST: "-1"}}})
    world.kubelet.healthy = lambda pod: pod["metadata"]["name"] != broken["metadata"]["name"]
    await world.kubelet.say(broken, ready=False)
    await world.scale(2)
    await world.until(lambda: world.available(2))
    await world.passes(1)
    left = await world.names(POD)
    assert left == {pods[0]["metadata"]["name"], pods[3]["metadata"]["name"]}


async def test_an_evicted_pod_is_replaced_and_goes_with_the_last_replica(world: World) -> None:
    await world.deploy(1)
    (victim,) = await world.pods()
    await world.kubelet.say(victim, ready=False, phase="Failed")
    await world.until(lambda: world.available(1))
    assert len(await world.pods()) == 2
    await world.scale(0)
    await world.until(lambda: world.available(0))
    await world.passes(1)
    assert await world.pods() == []


async def test_a_pod_that_is_relabelled_is_let_go_and_replaced_and_taken_back(world: World) -> None:
    await world.deploy(1)
    (pod,) = await world.pods()
    await world.kube.patch(POD, *key_of(pod), {"metadata": {"labels": {"app": "quarantine"}}})
    await world.passes(1)
    pods = {each["metadata"]["name"]: each for each in await world.pods()}
    assert len(pods) == 2
    assert controller_of(pods[pod["metadata"]["name"]]) is None
    await world.kube.patch(POD, *key_of(pod), {"metadata": {"labels": {"app": "hello"}}})
    await world.passes(1)
    assert len(await world.pods()) == 1


async def test_what_an_orphaned_deployment_left_is_taken_over_by_its_successor(world: World) -> None:
    await world.deploy(2)
    before = {pod["metadata"]["uid"] for pod in await world.pods()}
    (replica_set,) = await world.sets()
    await world.kube.delete(DEPLOYMENT, "default", "hello", propagation="Orphan")
    await world.until(lambda: world.is_gone(DEPLOYMENT, "hello"))
    await world.passes(1)
    assert controller_of((await world.sets())[0]) is None
    await world.deploy(2)
    assert {pod["metadata"]["uid"] for pod in await world.pods()} == before
    (adopted,) = await world.sets()
    assert adopted["metadata"]["uid"] == replica_set["metadata"]["uid"]


async def test_a_replica_set_alone_works_too(world: World) -> None:
    deployment = world.deployment(3, name="alone")
    spec = {key: deployment["spec"][key] for key in ("replicas", "selector", "template")}
    await world.kube.create(REPLICA_SET, {"metadata": {"name": "alone", "namespace": "default"}, "spec": spec})

    async def ready() -> bool:
        (found,) = await world.sets()
        return found["status"].get("readyReplicas") == 3

    await world.until(ready)
    assert len(await world.pods()) == 3
