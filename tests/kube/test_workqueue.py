"""Each key once, never in two hands, later after failures."""

from __future__ import annotations

import asyncio

import pytest

from swell.api.meta import Key
from swell.kube.backoff import backoff_s
from swell.kube.workqueue import Closed, WorkQueue
from swell.testing.clock import ManualClock, settle

A, B = Key("default", "a"), Key("default", "b")


@pytest.fixture
def queue(clock: ManualClock) -> WorkQueue:
    return WorkQueue(clock, retry_first_s=1.0, retry_last_s=8.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_keys_come_in_order_and_each_once(queue: WorkQueue) -> None:
    for key in (A, B, A):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == [A, B]
    assert len(queue) == 0


async def test_a_key_in_hand_comes_again_only_after_it_is_given_back(queue: WorkQueue) -> None:
    queue.add(A)
    await queue.get()
    queue.add(A)
    queue.add(B)
    assert await queue.get() == B
    waiting = asyncio.create_task(queue.get())
    await settle()
    assert not waiting.done()
    queue.done(A)
    assert await waiting == A


async def test_of_several_delays_the_earliest_counts(queue: WorkQueue, clock: ManualClock) -> None:
    queue.add_after(A, 10)
    queue.add_after(A, 2)
    queue.add_after(A, 5)
    assert clock.pending == 1
    clock.advance(1.9)
    assert len(queue) == 0
    clock.advance(0.2)
    assert await queue.get() == A
    assert clock.pending == 0


async def test_no_delay_is_now(queue: WorkQueue) -> None:
    queue.add_after(A, 0)
    assert await queue.get() == A


async def test_retries_wait_longer_each_time_until_forgotten(queue: WorkQueue, clock: ManualClock) -> None:
    waits: list[float] = []
    for _ in range(6):
        queue.retry(A)
        start_s = clock.now()
        while not len(queue):
            clock.advance(0.01)
        waits.append(clock.now() - start_s)
        queue.done(await queue.get())
    for wait_s, whole_s in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert whole_s / 2 <= wait_s <= whole_s + 0.02
    queue.forget(A)
    queue.retry(A)
    clock.advance(1.0)
    assert await queue.get() == A


async def test_closing_tells_all_who_wait_and_leaves_no_timer(queue: WorkQueue, clock: ManualClock) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(2)]
    await settle()
    queue.add_after(A, 5)
    queue.close()
    assert [type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)] == [Closed, Closed]
    queue.add(A)
    with pytest.raises(Closed):
        await queue.get()
    assert clock.pending == 0


async def test_one_who_stops_waiting_loses_no_key(queue: WorkQueue) -> None:
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await settle()
    queue.add(A)
    first.cancel()
    assert await second == A


def test_backoff_stays_finite_after_any_number_of_failures() -> None:
    assert 5 <= backoff_s(100_000, 0.005, 10) <= 10
