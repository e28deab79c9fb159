"""Each program is replaced by `kubectl rollout restart` while requests come through the node port: none fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from swell.testing.home import Home, Objects, unique
from swell.testing.kubernetes import Installed
from swell.testing.load import Load, load
from swell.testing.peers import Address

pytestmark = pytest.mark.timeout(300)
SYSTEM = "swell-system"
PROGRAMS = ("activator", "autoscaler", "controller")
# The front door's grace, what is in flight in these tests, and a kubelet that is busy.
ROLLED_S = 120.0


@pytest.fixture(scope="module")
def home(kubernetes_cluster: Installed) -> Iterator[Home]:
    """With two of each program."""
    home = kubernetes_cluster.home
    deployments = [f"deployment/{name}" for name in PROGRAMS]
    home.kubectl("-n", SYSTEM, "scale", *deployments, "--replicas=2")
    for each in deployments:
        home.kubectl("-n", SYSTEM, "rollout", "status", each, "--timeout=80s")
    yield home
    home.kubectl("-n", SYSTEM, "scale", *deployments, "--replicas=1")


async def kubectl(home: Home, *arguments: str) -> str:
    """Beside the load, not instead of it."""
    return await asyncio.to_thread(home.kubectl, "-n", SYSTEM, *arguments)


async def pods_of(home: Home, program: str) -> set[str]:
    listed: dict[str, Any] = json.loads(await kubectl(home, "get", "pods", "-l", f"app={program}", "-o", "json"))
    return {pod["metadata"]["name"] for pod in listed["items"]}


async def roll(home: Home, program: str) -> None:
    """Returns once all of the program's pods are new ones, and the old ones have gone."""
    before = await pods_of(home, program)
    await kubectl(home, "rollout", "restart", f"deployment/{program}")
    await kubectl(home, "rollout", "status", f"deployment/{program}", "--timeout=80s")
    async with asyncio.timeout(ROLLED_S):
        while await pods_of(home, program) & before:
            await asyncio.sleep(0.5)
    assert len(await pods_of(home, program)) == len(before)


def gateway(home: Home) -> Address:
    host, _, port = home.gateway.rpartition(":")
    return host, int(port)


async def loaded(objects: Objects, seen: Load) -> None:
    await seen.more(100)
    assert seen.failures == []


async def test_front_doors_are_replaced_without_a_failed_request(home: Home) -> None:
    name = unique("rolling")
    async with home.client() as objects:
        await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
        await objects.until_answer(name, lambda answer: answer.status == 200)
        async with load(gateway(home), home.host(name), "/?sleep_ms=20") as seen:
            await loaded(objects, seen)
            await roll(home, "activator")
            await seen.more(100)
        assert seen.failures == []
        await objects.clean()


async def test_autoscalers_are_replaced_and_a_cold_start_meanwhile_is_answered(home: Home) -> None:
    warm, cold = unique("warm"), unique("cold")
    async with home.client() as objects:
        await objects.deploy(objects.service(warm, annotations={"window": "30s"}))
        await objects.deploy(objects.service(cold, annotations={"window": "6s"}))
        await objects.gone(cold)
        await objects.until_answer(warm, lambda answer: answer.status == 200)
        async with load(gateway(home), home.host(warm), "/?sleep_ms=20") as seen:
            await loaded(objects, seen)
            rolling = asyncio.create_task(roll(home, "autoscaler"))
            statuses = set()
            while not rolling.done():
                # Each in its turn finds the service at zero, or wakes it in the middle of a change of leaders.
                statuses.add((await objects.get(cold)).status)
                await asyncio.sleep(1)
            await rolling
            await seen.more(100)
        assert (seen.failures, statuses) == ([], {200})
        await objects.clean()


async def test_controllers_are_replaced_and_what_is_applied_meanwhile_becomes_ready(home: Home) -> None:
    warm = unique("warm")
    async with home.client() as objects:
        await objects.deploy(objects.service(warm, annotations={"min-scale": "1"}))
        await objects.until_answer(warm, lambda answer: answer.status == 200)
        async with load(gateway(home), home.host(warm), "/?sleep_ms=20") as seen:
            await loaded(objects, seen)
            rolling = asyncio.create_task(roll(home, "controller"))
            while not rolling.done():
                # The webhook answers all the while.
                await objects.deploy(objects.service(unique("new"), annotations={"window": "6s"}))
            await rolling
            await seen.more(100)
        assert seen.failures == []
        await objects.clean()
