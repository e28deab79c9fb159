"""A minute without the API server: requests are answered all the while, and nothing is taken away when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from swell.api.kinds import NODE
from swell.testing.home import Objects, unique
from swell.testing.kubernetes import Installed
from swell.testing.load import load
from swell.testing.node.node import Node
from swell.testing.waiting import until

pytestmark = pytest.mark.timeout(400)
AWAY_S = 60.0
# What a leader that is new knows nothing of must not end in these first seconds.
AFTERWARDS_S = 15.0


async def names(objects: Objects, service: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in await objects.pods(service)}


async def takes_pods(objects: Objects) -> bool:
    nodes = (await objects.kube.list(NODE)).items
    return not any(node["spec"].get("taints") for node in nodes)


async def takes_connections(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
def mortal(kubernetes_cluster: Installed) -> Iterator[Node]:
    """Afterwards it is good for the tests that follow."""
    node = kubernetes_cluster.node
    if node is None:
        pytest.skip("the API server of a cluster that is not ours stays up")
    yield node
    if node.process("kube-apiserver") is None:
        node.start_part("kube-apiserver")
    node.restart_followers()


async def test_a_minute_without_the_api_server(mortal: Node, kubernetes_cluster: Installed) -> None:
    home = kubernetes_cluster.home
    host, _, port = home.gateway.rpartition(":")
    busy, idle = unique("busy"), unique("idle")
    async with home.client() as objects:
        # Seven to eight requests in flight, 2.8 for each pod: three pods, in panic and after it.
        await objects.deploy(objects.service(busy, annotations={"window": "30s", "target": "4"}))
        await objects.deploy(objects.service(idle, annotations={"window": "30s"}))
        await objects.until_answer(busy, lambda answer: answer.status == 200)
        await objects.until_answer(idle, lambda answer: answer.status == 200)
        async with load((host, int(port)), home.host(busy), "/?sleep_ms=100") as seen:
            await objects.until_pods(busy, lambda pods: len(pods) >= 3)
            await seen.more(50)
            before = await names(objects, busy), await names(objects, idle)
            await asyncio.to_thread(mortal.stop_part, "kube-apiserver")
            answered = seen.answered
            await asyncio.sleep(AWAY_S)
            assert seen.answered - answered > AWAY_S, "they are answered meanwhile"
            assert (await objects.get(idle)).status == 200
            await asyncio.to_thread(mortal.start_part, "kube-apiserver")
            async with asyncio.timeout(AFTERWARDS_S + 60):
                for _ in range(int(AFTERWARDS_S)):
                    await asyncio.sleep(1)
                    assert before[0] <= await names(objects, busy)
                    assert before[1] <= await names(objects, idle)
            await seen.more(50)
        assert seen.failures == []
        await objects.gone(idle, timeout_s=120)
        # The node was not heard of either: until it is, it takes no pods, and those that it has are out of Services, so
        # that new connections are refused.
        await until(lambda: takes_pods(objects))
        await until(lambda: takes_connections(host, int(port)))
        again = await objects.get(idle)
        assert again.status == 200, f"from zero again: {again.text}"
        await objects.clean()
