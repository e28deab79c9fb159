"""Several autoscalers, each the owner of some buckets: who decides for what, and what becomes of it when one goes.

Spec autoscaling 7.1 and 7.2. Activators are real ones' connections and reports; all owners listen on one address, as
they do behind the Service.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from activator.reporting.owners import Owners
from activator.reporting.report import RevisionReport
from autoscaler.program import Settings, run
from swell.api.buckets import bucket_of, bucket_url
from swell.api.kinds import CONFIG_MAP, ENDPOINT_SLICE, HORIZONTAL_POD_AUTOSCALER, LEASE
from swell.kube.errors import NotFound
from swell.kube.leader import LEASE_S
from swell.runtime.errors import SettingsError
from swell.runtime.tasks import Daemons
from swell.testing.clock import settle
from swell.testing.outage import CutOff
from swell.testing.peers import free_port, free_ports_in_a_row
from swell.testing.waiting import STEP_S
from swell.wire.loads import PodLoads, decode_question, encode_loads
from swell.wire.report import encode_messages
from swell.wire.stats import Stat

World = Any
SYSTEM = "swell-system"
ZERO, ONE = (next(f"r-{n}" for n in range(99) if bucket_of("default", f"r-{n}", 2) == bucket) for bucket in (0, 1))
"""A revision of each of two buckets."""


class Replica:
    """One autoscaler; its way to the API can be cut."""

    def __init__(self, world: World, name: str, port: int, admin_port: int = 0) -> None:
        self._api = CutOff(world.kube)
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(
            run(
                Settings(
                    SYSTEM,
                    "127.0.0.1",
                    port,
                    leader_election=True,
                    pod_name=name,
                    pod_ip="127.0.0.1",
                    admin_port=admin_port,
                ),
                self._api,
                world.clock,
                self._stop,
            )
        )

    async def stop(self) -> None:
        self._stop.set()
        await self._task

    async def kill(self) -> None:
        """It goes without a word to anybody."""
        self._api.cut()
        self._task.cancel()
        await asyncio.wait((self._task,))


class Buckets:
    """A world with several autoscalers and one activator."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.port = free_ports_in_a_row(2)
        self.replicas: list[Replica] = []
        self.asked: list[tuple[str, str]] = []
        self._daemons = Daemons()
        self.owners = Owners(
            "activator-1",
            world.clock,
            f"ws://127.0.0.1:{self.port}",
            lambda: (),
            self._answer,
            lambda: None,
            self._daemons.spawn,
        )

    async def begin(self, *names: str, buckets: int = 2) -> None:
        """These autoscalers start at the same moment, among so many buckets, and the activator has found all owners."""
        await self.configure(str(buckets))
        for name in names:
            await self.join(name)
        await self.until(lambda: self.held(buckets))
        self.owners.start()
        await self.until(lambda: self.reached(buckets))
        await self.world.quiet(3)

    async def configure(self, buckets: str) -> None:
        config = {"metadata": {"name": "config-leader-election", "namespace": SYSTEM}, "data": {"buckets": buckets}}
        try:
            await self.world.kube.get(CONFIG_MAP, SYSTEM, "config-leader-election")
        except NotFound:
            await self.world.kube.create(CONFIG_MAP, config)
        else:
            await self.world.kube.patch(CONFIG_MAP, SYSTEM, "config-leader-election", {"data": config["data"]})

    async def join(self, name: str, admin_port: int = 0) -> Replica:
        replica = Replica(self.world, name, self.port, admin_port)
        self.replicas.append(replica)
        await settle()
        return replica

    async def until(self, seen: Callable[[], Awaitable[bool]], within_s: float = 60.0) -> None:
        """Sockets have their time, and then virtual time goes on, as much of it on a slow machine as on a fast one."""
        for _ in range(int(within_s * 2)):
            for _ in range(20):
                if await seen():
                    return
                await asyncio.sleep(STEP_S)
            await self.world.quiet(0.5)
        raise AssertionError("never so")

    async def held(self, buckets: int) -> bool:
        """Whether each bucket has an owner who can be found."""
        return all([await self.address(bucket) for bucket in range(buckets)]) and all(await self.holders(buckets))

    async def reached(self, buckets: int) -> bool:
        return len(self.owners._streams) == buckets and self.owners.connected

    async def holders(self, buckets: int) -> list[str]:
        found = []
        for bucket in range(buckets):
            try:
                lease = await self.world.kube.get(LEASE, SYSTEM, f"autoscaler-bucket-{bucket:02d}-of-{buckets:02d}")
            except NotFound:
                found.append("")
            else:
                found.append(lease["spec"]["holderIdentity"])
        return found

    async def address(self, bucket: int) -> list[tuple[str, str, int]]:
        """Port name, address and port where a bucket's owner is found."""
        try:
            name = f"autoscaler-{bucket:02d}" if bucket else "autoscaler"
            found = await self.world.kube.get(ENDPOINT_SLICE, SYSTEM, name)
        except NotFound:
            return []
        (port,) = found["ports"]
        return [(port["name"], ip, port["port"]) for each in found["endpoints"] for ip in each["addresses"]]

    async def decided(self, bucket: int) -> set[str]:
        """The revisions that the owner of a bucket decides for."""
        return {*json.loads((await self.world.http("/decisions", self.port + bucket))[1])}

    def busy(self, name: str, requests: int) -> RevisionReport:
        """So many requests are in flight from now on."""
        report = self.owners.revision("default", name)
        for _ in range(requests):
            report.arrive(self.world.clock.now())
        return report

    async def go_on(self, seconds: int, *names: str) -> None:
        """Pods follow, reports go out and arrive."""
        for _ in range(seconds):
            await self.world.quiet(1)
            for name in names:
                await self.world.follow(name)

    async def close(self) -> None:
        self.owners.close()
        await self._daemons.close()
        for replica in self.replicas:
            if not replica._task.done():
                await replica.stop()

    def _answer(self, question: bytes) -> bytes:
        asked = decode_question(question)
        self.asked.append(asked)
        return encode_loads(PodLoads(*asked, {}))


