"""Deployments over the real server: from a scale to pods, rollouts, what they say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.kinds import DEPLOYMENT, POD, REPLICA_SET
from swell.api.meta import Obj, key_of, rfc3339
from swell.testing.clock import settle

World = Any


async def test_a_deployment_gets_a_replica_set_and_pods_that_carry_its_hash(world: World) -> None:
    await world.deploy(2)
    (replica_set,) = await world.sets()
    name, hashed = replica_set["metadata"]["name"], replica_set["metadata"]["labels"]["pod-template-hash"]
    assert name == f"hello-{hashed}"
    pods = await world.pods()
    assert all(pod["metadata"]["name"].startswith(f"{name}-") for pod in pods)
    assert all(len(pod["metadata"]["name"]) == len(name) + 6 for pod in pods)
    assert [pod["metadata"]["labels"] for pod in pods] == [{"app": "hello", "pod-template-hash": hashed}] * 2
    assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods} == {replica_set["metadata"]["uid"]}


async def test_the_status_tells_of_a_finished_rollout(world: World) -> None:
    made = await world.deploy(2)
    status = await world.status()
    (replica_set,) = await world.sets()
    assert "unavailableReplicas" not in status
    available, progressing = await world.condition("Available"), await world.condition("Progressing")
    assert (available["status"], available["reason"]) == ("True", "MinimumReplicasAvailable")
    assert (progressing["status"], progressing["reason"]) == ("True", "NewReplicaSetAvailable")
    name = replica_set["metadata"]["name"]
    assert progressing["message"] == f'ReplicaSet "{name}" has successfully progressed.'
    live = await world.kube.get(DEPLOYMENT, "default", "hello")
    assert live["metadata"]["generation"] == made["metadata"]["generation"]
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


async def test_from_zero_to_one_takes_no_time_but_that_of_the_event_loop(world: World) -> None:
    await world.kube.create(DEPLOYMENT, world.deployment(0))
    await settle()
    before_s = world.clock.now()
    await world.scale(1)
    await settle()
    assert len(await world.pods()) == 1
    assert world.clock.now() == before_s
    await world.until(lambda: world.available(1))
    await world.scale(0)
    await world.until(lambda: world.available(0))
    assert await world.pods() == []


async def test_scaled_at_zero_it_is_complete_and_available(world: World) -> None:
    await world.kube.create(DEPLOYMENT, world.deployment(0))
    await settle()
    assert (await world.condition("Progressing"))["reason"] == "NewReplicaSetAvailable"
    assert (await world.condition("Available"))["status"] == "True"


async def test_scaling_is_no_rollout_however_long_pods_take(world: World) -> None:
    await world.deploy(1, progressDeadlineSeconds=10)
    world.kubelet.healthy = lambda _: False
    await world.scale(3)
    await world.passes(60)
    assert (await world.condition("Progressing"))["reason"] == "NewReplicaSetAvailable"
    assert (await world.condition("Available"))["status"] == "False"
    assert (await world.status())["unavailableReplicas"] == 2


async def test_when_nothing_changes_nothing_is_written(world: World) -> None:
    await world.deploy(3)
    await world.passes(2)
    before = world.version
    await world.passes(120)
    assert world.version == before
    await world.restart()
    await world.passes(120)
    assert world.version == before


BOUNDS = [(4, 1, 0), (4, 0, 1), (4, "25%", "25%"), (3, "100%", "100%"), (5, 0, 0), (1, "25%", 0), (10, 3, 2)]


@pytest.mark.parametrize(("replicas", "surge", "unavailable"), BOUNDS)
async def test_a_rolling_update_stays_within_surge_and_unavailable(
    replicas: int, surge: int | str, unavailable: int | str, world: World
) -> None:
    strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    await world.deploy(replicas, strategy=strategy)
    world.kubelet.start_s, world.kubelet.end_s = 0.4, 0.3
    most = replicas + (-(-int(surge[:-1]) * replicas // 100) if isinstance(surge, str) else surge)
    down = int(unavailable[:-1]) * replicas // 100 if isinstance(unavailable, str) else unavailable
    if (surge, unavailable) == (0, 0):
        down = 1
    await world.set_image("two")
    seen: list[tuple[int, int]] = []

    async def done() -> bool:
        active = [pod for pod in await world.pods() if "deletionTimestamp" not in pod["metadata"]]
        seen.append((len(active), sum(map(is_ready, active))))
        images = {pod["spec"]["containers"][0]["image"] for pod in await world.pods()}
        return images == {"two"} and bool(await world.available(replicas))

    await world.until(done)
    assert max(total for total, _ in seen) <= most
    assert min(ready for _, ready in seen) >= replicas - down
    assert len(seen) > 2


def is_ready(pod: Obj) -> bool:
    return any(each["status"] == "True" for each in pod["status"].get("conditions", ()))


async def test_without_unavailable_an_old_pod_stays_while_the_new_one_never_gets_ready(world: World) -> None:
    strategy = {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
    await world.deploy(1, strategy=strategy, progressDeadlineSeconds=30)
    world.kubelet.healthy = lambda pod: pod["spec"]["containers"][0]["image"] == "one"
    await world.set_image("two")
    await world.passes(20)
    assert (await world.condition("Progressing"))["reason"] == "ReplicaSetUpdated"
    await world.passes(15)
    progressing = await world.condition("Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert "has timed out progressing" in progressing["message"]
    assert (await world.condition("Available"))["status"] == "True"
    images = [pod["spec"]["containers"][0]["image"] for pod in await world.pods() if is_ready(pod)]
    assert images == ["one"]
    world.kubelet.healthy = lambda _: True
    for pod in await world.pods():
        await world.kube.patch(POD, *key_of(pod), {"metadata": {"annotations": {"look": "again"}}})
    await world.until(lambda: world.available(1))
    assert (await world.condition("Progressing"))["reason"] == "NewReplicaSetAvailable"


async def test_the_first_rollout_is_too_late_after_its_deadline_even_over_a_restart(world: World) -> None:
    world.kubelet.healthy = lambda _: False
    await world.kube.create(DEPLOYMENT, world.deployment(1, progressDeadlineSeconds=30))
    await world.passes(20)
    await world.restart()
    await world.passes(9)
    assert (await world.condition("Progressing"))["status"] == "True"
    await world.passes(3)
    assert (await world.condition("Progressing"))["reason"] == "ProgressDeadlineExceeded"


async def test_going_back_to_a_former_template_takes_its_replica_set_again(world: World) -> None:
    await world.deploy(2)
    (first,) = await world.sets()
    await world.set_image("two")
    await world.until(lambda: world.available(2))
    await world.set_image("one")
    await world.until(lambda: world.available(2))
    sets = {each["metadata"]["uid"]: each for each in await world.sets()}
    assert len(sets) == 2
    again = sets[first["metadata"]["uid"]]
    assert again["spec"]["replicas"] == 2
    assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


@pytest.mark.parametrize("limit", [0, 2])
async def test_no_more_old_replica_sets_are_kept_than_the_limit(limit: int, world: World) -> None:
    await world.deploy(1, revisionHistoryLimit=limit)
    for image in ("two", "three", "four", "five"):
        world.clock.advance(1)
        await world.set_image(image)
        await world.until(lambda: world.available(1))
        await world.passes(1)
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in await world.sets()}
    assert images == {"five", *("four", "three")[:limit]}


async def test_recreate_starts_no_new_pod_before_the_last_old_one_is_gone(world: World) -> None:
    await world.deploy(2, strategy={"type": "Recreate"})
    world.kubelet.end_s = 2.0
    await world.set_image("two")
    mixed: list[set[str]] = []

    async def done() -> bool:
        mixed.append({pod["spec"]["containers"][0]["image"] for pod in await world.pods()})
        return mixed[-1] == {"two"} and bool(await world.available(2))

    await world.until(done)
    assert {"one", "two"} not in mixed


async def test_a_paused_deployment_is_scaled_but_not_rolled_out(world: World) -> None:
    await world.deploy(1)
    await world.change({"paused": True})
    await world.set_image("two")
    await world.scale(3)
    await world.until(lambda: count(world, 3))
    assert {pod["spec"]["containers"][0]["image"] for pod in await world.pods()} == {"one"}
    await world.passes(0.1)
    assert (await world.condition("Progressing"))["reason"] == "DeploymentPaused"
    await world.change({"paused": False})
    await world.until(lambda: world.available(3))
    assert {pod["spec"]["containers"][0]["image"] for pod in await world.pods()} == {"two"}


async def count(world: World, pods: int) -> bool:
    return len(await world.pods()) == pods


async def test_scaling_amid_a_rollout_ends_with_what_is_wanted(world: World) -> None:
    await world.deploy(4)
    world.kubelet.start_s = 0.5
    await world.set_image("two")
    await world.passes(0.3)
    await world.scale(8)
    await world.passes(0.7)
    await world.scale(2)
    await world.until(lambda: world.available(2))
    assert {pod["spec"]["containers"][0]["image"] for pod in await world.pods()} == {"two"}


async def test_a_deleted_replica_set_is_made_again(world: World) -> None:
    await world.deploy(1)
    (replica_set,) = await world.sets()
    await world.kube.delete(REPLICA_SET, *key_of(replica_set))

    async def replaced() -> bool:
        sets = await world.sets()
        return bool(sets) and sets[0]["metadata"]["uid"] != replica_set["metadata"]["uid"]

    await world.until(replaced)
    await world.until(lambda: world.available(1))
    await world.until(lambda: count(world, 1))


async def test_a_name_that_another_has_is_avoided(world: World) -> None:
    await world.deploy(1)
    (first,) = await world.sets()
    await world.kube.delete(DEPLOYMENT, "default", "hello")
    await world.until(lambda: count(world, 0))
    stranger = {
        "metadata": {"name": first["metadata"]["name"], "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "stranger"}},
            "template": {
                "metadata": {"labels": {"app": "stranger"}},
                "spec": {"containers": [{"name": "app", "image": "one"}]},
            },
        },
    }
    await world.kube.create(REPLICA_SET, stranger)
    await world.deploy(1)
    assert (await world.status())["collisionCount"] == 1
    assert len(await world.sets()) == 2


async def test_a_refused_pod_is_told_as_replica_failure_until_pods_are_taken_again(world: World) -> None:
    deployment = world.deployment(2)
    deployment["spec"]["template"]["metadata"]["annotations"] = {"no key": "x"}
    await world.kube.create(DEPLOYMENT, deployment)
    await world.passes(3)
    failure = await world.condition("ReplicaFailure")
    assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
    assert 'Invalid value: "no key"' in failure["message"]
    (told,) = await world.events("FailedCreate")
    assert told.startswith("Error creating: Pod")
    await world.change({"template": {"metadata": {"annotations": None}}})
    await world.until(lambda: world.available(2))
    await world.passes(10)
    assert await world.condition("ReplicaFailure") == {}


async def test_events_tell_of_scaling_and_of_pods(world: World) -> None:
    await world.deploy(1)
    await world.passes(1)
    (replica_set,) = await world.sets()
    name = replica_set["metadata"]["name"]
    assert await world.events("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 1"]
    (pod,) = await world.pods()
    assert await world.events("SuccessfulCreate") == [f"Created pod: {pod['metadata']['name']}"]
    await world.scale(0)
    await world.passes(1)
    assert await world.events("SuccessfulDelete") == [f"Deleted pod: {pod['metadata']['name']}"]


async def test_min_ready_seconds_delay_what_is_available(world: World) -> None:
    await world.kube.create(DEPLOYMENT, world.deployment(1, minReadySeconds=10))
    await world.passes(5)
    status = await world.status()
    assert (status["readyReplicas"], status.get("availableReplicas", 0)) == (1, 0)
    await world.until(lambda: world.available(1))
    assert rfc3339(world.clock.wall()) >= rfc3339(1_700_000_010)


async def test_killed_at_any_moment_of_a_rollout_and_started_again_it_ends_well(world: World) -> None:
    await world.deploy(3)
    world.kubelet.start_s = 0.2
    for turns in range(1, 12):
        image = f"image-{turns}"
        await world.set_image(image)
        for _ in range(3):
            await settle(turns)
            await world.restart()
        await world.until(lambda: world.available(3))
        pods = [pod for pod in await world.pods() if "deletionTimestamp" not in pod["metadata"]]
        assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {image}
        assert len(pods) == 3
