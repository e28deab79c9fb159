"""Announcements to activators that are there, come late, refuse, or never answer; over real sockets."""

from __future__ import annotations

import asyncio

from activator.queueproxy.announcing import announce
from swell.runtime.clock import SystemClock
from swell.testing.clock import ManualClock
from swell.testing.peers import free_port
from swell.testing.sidecar import announcements
from swell.wire.announce import Announcement

WORD = Announcement("default", "hello-00001", "hello-1", "8f2c", "127.0.0.1:8012")


async def test_each_activator_is_told_once() -> None:
    async with announcements() as (first, here), announcements() as (second, there):
        await announce(WORD, [("127.0.0.1", first), ("localhost", second)], SystemClock())
        assert (here.get_nowait(), there.get_nowait()) == (WORD, WORD)
        assert here.empty()
        assert there.empty()


async def test_one_that_comes_late_or_is_busy_is_told_again_and_the_others_are_not() -> None:
    late = free_port()
    async with announcements() as (early, here):
        telling = asyncio.create_task(announce(WORD, [("127.0.0.1", early), ("127.0.0.1", late)], SystemClock()))
        assert await here.get() == WORD
        async with announcements(late, statuses=(500, 503)) as (_, there):
            await telling
            assert there.get_nowait() == WORD
        assert here.empty()


async def test_one_that_refuses_for_good_is_not_told_again() -> None:
    async with announcements(statuses=(409,)) as (port, taken):
        await announce(WORD, [("127.0.0.1", port)], SystemClock())
        assert taken.empty()


async def test_one_that_never_comes_is_given_up() -> None:
    clock = ManualClock()
    telling = asyncio.create_task(announce(WORD, [("127.0.0.1", free_port())], clock))
    async with asyncio.timeout(20):
        while not telling.done():
            await asyncio.sleep(0.001)
            clock.advance(0.5)
    assert 30 <= clock.now() < 40
    await telling
