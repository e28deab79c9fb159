"""A scale-down over the real API server and a real websocket: the costs are right before the replicas are written."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect

from autoscaler.metrics.receive import LOADS_S
from swell.api.kinds import POD
from swell.api.pod_cost import DELETION_COST
from swell.testing.clock import settle
from swell.wire.loads import ANSWERS_HEADER, ANSWERS_LOADS, PodLoads, decode_question, encode_loads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

World = Any


@asynccontextmanager
async def answering(world: World) -> AsyncIterator[ClientConnection]:
    """An activator that says what it has in flight."""
    url = f"ws://127.0.0.1:{world.port}"
    async with connect(url, compression=None, additional_headers={ANSWERS_HEADER: ANSWERS_LOADS}) as socket:
        await (await socket.ping())
        yield socket


async def costs(world: World) -> dict[str, str]:
    pods = (await world.kube.list(POD, "default")).items
    return {pod["metadata"]["name"]: (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "") for pod in pods}


async def test_the_idle_pod_is_the_cheapest_when_the_replicas_are_written(world: World) -> None:
    async with answering(world) as activator:
        await world.revision(replicas=3, min_scale="3", window="6s")
        busy, idle, busy_too = await costs(world)
        await world.quiet(20)
        await world.annotate(min_scale="2")
        async with asyncio.timeout(20):
            question = await activator.recv()
        assert isinstance(question, bytes)
        revision = decode_question(question)
        assert (revision, world.kube.scaled) == (("default", "hello-00001"), [])
        await activator.send(encode_loads(PodLoads(*revision, {busy: 1, busy_too: 2})))
        async with asyncio.timeout(20):
            while world.kube.scaled != [2]:
                await asyncio.sleep(0.01)
        assert await costs(world) == {busy: "", idle: "-1", busy_too: ""}


async def test_an_activator_that_says_nothing_holds_a_scale_down_up_for_seconds_only(world: World) -> None:
    async with answering(world) as activator:
        await world.revision(replicas=3, min_scale="3", window="6s")
        await world.quiet(20)
        await world.annotate(min_scale="2")
        async with asyncio.timeout(20):
            await activator.recv()
        await world.clock.pass_time(LOADS_S - 0.1)
        assert world.kube.scaled == []
        await world.clock.pass_time(0.2)
        await settle()
        assert world.kube.scaled == [2]
