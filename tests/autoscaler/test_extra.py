"""Metrics beside requests through the whole autoscaler: a real server to ask, the real API server, virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from autoscaler.metrics.external import INTERVAL_S
from swell.api.kinds import EVENT, POD, POD_AUTOSCALER, POD_METRICS
from swell.api.labels import METRICS
from swell.testing.clock import settle
from swell.testing.peers import free_port
from swell.testing.sources import Source, running_source

World = Any
NAME = "hello-00001"
PATH = "/queue/length"


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with running_source() as source:
        yield source


async def scale_by(world: World, *metrics: dict[str, Any], name: str = NAME) -> None:
    """Write the list into the PodAutoscaler, as the controller does."""
    text = json.dumps(metrics) if metrics else None
    await world.kube.patch(POD_AUTOSCALER, "default", name, {"metadata": {"annotations": {METRICS: text}}})
    await settle()


async def allow(world: World, hosts: str = "127.0.0.1") -> None:
    await world.configure(**{"swell.metrics_allowed_hosts": hosts})


def queue(source: Source, target: float = 5) -> dict[str, Any]:
    return {"type": "json", "name": "queue", "url": source.url(), "path": PATH, "target": target}


async def until(world: World, seen: Callable[[], Any]) -> None:
    """Let time pass, and real answers come, until `seen` says so."""
    for _ in range(200):
        if await seen():
            return
        await world.quiet(0.5)
        await asyncio.sleep(0.01)
    raise AssertionError(f"it never came to it: {await world.decisions()}")


async def until_value(world: World, value: float | None, metric: str = "queue") -> None:
    async def seen() -> bool:
        found = (await world.decisions())[f"default/{NAME}"].get("metrics", {})
        return metric in found and found[metric]["value"] == value

    await until(world, seen)


async def until_replicas(world: World, replicas: int) -> None:
    async def seen() -> bool:
        await world.follow()
        return bool(await world.replicas() == replicas)

    await until(world, seen)


async def events(world: World) -> list[tuple[str, str]]:
    found = (await world.kube.list(EVENT, "default")).items
    return [(event["reason"], event["message"]) for event in found if event["involvedObject"]["name"] == NAME]


async def test_a_queue_wakes_a_revision_from_zero_scales_it_and_keeps_it(world: World, source: Source) -> None:
    await allow(world)
    await world.at_zero()
    await scale_by(world, queue(source))
    await until_value(world, 0.0)
    assert await world.replicas() == 0
    source.value = 12.0
    await until_value(world, 12.0)
    await settle()
    assert await world.replicas() == 3, "at once, as for a first request: without a request, and without a tick"
    await world.follow()
    source.value = 1.0
    await until_replicas(world, 1)
    await world.idle(40)
    assert (await world.replicas(), await world.active()) == (1, ("True", "")), "no request for long, yet not at zero"
    source.value = 0.0
    await until_replicas(world, 0)
    found = (await world.decisions())[f"default/{NAME}"]
    assert found["metrics"] == {"queue": {"value": 0.0, "target": 5.0, "pods": 0.0}}


async def test_prometheus_and_requests_together_want_what_the_larger_wants(world: World, source: Source) -> None:
    await allow(world)
    await world.revision(target="1", target_utilization_percentage="100", window="6s")
    source.value = 30.0
    metric = {"type": "prometheus", "server": source.url("/"), "query": "sum(jobs)", "target": 10}
    await scale_by(world, metric)
    await until_value(world, 30.0, "prometheus")
    await until_replicas(world, 3)
    assert set(source.queries) == {"sum(jobs)"}
    for _ in range(8):
        await world.load(5, 1)
        await world.follow()
    assert await world.replicas() == 5


async def test_a_source_that_fails_is_told_of_and_never_drops_the_scale(world: World, source: Source) -> None:
    await allow(world)
    await world.revision(window="6s")
    source.value = 20.0
    await scale_by(world, queue(source))
    await until_replicas(world, 4)
    source.works = False
    await until_value(world, None)
    await world.idle(60)
    assert await world.replicas() == 4

    async def told() -> bool:
        return any(reason == "MetricFailed" and "it answers 503" in text for reason, text in await events(world))

    await until(world, told)
    source.works, source.value = True, 0.0
    await until_replicas(world, 0)
    assert any(reason == "MetricRecovered" for reason, _ in await events(world))


async def test_a_host_that_is_not_allowed_is_never_asked(world: World, source: Source) -> None:
    await world.at_zero()
    source.value = 50.0
    await scale_by(world, queue(source))

    async def told() -> bool:
        return any("is not among swell.metrics-allowed-hosts" in text for _, text in await events(world))

    await until(world, told)
    await allow(world, "127.0.0.1:1, *.example.com")
    await world.quiet(3 * INTERVAL_S)
    assert (source.paths, await world.replicas()) == ([], 0)
    await allow(world, f"127.0.0.1:{source.port}")
    await until_replicas(world, 10)


async def test_a_redirect_to_another_host_is_a_failure(world: World, source: Source) -> None:
    await allow(world)
    await world.at_zero()
    source.value = 50.0
    await scale_by(world, {**queue(source), "url": source.url("/away")})

    async def told() -> bool:
        return any("redirects are not followed" in text for _, text in await events(world))

    await until(world, told)
    assert set(source.paths) == {"/away"}
    assert await world.replicas() == 0


async def test_a_revision_that_no_route_points_to_goes_by_its_requests_alone(world: World, source: Source) -> None:
    await allow(world)
    await world.revision(window="6s")
    source.value = 10.0
    await scale_by(world, queue(source))
    await until_replicas(world, 2)
    await world.reach("Unreachable")
    await until_replicas(world, 0)
    before = len(source.paths)
    await world.quiet(3 * INTERVAL_S)
    assert len(source.paths) == before, "its source is not asked any more"
    await world.reach("Reachable")
    await until_replicas(world, 2)


async def test_metrics_that_are_taken_away_count_no_more(world: World, source: Source) -> None:
    await allow(world)
    await world.revision(window="6s")
    source.value = 10.0
    await scale_by(world, queue(source))
    await until_replicas(world, 2)
    await scale_by(world)
    await until_replicas(world, 0)
    assert "metrics" not in (await world.decisions())[f"default/{NAME}"]


async def test_cpu_scales_between_one_and_many_and_lets_go_of_the_last_pod(world: World) -> None:
    cores = {"each": 1.4}

    def measured() -> list[dict[str, Any]]:
        pods = world.kube._server.list(world.kube._resource(POD), "default").items
        return [
            {
                "metadata": {key: pod["metadata"][key] for key in ("name", "namespace", "labels")},
                "containers": [{"name": "app", "usage": {"cpu": f"{round(cores['each'] * 1000)}m", "memory": "1Mi"}}],
            }
            for pod in pods
        ]

    world.kube._server.measured[POD_METRICS] = measured
    await world.revision(window="6s")
    await scale_by(world, {"type": "cpu", "target": "700m"}, {"type": "memory", "target": "100Mi"})
    await until_replicas(world, 2)
    cores["each"] = 0.7
    await until_value(world, 1.4, "cpu")
    await world.idle(20)
    assert await world.replicas() == 2, "on its target"
    cores["each"] = 0.05
    await until_replicas(world, 0)


async def test_cpu_without_a_metrics_api_holds_the_scale_and_says_what_to_do(world: World) -> None:
    await world.revision(window="6s")
    await scale_by(world, {"type": "cpu", "target": 70})

    async def told() -> bool:
        return any("there are no numbers of its pods yet" in text for _, text in await events(world))

    await until(world, told)
    await world.idle(30)
    assert await world.replicas() == 1


async def test_the_rate_of_requests_counts_beside_their_concurrency(world: World) -> None:
    await world.revision(window="6s", target="100")
    await scale_by(world, {"type": "rps", "target": 10})
    for _ in range(10):
        await world.report(1, count=40)
        await world.quiet(1)
        await world.follow()
    assert await world.replicas() == 4
    await world.idle(30)
    assert await world.replicas() == 0


async def test_the_target_in_the_list_is_the_target_of_the_revisions_own_metric(world: World) -> None:
    await world.revision(window="6s")
    await scale_by(world, {"type": "concurrency", "target": 200})
    found = (await world.decisions())[f"default/{NAME}"]
    assert (found["target"], "metrics" in found) == (200.0, False)


async def test_a_failing_metric_is_among_the_figures(new_world: Callable[[], World], source: Source) -> None:
    world = new_world()
    admin = free_port()
    await world.start(admin_port=admin)
    try:
        await world.revision(window="6s")
        await scale_by(world, queue(source))
        await until_value(world, None)
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{admin}/metrics") as answer:
            text = await answer.text()
        labels = f'metric="queue",namespace_name="default",revision_name="{NAME}"'
        assert f"swell_autoscaler_metric_failing{{{labels}}} 1.0" in text
    finally:
        await world.socket.close()
        await world.stop()


async def test_an_autoscaler_that_starts_while_a_source_fails_takes_nothing_away(
    new_world: Callable[[], World], source: Source
) -> None:
    world = new_world()
    await world.start()
    await allow(world)
    await world.revision(window="6s")
    source.value = 20.0
    await scale_by(world, queue(source))
    await until_replicas(world, 4)
    await world.socket.close()
    await world.stop()
    source.works = False
    await world.start()
    try:
        await until_value(world, None)
        await world.idle(60)
        assert await world.replicas() == 4
        source.works, source.value = True, 5.0
        await until_replicas(world, 1)
    finally:
        await world.socket.close()
        await world.stop()
