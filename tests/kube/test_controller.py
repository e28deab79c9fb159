"""Results and errors of a reconciler become requeues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from swell.api.meta import Key
from swell.kube.controller import GATHER_S, Controller
from swell.kube.errors import AlreadyExists, Conflict, Unavailable
from swell.testing.clock import ManualClock, settle

A, B = Key("default", "a"), Key("default", "b")


@asynccontextmanager
async def running(
    reconcile: Callable[[Key], Awaitable[float | None]], clock: ManualClock, workers: int = 2
) -> AsyncIterator[Controller]:
    controller = Controller("test", reconcile, clock=clock, workers=workers)
    task = asyncio.create_task(controller.run())
    try:
        yield controller
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_number_asks_to_look_again_then(clock: ManualClock) -> None:
    seen: list[float] = []

    async def reconcile(key: Key) -> float | None:
        seen.append(clock.now())
        return 5.0 if len(seen) < 3 else None

    async with running(reconcile, clock) as controller:
        controller.enqueue(A)
        await clock.pass_time(60, step_s=1)
    assert seen == [0.0, 5.0, 10.0]


async def test_many_changes_of_little_weight_are_looked_at_once_and_a_moment_later(clock: ManualClock) -> None:
    seen: list[float] = []

    async def reconcile(key: Key) -> None:
        seen.append(round(clock.now(), 3))

    async with running(reconcile, clock) as controller:
        for _ in range(3):
            controller.enqueue_soon(A)
            await clock.pass_time(0.005, step_s=0.005)
        await clock.pass_time(1, step_s=0.005)
    assert seen == [GATHER_S]


@pytest.mark.parametrize("error", [Conflict, AlreadyExists])
async def test_an_old_view_is_tried_again_shortly_and_quietly(
    error: type[Conflict], clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Key] = []

    async def reconcile(key: Key) -> None:
        calls.append(key)
        if len(calls) < 3:
            raise error(409, "Conflict", "somebody was faster")

    async with running(reconcile, clock) as controller:
        controller.enqueue(A)
        await clock.pass_time(0.1, step_s=0.01)
    assert calls == [A, A, A]
    assert caplog.text == ""


@pytest.mark.parametrize("error", [Unavailable(503, "ServiceUnavailable", "gone for lunch"), ValueError("a bug")])
async def test_other_errors_are_logged_and_tried_again_less_and_less_often(
    error: Exception, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[float] = []

    async def reconcile(key: Key) -> None:
        calls.append(clock.now())
        raise error

    async with running(reconcile, clock) as controller:
        controller.enqueue(A)
        await clock.pass_time(600, step_s=0.5)
    assert 15 < len(calls) < 40
    assert "trying again" in caplog.text


async def test_one_key_that_fails_holds_up_no_other(clock: ManualClock) -> None:
    seen: list[Key] = []

    async def reconcile(key: Key) -> None:
        seen.append(key)
        if key == A:
            raise ValueError("a bug")

    async with running(reconcile, clock, workers=1) as controller:
        controller.enqueue(A)
        controller.enqueue(B)
        await settle()
    assert seen == [A, B]


async def test_a_key_is_never_in_two_hands_and_news_during_the_work_is_not_lost(clock: ManualClock) -> None:
    inside, most, calls = 0, 0, 0
    go_on = asyncio.Event()

    async def reconcile(key: Key) -> None:
        nonlocal inside, most, calls
        inside += 1
        calls += 1
        most = max(most, inside)
        await go_on.wait()
        inside -= 1

    async with running(reconcile, clock, workers=4) as controller:
        controller.enqueue(A)
        await settle()
        controller.enqueue(A)
        controller.enqueue(A)
        await settle()
        assert calls == 1
        go_on.set()
        await settle()
    assert (calls, most) == (2, 1)


async def test_work_cut_short_is_done_by_the_next_run(clock: ManualClock) -> None:
    calls: list[Key] = []
    hang = asyncio.Event()

    async def reconcile(key: Key) -> None:
        calls.append(key)
        if len(calls) == 1:
            await hang.wait()

    controller = Controller("test", reconcile, clock=clock)
    for _ in range(2):
        if not calls:
            controller.enqueue(A)
        task = asyncio.create_task(controller.run())
        await settle()
        task.cancel()
        await asyncio.wait([task])
    assert calls == [A, A]
