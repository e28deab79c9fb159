"""When the app is probed and who gets the result, in virtual time: spec dataplane 3.7, C51, C52, C56, C75."""

from __future__ import annotations

import asyncio

from activator.queueproxy.probe import Outcome, Probe
from activator.queueproxy.readiness import Readiness
from swell.testing.clock import ManualClock, settle

TCP = Probe("tcpSocket", 8080)
HTTP = Probe("httpGet", 8081)
PERIODIC = Probe("httpGet", 8080, period_s=5, timeout_s=1)


class World:
    """An app that answers probes by port: `outcomes[port]`, or nobody there. `attempts` has the times."""

    def __init__(self, *probes: Probe) -> None:
        self.clock = ManualClock()
        self.outcomes: dict[int, Outcome] = {}
        self.attempts: list[float] = []
        self.readiness = Readiness(probes, self._attempt, self.clock)

    async def _attempt(self, probe: Probe) -> Outcome:
        self.attempts.append(round(self.clock.now(), 3))
        return self.outcomes.get(probe.port, Outcome.ABSENT)

    def listen(self, *ports: int) -> None:
        self.outcomes.update(dict.fromkeys(ports, Outcome.PASSED))


async def finished(world: World, *checks: asyncio.Task[bool]) -> list[bool]:
    await settle()
    return [check.result() for check in checks]


async def test_case_51_an_aggressive_check_fails_after_ten_seconds_for_all_callers_together() -> None:
    world = World(TCP)
    first = asyncio.create_task(world.readiness.check())
    await world.clock.pass_time(5)
    second = asyncio.create_task(world.readiness.check())
    await world.clock.pass_time(4.9)
    assert not first.done()
    await world.clock.pass_time(0.2)
    assert await finished(world, first, second) == [False, False]
    assert world.attempts[:3] == [0, 0.05, 0.1]
    assert 199 <= len(world.attempts) <= 201


async def test_case_52_a_check_passes_at_the_first_attempt_after_the_app_listens() -> None:
    world = World(TCP)
    check = asyncio.create_task(world.readiness.check())
    await world.clock.pass_time(0.07, step_s=0.01)
    world.listen(8080)
    await world.clock.pass_time(0.03, step_s=0.01)
    assert await finished(world, check) == [True]
    assert world.attempts == [0, 0.05, 0.1]


async def test_a_check_that_waits_passes_as_soon_as_our_own_probing_finds_the_app_ready() -> None:
    world = World(TCP)
    start = asyncio.create_task(world.readiness.start())
    check = asyncio.create_task(world.readiness.check())
    await world.clock.pass_time(0.01, step_s=0.005)
    world.listen(8080)
    await world.clock.pass_time(0.005, step_s=0.005)
    assert await finished(world, check) == [True]
    await start


async def test_with_a_period_a_check_is_one_attempt() -> None:
    world = World(PERIODIC)
    assert not await world.readiness.check()
    world.listen(8080)
    assert await world.readiness.check()
    assert len(world.attempts) == 2


async def test_case_56_all_of_several_probes_must_pass() -> None:
    world = World(TCP, HTTP)
    world.listen(8080)
    check = asyncio.create_task(world.readiness.check())
    await world.clock.pass_time(1)
    assert not check.done()
    world.listen(8081)
    await world.clock.pass_time(0.1)
    assert await finished(world, check) == [True]


async def test_the_success_threshold_counts_in_a_row_and_across_checks() -> None:
    world = World(Probe("tcpSocket", 8080, success_threshold=3))
    world.listen(8080)
    check = asyncio.create_task(world.readiness.check())
    await world.clock.pass_time(1)
    assert await finished(world, check) == [True]
    assert world.attempts == [0, 0.05, 0.1]
    assert await world.readiness.check()
    assert len(world.attempts) == 4


async def test_case_75_callers_at_once_share_a_check_and_one_who_leaves_disturbs_nobody() -> None:
    world = World(TCP)
    checks = [asyncio.create_task(world.readiness.check()) for _ in range(20)]
    await settle()
    checks[0].cancel()
    world.listen(8080)
    await world.clock.pass_time(0.05)
    assert await finished(world, *checks[1:]) == [True] * 19
    assert world.attempts == [0, 0.05]


async def test_without_probes_the_app_is_ready_at_once() -> None:
    world = World()
    await world.readiness.start()
    assert world.readiness.ready_once.is_set()
    assert await world.readiness.check()


async def test_at_the_start_the_app_is_probed_fast_and_then_slower_until_it_is_ready_once() -> None:
    world = World(TCP)
    start = asyncio.create_task(world.readiness.start())
    await world.clock.pass_time(20, step_s=0.005)
    gaps = [round(later - earlier, 3) for earlier, later in zip(world.attempts, world.attempts[1:], strict=False)]
    # Virtual time goes in steps of 5 ms here: a gap may be one longer.
    assert gaps[0] == 0.005
    assert 0.2 <= gaps[-1] <= 0.21
    assert 150 < len(world.attempts) < 450
    world.listen(8080)
    await world.clock.pass_time(0.2)
    assert start.done()
    attempts = len(world.attempts)
    await world.clock.pass_time(5)
    assert len(world.attempts) == attempts


async def test_an_app_that_answers_but_is_not_ready_is_asked_less_often() -> None:
    world = World(PERIODIC)
    world.outcomes[8080] = Outcome.FAILED
    start = asyncio.create_task(world.readiness.start())
    await world.clock.pass_time(1)
    assert 4 <= len(world.attempts) <= 6
    start.cancel()


async def test_the_first_probe_waits_for_the_initial_delay() -> None:
    world = World(Probe("tcpSocket", 8080, period_s=5, initial_delay_s=3))
    world.listen(8080)
    start = asyncio.create_task(world.readiness.start())
    await world.clock.pass_time(2.9)
    assert world.attempts == []
    await world.clock.pass_time(0.2)
    assert start.done()
