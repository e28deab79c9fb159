"""Election over real Leases in virtual time: never two leaders, soon a new one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from swell.api.kinds import LEASE, Kind
from swell.api.meta import Obj
from swell.kube.client import ObjList, WatchEvent
from swell.kube.errors import Unavailable
from swell.kube.leader import LEASE_S, LEAVE_MAX_S, RENEW_WITHIN_S, RETRY_S, Elector, Turns
from swell.local.apiserver.server import StoreClient
from swell.testing.clock import ManualClock, settle


class Candidate:
    """One program that wants to lead; its way to the API can be cut."""

    def __init__(self, name: str, kube: StoreClient, clock: ManualClock) -> None:
        self.leading = False
        self.cut = False
        self.asked: Counter[str] = Counter()
        self.standing_by = 0
        self._kube = kube
        self._elector = Elector(
            self,  # type: ignore[arg-type]
            "default",
            "controller",
            name,
            clock,
            on_standby=self._stand_by,
        )
        self._task = asyncio.create_task(self._elector.run(self._lead))

    async def _lead(self) -> None:
        self.leading = True
        try:
            await asyncio.Event().wait()
        finally:
            self.leading = False

    def _stand_by(self) -> None:
        self.standing_by += 1

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        self._check("get")
        return await self._kube.get(kind, namespace, name)

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        self._check("create")
        return await self._kube.create(kind, obj)

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        self._check("update")
        return await self._kube.update(kind, obj)

    async def list(self, kind: Kind, namespace: str | None = None, **options: Any) -> ObjList:
        self._check("list")
        return await self._kube.list(kind, namespace, **options)

    async def watch(self, kind: Kind, namespace: str | None = None, **options: Any) -> AsyncIterator[WatchEvent]:
        self._check("watch")
        async for event in self._kube.watch(kind, namespace, **options):
            self._check("event")
            yield event

    def _check(self, what: str) -> None:
        self.asked[what] += 1
        if self.cut:
            raise Unavailable(503, "ServiceUnavailable", "cut")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def kill(self) -> None:
        """It goes without a word."""
        self.cut = True
        self._task.cancel()


Join = Callable[..., Awaitable[list[Candidate]]]
Pair = tuple[Candidate, Candidate]


@pytest.fixture
async def join(store_client: StoreClient, clock: ManualClock) -> AsyncIterator[Join]:
    """Candidates of these names begin at the same moment, and have tried once; they stop at the end."""
    joined: list[Candidate] = []

    async def begin(*names: str) -> list[Candidate]:
        new = [Candidate(name, store_client, clock) for name in names]
        joined.extend(new)
        await settle()
        return new

    yield begin
    for each in reversed(joined):
        await each.stop()


@pytest.fixture
async def pair(join: Join) -> Pair:
    """The first leads, the second stands by."""
    (first,), (second,) = await join("first"), await join("second")
    assert leading(first, second) == (True, False)
    return first, second


def leading(*candidates: Candidate) -> tuple[bool, ...]:
    return tuple(each.leading for each in candidates)


async def test_one_leads_and_when_it_stops_another_takes_over_at_once(
    pair: Pair, store_client: StoreClient, clock: ManualClock
) -> None:
    first, second = pair
    await clock.pass_time(60, step_s=0.5)
    assert leading(first, second) == (True, False)
    await first.stop()
    await settle(100)
    assert leading(first, second) == (False, True), "no time has passed"
    lease = await store_client.get(LEASE, "default", "controller")
    assert lease["spec"]["holderIdentity"] == "second"
    assert lease["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_dies_is_replaced_once_its_lease_has_run_out(pair: Pair, clock: ManualClock) -> None:
    first, second = pair
    first.kill()
    await clock.pass_time(LEASE_S - 2 * RETRY_S, step_s=0.5)
    assert not second.leading
    await clock.pass_time(3 * RETRY_S, step_s=0.5)
    assert second.leading


async def test_a_leader_that_cannot_renew_stops_before_another_starts(join: Join, clock: ManualClock) -> None:
    both = await join("first", "second")
    leader, other = sorted(both, key=lambda each: each.leading, reverse=True)
    assert leading(leader, other) == (True, False)
    leader.cut = True
    changes: list[tuple[float, bool]] = []
    for _ in range(100):
        await clock.pass_time(0.25, step_s=0.25)
        assert not (leader.leading and other.leading)
        changes.append((clock.now(), leader.leading))
    stopped_s = next(at_s for at_s, leads in changes if not leads)
    assert stopped_s <= RENEW_WITHIN_S + RETRY_S + 0.5
    assert other.leading
    leader.cut = False
    await clock.pass_time(30, step_s=0.5)
    assert leading(leader, other) == (False, True)


async def test_a_standby_only_listens(pair: Pair, clock: ManualClock) -> None:
    first, second = pair
    assert (first.standing_by, second.standing_by) == (0, 1)
    first.asked.clear()
    second.asked.clear()
    await clock.pass_time(60, step_s=0.5)
    assert first.asked.keys() == {"update"}, "a leader renews with one write and reads nothing"
    assert second.asked.keys() == {"event"}


async def test_a_lease_that_is_deleted_is_taken_at_once(pair: Pair, store_client: StoreClient) -> None:
    first, second = pair
    first.kill()
    await store_client.delete(LEASE, "default", "controller")
    await settle(100)
    assert second.leading


async def test_a_standby_whose_watch_is_dead_asks_again_when_the_lease_should_have_run_out(
    pair: Pair, clock: ManualClock
) -> None:
    first, second = pair
    second.cut = True
    await clock.pass_time(40, step_s=0.5)
    assert leading(first, second) == (True, False)
    await first.stop()
    second.cut = False
    await clock.pass_time(2 * RETRY_S, step_s=0.5)
    assert second.leading


async def test_after_an_outage_the_leader_of_before_leads_again_within_a_retry(join: Join, clock: ManualClock) -> None:
    (only,) = await join("only")
    only.cut = True
    await clock.pass_time(60, step_s=0.5)
    assert not only.leading
    only.cut = False
    await clock.pass_time(2 * RETRY_S, step_s=0.5)
    assert only.leading


async def test_what_the_work_raises_reaches_the_caller(store_client: StoreClient, clock: ManualClock) -> None:
    async def fail() -> None:
        raise ValueError("a bug")

    elector = Elector(store_client, "default", "controller", "me", clock)
    with pytest.raises(ValueError, match="a bug"):
        await elector.run(fail)
    assert (await store_client.get(LEASE, "default", "controller"))["spec"]["holderIdentity"] == ""
    assert clock.pending == 0


@pytest.mark.parametrize(
    ("programs", "leases", "least"), [(1, 6, 6), (2, 2, 1), (3, 3, 1), (2, 6, 2), (3, 6, 1), (2, 1, 0)]
)
async def test_several_leases_are_spread_over_the_programs_that_start_together(
    store_client: StoreClient, clock: ManualClock, programs: int, leases: int, least: int
) -> None:
    running = []
    for program in range(programs):
        turns = Turns()
        for lease in range(leases):
            elector = Elector(store_client, "default", f"lease-{lease}", f"program-{program}", clock, turns=turns)
            running.append(asyncio.create_task(elector.run(asyncio.Event().wait)))
    await clock.pass_time(leases * LEAVE_MAX_S, step_s=0.25)
    held = Counter({f"program-{program}": 0 for program in range(programs)})
    for lease in range(leases):
        held[(await store_client.get(LEASE, "default", f"lease-{lease}"))["spec"]["holderIdentity"]] += 1
    assert held.total() == leases
    assert min(held.values()) >= least
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