@pytest.fixture
async def buckets(new_world: Callable[[], World]) -> AsyncIterator[Buckets]:
    found = Buckets(new_world())
    try:
        yield found
    finally:
        await found.close()


async def test_of_two_autoscalers_that_start_together_each_owns_one_of_two_buckets(buckets: Buckets) -> None:
    await buckets.begin("a", "b")
    assert sorted(await buckets.holders(2)) == ["a", "b"]
    assert await buckets.address(0) == [("websocket", "127.0.0.1", buckets.port)]
    assert await buckets.address(1) == [("bucket-01", "127.0.0.1", buckets.port + 1)]


async def test_each_owner_decides_for_its_own_revisions_only(buckets: Buckets) -> None:
    await buckets.begin("a", "b")
    for name in (ZERO, ONE):
        await buckets.world.revision(name, target="10", window="6s")
    await buckets.world.revision("by-kubernetes", **{"class": "hpa.autoscaling.knative.dev"})
    reports = [buckets.busy(name, 35) for name in (ZERO, ONE)]
    await buckets.go_on(8, ZERO, ONE)
    assert [await buckets.world.replicas(name) for name in (ZERO, ONE)] == [5, 5]
    assert await buckets.decided(0) == {f"default/{ZERO}"}
    assert await buckets.decided(1) == {f"default/{ONE}"}
    assert len((await buckets.world.kube.list(HORIZONTAL_POD_AUTOSCALER, "default")).items) == 1
    assert buckets.owners.lost == 0
    for report in reports:
        for _ in range(30):
            report.leave(buckets.world.clock.now())
    await buckets.go_on(15, ZERO, ONE)
    assert [await buckets.world.replicas(name) for name in (ZERO, ONE)] == [1, 1]
    assert {*buckets.asked} == {("default", ZERO), ("default", ONE)}, "each owner asks on its own connection"


async def test_why_is_answered_by_the_owner_and_others_point_to_it(buckets: Buckets) -> None:
    await buckets.begin("a", "b")
    await buckets.world.revision(ONE, window="6s")
    await buckets.go_on(4)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{buckets.port}") as session:
        async with session.get(f"/why/default/{ONE}?at=1", allow_redirects=False) as answer:
            assert answer.status == 307
            assert answer.headers["Location"] == f"http://127.0.0.1:{buckets.port + 1}/why/default/{ONE}?at=1"
        async with session.get(f"/why/default/{ONE}") as answer:
            assert (await answer.json())["revision"] == f"default/{ONE}"


async def test_an_activator_that_reports_to_one_address_is_heard_by_all_owners(buckets: Buckets) -> None:
    """As the reference's does."""
    await buckets.begin("a", "b")
    buckets.owners.close()
    await buckets._daemons.close()
    stat = Stat(pod_name="activator", average_concurrent_requests=35, request_count=35)
    async with connect(bucket_url(f"ws://127.0.0.1:{buckets.port}", 0), compression=None, ping_interval=None) as one:
        for name in (ZERO, ONE):
            await buckets.world.revision(name, target="10", window="6s")
        for _ in range(10):
            await one.send(encode_messages([("default", name, stat) for name in (ZERO, ONE)]))
            await (await one.ping())
            await buckets.go_on(1, ZERO, ONE)
        assert [await buckets.world.replicas(name) for name in (ZERO, ONE)] == [5, 5]
        # Its silence is heard too.
        await buckets.go_on(30, ZERO, ONE)
        assert [await buckets.world.replicas(name) for name in (ZERO, ONE)] == [0, 0]
        await one.send(encode_messages([("default", ONE, stat)]))
        await buckets.until(lambda: _has(buckets, ONE))


