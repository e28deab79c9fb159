"""Scale-down: the pods that go are idle, and what is in flight at a pod that goes is finished."""

from __future__ import annotations

import asyncio

from swell.api.kinds import POD
from swell.testing.home import Objects, pod_is_ready, unique

QUICK = {"window": "6s"}


async def deployed(objects: Objects, pods: int) -> str:
    """A Service with so many pods that will soon be too many, whatever little is asked of it."""
    name = unique("drain")
    await objects.deploy(objects.service(name, annotations={**QUICK, "initial-scale": str(pods), "target": "10"}))
    await objects.until_pods(name, lambda found: sum(map(pod_is_ready, found)) == pods)
    return name


async def the_one_that_stays(objects: Objects, name: str) -> str:
    """Its instance. Front doors hear of pods that go a little later than we do."""
    await objects.until_pods(name, lambda pods: sum("deletionTimestamp" not in pod["metadata"] for pod in pods) == 1)
    async with asyncio.timeout(30):
        while len(found := {(await objects.get(name)).json()["instance"] for _ in range(20)}) > 1:
            pass
    return found.pop()


async def test_the_pod_with_a_request_in_flight_stays_and_the_idle_ones_go(objects: Objects) -> None:
    name = await deployed(objects, pods=4)
    long = asyncio.create_task(objects.get(name, "/?sleep_ms=20000"))
    stayed = await the_one_that_stays(objects, name)
    assert not long.done()
    answer = await long
    assert (answer.status, answer.json()["instance"]) == (200, stayed)


async def test_the_pod_with_a_tunnel_stays_and_the_idle_ones_go(objects: Objects) -> None:
    name = await deployed(objects, pods=4)
    host = {"Host": objects.home.host(name)}
    async with objects.session.ws_connect(objects.home.url("/ws"), headers=host) as socket:
        await socket.send_str("instance")
        instance = await socket.receive_str()
        assert await the_one_that_stays(objects, name) == instance
        await socket.send_str("still here")
        assert await socket.receive_str() == "STILL HERE"


async def test_a_pod_that_is_deleted_gets_nothing_new_and_finishes_what_it_has(objects: Objects) -> None:
    name = await deployed(objects, pods=2)
    before = {(await objects.get(name)).json()["instance"] for _ in range(30)}
    host = {"Host": objects.home.host(name)}
    async with objects.session.ws_connect(objects.home.url("/ws"), headers=host) as socket:
        await socket.send_str("up")
        assert await socket.receive_str() == "UP"
        long = [asyncio.create_task(objects.get(name, "/?sleep_ms=4000")) for _ in range(20)]
        await asyncio.sleep(1)
        for pod in await objects.pods(name):
            await objects.kube.delete(POD, objects.home.namespace, pod["metadata"]["name"])
        await objects.until_answer(name, lambda answer: answer.json()["instance"] not in before)
        later = [await objects.get(name) for _ in range(30)]
        answers = await asyncio.gather(*long)
        assert {answer.status for answer in (*later, *answers)} == {200}
        assert {answer.json()["instance"] for answer in answers} <= before
        assert before.isdisjoint(answer.json()["instance"] for answer in later)
        await socket.send_str("still here")
        assert await socket.receive_str() == "STILL HERE"
    await objects.gone(name)
