"""What is asked of pods past the front door: the whole autoscaler, with a queue-proxy's own statistics port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activator.proxy.server import ProxyServer
from activator.queueproxy.ports import StatisticsPort
from activator.queueproxy.settings import Settings
from activator.queueproxy.statistics import Statistics
from swell.api.kinds import CONFIG_MAP, POD
from swell.testing.clock import settle
from swell.testing.sidecar import environment

World = Any
NAME = "hello-00001"
SYSTEM = "swell-system"


class Queue:
    """The statistics of one pod, and the pod itself."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.statistics = Statistics(Settings.parse(environment(8080, "127.0.0.1")), world.clock)
        self._server: ProxyServer | None = None

    async def start(self) -> None:
        self.statistics.start()
        self._server = ProxyServer(StatisticsPort(self.statistics))
        await self._server.start("127.0.0.1", 0)
        labels = {"serving.knative.dev/revision": NAME, "serving.knative.dev/revisionUID": f"uid-{NAME}"}
        ports = [{"name": "http-autometric", "containerPort": self._server.listening_port}]
        containers = [{"name": "queue-proxy", "image": "queue", "ports": ports}]
        meta = {"name": f"{NAME}-pod", "namespace": "default", "labels": labels}
        pod = await self.world.kube.create(POD, {"metadata": meta, "spec": {"containers": containers}})
        status = {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "startTime": "2023-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        await self.world.kube.update(POD, {**pod, "status": status}, subresource="status")
        await settle()

    def arrive(self, requests: int, *, proxied: bool = False) -> None:
        for _ in range(requests):
            self.statistics.requests.arrive(self.world.clock.now(), proxied)

    def leave(self, requests: int, *, proxied: bool = False) -> None:
        for _ in range(requests):
            self.statistics.requests.leave(self.world.clock.now(), proxied)

    def cut(self) -> None:
        """Nobody answers any more."""
        assert self._server is not None
        self._server.close()

    async def seconds(self, count: int) -> None:
        """Time in which scrapes are answered."""
        for _ in range(count):
            await self.world.quiet(1)
            await asyncio.sleep(0.005)

    def close(self) -> None:
        self.statistics.close()
        self.cut()


@pytest.fixture
async def queue(world: World) -> AsyncIterator[Queue]:
    await world.revision(window="6s", target="1", ready=0)
    found = Queue(world)
    await found.start()
    yield found
    found.close()


async def decision(world: World) -> dict[str, Any]:
    found: dict[str, Any] = (await world.decisions())[f"default/{NAME}"]
    return found


async def test_what_is_asked_of_pods_directly_scales_and_holds_them(world: World, queue: Queue) -> None:
    queue.arrive(3)
    await queue.seconds(30)
    assert ((await decision(world))["stable_value"], await world.replicas()) == (3, 5)
    queue.leave(3)
    await queue.seconds(3)
    assert 0 < (await decision(world))["stable_value"] < 3, "idle pods say so: the average falls at once"
    await queue.seconds(20)
    assert await world.replicas() == 0


async def test_what_came_through_the_front_door_is_counted_once(world: World, queue: Queue) -> None:
    queue.arrive(3, proxied=True)
    for _ in range(10):
        await world.report(3)
        await queue.seconds(1)
    assert ((await decision(world))["stable_value"], await world.replicas()) == (3, 5)


async def test_direct_and_proxied_requests_add_up(world: World, queue: Queue) -> None:
    queue.arrive(2, proxied=True)
    queue.arrive(1)
    for _ in range(12):
        await world.report(2)
        await queue.seconds(1)
    assert (await decision(world))["stable_value"] == pytest.approx(3, abs=0.2)
    assert await world.replicas() == 5


async def test_pods_that_do_not_answer_take_nothing_away_and_reports_still_scale(world: World, queue: Queue) -> None:
    queue.arrive(3)
    await queue.seconds(30)
    assert await world.replicas() == 5
    queue.cut()
    await queue.seconds(60)
    assert await world.replicas() == 5, "nothing heard is not nothing asked"
    for _ in range(8):
        await world.report(6)
        await queue.seconds(1)
    assert await world.replicas() == 9
    for _ in range(20):
        await world.report(2)
        await queue.seconds(1)
    assert await world.replicas() == 3, "what the front door reports still counts, both ways"
    for _ in range(3):
        await world.report(0, count=0)
        await queue.seconds(10)
    assert await world.replicas() > 0, "but its silence is not all there is"


async def test_an_idle_pod_that_answers_goes(world: World, queue: Queue) -> None:
    await queue.seconds(30)
    assert await world.replicas() == 0


@pytest.mark.parametrize("way", ["burst", "mesh"])
async def test_where_scraping_is_off_the_front_doors_silence_is_all_there_is(
    world: World, queue: Queue, way: str
) -> None:
    if way == "burst":
        await world.annotate(target_burst_capacity="-1")
    else:
        data = {"mesh-compatibility-mode": "enabled"}
        await world.kube.create(CONFIG_MAP, {"metadata": {"name": "config-network", "namespace": SYSTEM}, "data": data})
    queue.cut()
    queue.arrive(3)
    await queue.seconds(40)
    assert await world.replicas() == 0