async def _has(buckets: Buckets, name: str) -> bool:
    return bool(await buckets.world.replicas(name))


async def test_of_two_owners_under_load_one_dies_and_the_other_goes_on_with_its_history(buckets: Buckets) -> None:
    world = buckets.world
    await world.activator("activator-1")
    await buckets.begin("a", "b")
    for name in (ZERO, ONE):
        await world.revision(name, target="10", window="60s")
    reports = [buckets.busy(name, 35) for name in (ZERO, ONE)]
    await buckets.go_on(65, ZERO, ONE)
    assert [await world.replicas(name) for name in (ZERO, ONE)] == [5, 5]
    holders = await buckets.holders(2)
    for _ in range(30):
        reports[1].leave(world.clock.now())
    await buckets.replicas["ab".index(holders[1])].kill()
    await buckets.go_on(int(LEASE_S), ZERO)
    await buckets.until(lambda: _all_held_by(buckets, holders[0]), 5)
    await buckets.until(lambda: buckets.reached(2))
    await buckets.go_on(3, ZERO, ONE)
    # 5 are in flight now. Most of the last minute, in which there were 35, only the activator remembers.
    decisions = json.loads((await world.http("/decisions", buckets.port + 1))[1])
    assert 10 < decisions[f"default/{ONE}"]["stable_value"] < 32
    assert (await world.replicas(ZERO), await world.replicas(ONE) >= 2) == (5, True)
    for _ in range(35):
        reports[1].arrive(world.clock.now())
    await buckets.go_on(65, ZERO, ONE)
    assert [await world.replicas(name) for name in (ZERO, ONE)] == [5, 6]


async def _all_held_by(buckets: Buckets, name: str) -> bool:
    return await buckets.holders(2) == [name, name]


async def test_another_number_of_buckets_moves_revisions_while_requests_go_on(buckets: Buckets) -> None:
    world = buckets.world
    await buckets.begin("a", "b", buckets=1)
    for name in (ZERO, ONE):
        await world.revision(name, target="10", window="20s")
        buckets.busy(name, 35)
    await buckets.go_on(25, ZERO, ONE)
    world.kube.scaled.clear()
    await buckets.configure("2")
    await buckets.until(lambda: buckets.held(2))
    await buckets.until(lambda: buckets.reached(2))
    assert sorted(await buckets.holders(2)) == ["a", "b"]
    await buckets.go_on(25, ZERO, ONE)
    assert (await buckets.decided(0), await buckets.decided(1)) == ({f"default/{ZERO}"}, {f"default/{ONE}"})
    await buckets.configure("1")
    await buckets.until(lambda: buckets.reached(1))
    await buckets.go_on(25, ZERO, ONE)
    assert await buckets.decided(0) == {f"default/{ZERO}", f"default/{ONE}"}
    assert world.kube.scaled == []
    assert [await world.replicas(name) for name in (ZERO, ONE)] == [5, 5]


async def test_a_number_of_buckets_that_cannot_be_changes_nothing_and_keeps_who_starts_from_starting(
    buckets: Buckets,
) -> None:
    await buckets.begin("a", "b")
    await buckets.configure("eleven")
    await buckets.world.quiet(5)
    assert sorted(await buckets.holders(2)) == ["a", "b"]
    late = await buckets.join("c")
    with pytest.raises(SettingsError, match="config-leader-election: buckets"):
        await late._task


async def test_the_figures_of_who_owns_several_buckets_say_of_which_they_are(buckets: Buckets) -> None:
    await buckets.configure("2")
    await buckets.join("a", admin_port=(admin_port := free_port()))
    await buckets.until(lambda: buckets.held(2))
    text = (await buckets.world.http("/metrics", admin_port))[1]
    families = {family.name: family for family in text_string_to_metric_families(text)}
    revisions = families["swell_autoscaler_revisions"].samples
    assert [(each.labels, each.value) for each in revisions] == [({"bucket": "00"}, 0.0), ({"bucket": "01"}, 0.0)]
    assert {each.labels["lease"]: each.value for each in families["swell_leader"].samples} == {
        "autoscaler-bucket-00-of-02": 1.0,
        "autoscaler-bucket-01-of-02": 1.0,
    }
