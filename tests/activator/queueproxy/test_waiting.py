"""Requests whose app refuses them, and answers that stop coming, in virtual time: spec dataplane C41, 3.5."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from activator.queueproxy.hold import Hold
from activator.queueproxy.idle import Idle
from swell.testing.clock import ManualClock, settle

REFUSED = "dial tcp 127.0.0.1:8080: connect: connection refused"


class World:
    """An app that may listen, and what became of those who waited for it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.listens = False
        self.dials = 0
        self.went: list[str] = []
        self.given_up: list[tuple[float, str, str]] = []
        self.hold: Hold[str] = Hold(self.clock, self._dial, self.went.append, self._give_up)

    async def _dial(self) -> bool:
        self.dials += 1
        return self.listens

    def _give_up(self, item: str, error: str) -> None:
        self.given_up.append((round(self.clock.now()), item, error))


async def test_case_41_a_request_is_told_of_the_refusal_after_ten_seconds() -> None:
    world = World()
    world.hold.add("a", REFUSED)
    await world.clock.pass_time(5)
    world.hold.add("b", REFUSED)
    await world.clock.pass_time(20)
    assert world.given_up == [(10, "a", REFUSED), (15, "b", REFUSED)]
    assert world.went == []
    assert world.clock.pending == 0


async def test_all_go_in_order_once_the_app_listens_and_one_dial_serves_them_all() -> None:
    world = World()
    for item in ("a", "b", "c"):
        world.hold.add(item, REFUSED)
    await world.clock.pass_time(0.1, step_s=0.01)
    dials = world.dials
    assert dials <= 5
    world.listens = True
    await world.clock.pass_time(0.1, step_s=0.01)
    assert world.went == ["a", "b", "c"]
    assert world.dials == dials + 1


async def test_who_is_over_waits_no_more() -> None:
    world = World()
    world.hold.add("a", REFUSED)
    world.hold.discard("a")
    world.hold.discard("never here")
    world.listens = True
    await world.clock.pass_time(1)
    assert (world.went, world.given_up) == ([], [])


async def test_patience_is_counted_from_the_first_refusal() -> None:
    world = World()
    world.listens = True
    for _ in range(300):
        if world.given_up:
            break
        world.hold.add("a", REFUSED)
        await world.clock.pass_time(0.05)
    assert world.given_up == [(10, "a", REFUSED)]
    assert "a" in world.went


async def test_closing_ends_the_dialling() -> None:
    world = World()
    world.hold.add("a", REFUSED)
    await settle()
    await world.hold.close()
    assert len([task for task in asyncio.all_tasks() if not task.done()]) == 1, "only this test"


@dataclass(eq=False)
class Item:
    started_s: float
    sent_bytes: int = 0
    idle_at: list[float] = field(default_factory=list)


def idle_world() -> tuple[ManualClock, Idle[Item], Item, list[Item]]:
    """With one item in flight, and the list of all that are."""
    clock, item = ManualClock(), Item(0)
    in_flight = [item]

    def over(item: Item) -> None:
        in_flight.remove(item)
        item.idle_at.append(round(clock.now(), 3))

    idle = Idle(clock, 2, lambda: in_flight, over)
    idle.begin()
    return clock, idle, item, in_flight


def test_case_34_each_byte_begins_the_idle_time_anew() -> None:
    clock, _, item, _ = idle_world()
    for _ in range(10):
        clock.advance(1)
        item.sent_bytes += 1
    assert item.idle_at == []
    clock.advance(10)
    assert len(item.idle_at) == 1
    assert 12 <= item.idle_at[0] <= 12.2


def test_case_35_an_item_that_never_sends_is_idle_from_its_start() -> None:
    clock, _, item, _ = idle_world()
    clock.advance(10)
    assert item.idle_at == [2]
    assert clock.pending == 0


def test_an_item_that_ended_is_not_idle() -> None:
    clock, idle, item, in_flight = idle_world()
    in_flight.clear()
    clock.advance(10)
    assert item.idle_at == []
    assert clock.pending == 0
    in_flight.append(Item(10))
    idle.begin()
    clock.advance(10)
    assert in_flight == []
