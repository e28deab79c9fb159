"""Who leads, where activators find it, what it says of itself, and what becomes of pods when all of that changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed

from autoscaler.program import Settings, run
from swell.api.kinds import DEPLOYMENT, ENDPOINT_SLICE, LEASE, POD
from swell.kube.errors import NotFound
from swell.kube.leader import LEASE_S
from swell.testing.clock import settle
from swell.testing.peers import free_port
from swell.testing.waiting import until

World = Any
SYSTEM = "swell-system"
ELECTED = {"leader_election": True, "pod_name": "autoscaler-1", "pod_ip": "10.0.0.1"}


@pytest.fixture
async def elected(new_world: Callable[[], World]) -> AsyncIterator[World]:
    """An autoscaler that leads, on a port that it keeps."""
    world = new_world()
    world.port = free_port()
    await world.start(**ELECTED)
    try:
        yield world
    finally:
        if world.socket is not None:
            await world.socket.close()
        await world.stop()


async def address(world: World) -> list[str]:
    """Where the Service sends to."""
    try:
        found = await world.kube.get(ENDPOINT_SLICE, SYSTEM, "autoscaler")
    except NotFound:
        return []
    return [
        f"{ip}:{port['port']}"
        for endpoint in found["endpoints"]
        for ip in endpoint["addresses"]
        for port in found["ports"]
    ]


async def test_the_one_that_leads_is_where_the_service_sends_to(elected: World) -> None:
    assert await address(elected) == [f"10.0.0.1:{elected.port}"]
    written = await elected.kube.get(ENDPOINT_SLICE, SYSTEM, "autoscaler")
    assert written["metadata"]["labels"]["kubernetes.io/service-name"] == "autoscaler"
    assert (written["addressType"], written["ports"][0]["name"]) == ("IPv4", "websocket")


async def test_whoever_spoils_or_deletes_the_address_is_put_right(elected: World) -> None:
    await elected.kube.patch(ENDPOINT_SLICE, SYSTEM, "autoscaler", {"endpoints": [], "ports": []})
    await settle(50)
    assert await address(elected) == [f"10.0.0.1:{elected.port}"]
    await elected.kube.delete(ENDPOINT_SLICE, SYSTEM, "autoscaler")
    await settle(50)
    assert await address(elected) == [f"10.0.0.1:{elected.port}"]


async def test_who_stops_in_order_takes_itself_out_and_gives_the_lease_back(elected: World) -> None:
    await elected.stop()
    assert await address(elected) == []
    assert (await elected.kube.get(LEASE, SYSTEM, "autoscaler-bucket-00-of-01"))["spec"]["holderIdentity"] == ""


async def test_the_next_one_takes_over_within_the_same_moment(elected: World) -> None:
    stop, ports = asyncio.Event(), asyncio.Queue[int]()
    settings = Settings(
        SYSTEM, "127.0.0.1", 0, leader_election=True, pod_name="autoscaler-2", pod_ip="10.0.0.2", admin_port=free_port()
    )
    standby = asyncio.create_task(run(settings, elected.kube, elected.clock, stop, ports.put_nowait))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.admin_port}") as session, asyncio.timeout(20):
        await until(lambda: is_ready(session))
        assert 'swell_leader{lease="autoscaler-bucket-00-of-01"} 0.0' in await text(session, "/metrics")
        assert await address(elected) == [f"10.0.0.1:{elected.port}"], "who stands by is not written"
        before_s = elected.clock.now()
        await elected.stop()
        port = await ports.get()
        await settle(50)
        assert await address(elected) == [f"10.0.0.2:{port}"]
        assert elected.clock.now() == before_s
        assert 'swell_leader{lease="autoscaler-bucket-00-of-01"} 1.0' in await text(session, "/metrics")
    stop.set()
    await standby


async def text(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        return await answer.text()


async def is_ready(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False  # it does not listen yet


async def test_its_admin_port_tells_of_its_work(new_world: Callable[[], World]) -> None:
    world = new_world()
    await world.start(admin_port=(port := free_port()))
    try:
        await world.revision(window="6s")
        await world.load(1, 4)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            assert [(await session.get(path)).status for path in ("/livez", "/readyz", "/")] == [200, 200, 404]
            found = await text(session, "/metrics")
        for line in (
            'swell_leader{lease="autoscaler-bucket-00-of-01"} 1.0',
            'swell_queue_depth{controller="podautoscaler"} 0.0',
            "swell_autoscaler_activators 1.0",
            "swell_autoscaler_revisions 1.0",
        ):
            assert line in found
        for name in ("swell_autoscaler_ticks_total", 'swell_reconciliations_total{controller="podautoscaler",outcome'):
            assert name in found
        assert "process_resident_memory_bytes" in found
    finally:
        if world.socket is not None:
            await world.socket.close()
        await world.stop()


async def test_nothing_scales_down_because_the_api_server_was_away(elected: World) -> None:
    await elected.revision(target="10", window="30s", replicas=5)
    await elected.load(35, 40)
    assert await elected.replicas() == 5
    elected.api.cut()
    await elected.quiet(60)
    with pytest.raises(ConnectionClosed):
        await elected.report(35)
    # While it was away nobody could say that the pods were ready: for Kubernetes they are not, for now.
    for pod in (await elected.kube.list(POD, "default")).items:
        status = {**pod["status"], "conditions": [{"type": "Ready", "status": "False"}]}
        await elected.kube.update(POD, {**pod, "status": status}, subresource="status")
    await elected.back()
    elected.kube.scaled.clear()
    # One of several activators is back, and has little to tell.
    await elected.connect()
    await elected.load(3, 10)
    assert (await elected.replicas(), elected.kube.scaled) == (5, [])
    await elected.load(100, 10)
    assert await elected.replicas() > 5, "it scales out again"


async def test_a_revision_with_one_pod_keeps_it_for_a_window_after_the_outage_and_then_goes_to_zero(
    elected: World,
) -> None:
    await elected.revision(window="30s")
    await elected.load(1, 5)
    elected.api.cut()
    await elected.quiet(60)
    await elected.back()
    await elected.connect()
    await elected.quiet(20)
    assert await elected.replicas() == 1
    await elected.idle(20)
    assert await elected.replicas() == 0


async def test_a_first_request_in_the_gap_between_two_leaders_is_only_late(elected: World) -> None:
    await elected.at_zero()
    await elected.stop()
    await elected.start(heard=False, **ELECTED)
    await elected.connect()
    await elected.report(1)
    assert await elected.replicas() == 1


async def test_a_leader_that_nobody_can_reach_ends_within_the_lease_and_leads_again_when_it_can(
    elected: World,
) -> None:
    elected.api.cut()
    await elected.quiet(LEASE_S)
    with pytest.raises(ConnectionClosed):
        await elected.report(1)
    await elected.back()
    await elected.connect()
    lease = await elected.kube.get(LEASE, SYSTEM, "autoscaler-bucket-00-of-01")
    assert lease["spec"]["holderIdentity"] == "autoscaler-1"
    assert (await elected.kube.list(DEPLOYMENT, "default")).items == []
