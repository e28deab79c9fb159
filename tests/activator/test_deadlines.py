"""Deadlines of one revision's requests, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field

from activator.deadlines import Deadlines
from swell.testing.clock import ManualClock


@dataclass(eq=False)
class Item:
    started_s: float
    late_at: list[float] = field(default_factory=list)


class World:
    def __init__(self, head_s: float, total_s: float) -> None:
        self.clock = ManualClock()
        self.deadlines: Deadlines[Item] = Deadlines(self.clock, head_s, total_s, self._late)

    def _late(self, item: Item) -> None:
        item.late_at.append(round(self.clock.now(), 3))

    def begin(self) -> Item:
        item = Item(self.clock.now())
        self.deadlines.begin(item)
        return item


def test_case_9_an_item_is_late_at_its_timeout_and_only_once() -> None:
    world = World(10, 10)
    first = world.begin()
    world.clock.advance(4)
    second = world.begin()
    world.clock.advance(30)
    assert (first.late_at, second.late_at) == ([10], [14])
    assert len(world.deadlines) == 0


def test_an_item_is_late_for_its_head_and_then_for_its_end() -> None:
    world = World(3, 60)
    item = world.begin()
    world.clock.advance(100)
    assert item.late_at == [3, 60]


def test_an_item_that_ended_is_never_late() -> None:
    world = World(3, 60)
    early, between = world.begin(), world.begin()
    world.deadlines.end(early)
    world.clock.advance(5)
    world.deadlines.end(between)
    world.deadlines.end(between)
    world.clock.advance(100)
    assert (early.late_at, between.late_at) == ([], [3])


def test_other_limits_hold_for_what_is_in_flight() -> None:
    world = World(100, 100)
    item = world.begin()
    world.deadlines.set_limits(5, 10)
    world.clock.advance(20)
    assert item.late_at == [5, 10]


def test_many_items_that_come_and_go_leave_nothing() -> None:
    world = World(1, 2)
    kept = []
    for i in range(1000):
        item = world.begin()
        if i % 100:
            world.deadlines.end(item)
        else:
            kept.append(item)
        world.clock.advance(0.001)
    assert world.deadlines.items() == kept
    world.clock.advance(5)
    assert all(len(item.late_at) == 2 for item in kept)
    assert len(world.deadlines) == 0


def test_closing_stops_the_timer() -> None:
    world = World(1, 2)
    item = world.begin()
    world.deadlines.close()
    world.clock.advance(5)
    assert item.late_at == []
