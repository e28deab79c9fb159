"""The main job: a Service goes from zero to several replicas by its requests, and back."""

from __future__ import annotations

import asyncio

from swell.api.kinds import POD_AUTOSCALER, REVISION
from swell.api.meta import condition_of, is_ready
from swell.testing.home import Objects, pod_is_ready, unique

QUICK = {"window": "6s"}


async def test_a_service_at_zero_answers_its_first_request_and_goes_back_to_zero(objects: Objects) -> None:
    name = unique("zero")
    await objects.deploy(objects.service(name, annotations=QUICK))
    await objects.gone(name)

    answer = await objects.get(name)

    assert answer.status == 200
    assert answer.json()["service"] == name
    await objects.gone(name)
    revision = f"{name}-00001"
    autoscaler = await objects.until(
        POD_AUTOSCALER, revision, lambda pa: condition_of(pa, "Active").get("status") == "False"
    )
    assert condition_of(autoscaler, "Active")["reason"] == "NoTraffic"
    seen = await objects.until(REVISION, revision, lambda r: condition_of(r, "Active").get("status") == "False")
    assert is_ready(seen), "a revision at zero stays Ready"


async def test_replicas_follow_the_concurrency_target(objects: Objects) -> None:
    name = unique("out")
    await objects.deploy(objects.service(name, annotations={**QUICK, "target": "4"}))
    stop = asyncio.Event()

    async def caller() -> int:
        failed = 0
        while not stop.is_set():
            answer = await objects.get(name, "/?sleep_ms=100")
            failed += answer.status != 200
        return failed

    callers = [asyncio.create_task(caller()) for _ in range(12)]
    # 12 in flight at 70 % of 4 each: five replicas.
    await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) >= 4)
    stop.set()
    assert sum(await asyncio.gather(*callers)) == 0
    await objects.gone(name)


async def test_min_and_max_scale_bound_the_replicas(objects: Objects) -> None:
    name = unique("bounds")
    bounds = {**QUICK, "min-scale": "2", "max-scale": "3", "target": "1"}
    await objects.deploy(objects.service(name, annotations=bounds))
    assert len(await objects.pods(name)) == 2
    requests = [asyncio.create_task(objects.get(name, "/?sleep_ms=8000")) for _ in range(20)]
    await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == 3)
    later = [asyncio.create_task(objects.get(name, "/?sleep_ms=100")) for _ in range(20)]
    answers = await asyncio.gather(*requests, *later)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["instance"] for answer in answers}) == 3
    assert len(await objects.pods(name)) == 3


async def test_initial_scale_is_what_a_new_revision_starts_with(objects: Objects) -> None:
    name = unique("initial")
    await objects.deploy(objects.service(name, annotations={**QUICK, "initial-scale": "3"}))
    assert len(await objects.pods(name)) == 3
    await objects.gone(name)


async def test_container_concurrency_is_never_exceeded_from_zero(objects: Objects) -> None:
    name = unique("one")
    await objects.deploy(objects.service(name, annotations=QUICK, containerConcurrency=1))
    await objects.gone(name)
    answers = await asyncio.gather(*(objects.get(name, "/?sleep_ms=200") for _ in range(30)))
    assert {answer.status for answer in answers} == {200}
    assert {answer.json()["in_flight_max"] for answer in answers} == {1}


async def test_twenty_services_cold_at_the_same_moment_all_answer(objects: Objects) -> None:
    names = [unique("cold") for _ in range(20)]
    for name in names:
        await objects.apply(objects.service(name, image=objects.home.images.hello, annotations=QUICK))
    await asyncio.gather(*(objects.ready(name) for name in names))
    await asyncio.gather(*(objects.gone(name) for name in names))

    answers = await asyncio.gather(*(objects.get(name) for name in names))

    assert [answer.status for answer in answers] == [200] * 20
    assert {answer.text for answer in answers} == {"Hello World!\n"}
