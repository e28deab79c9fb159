"""Callers inside the cluster may use the address of a pod: the front door does not see them, the autoscaler does."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from swell.testing.home import Objects, pod_is_ready, unique

WINDOW_S = 6.0


async def test_a_pod_that_is_called_directly_stays_and_goes_when_the_calls_end(objects: Objects) -> None:
    name = unique("direct")
    await objects.deploy(objects.service(name, annotations={"window": f"{WINDOW_S:g}s"}))
    # A Service is Ready as soon as its pod answers; where the pod is may be told a little later.
    (pod,) = await objects.until_pods(name, lambda pods: any(map(pod_is_ready, pods)))
    address = f"http://{pod['status']['podIP']}:{_queue_port(pod)}/"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        try:
            await _call(session, address)
        except (aiohttp.ClientConnectionError, TimeoutError) as exc:
            pytest.skip(f"pods of this home have no address that a test reaches: {exc}")
        until_s = time.monotonic() + 4 * WINDOW_S
        while time.monotonic() < until_s:
            assert await _call(session, address) == 200
            await asyncio.sleep(0.1)
    assert [each["metadata"]["uid"] for each in await objects.pods(name)] == [pod["metadata"]["uid"]]
    await objects.gone(name)


async def _call(session: aiohttp.ClientSession, address: str) -> int:
    async with session.get(address) as answer:
        await answer.read()
        return answer.status


def _queue_port(pod: dict[str, object]) -> int:
    containers = pod["spec"]["containers"]  # type: ignore[index]
    ports = next(each["ports"] for each in containers if each["name"] == "queue-proxy")
    return next(int(port["containerPort"]) for port in ports if port["name"] == "queue-port")
