"""Pods are started in turn, so many at a time as the nodes' processors allow; time is virtual."""

from __future__ import annotations

import asyncio
import math

import pytest

from autoscaler.pace import Pace, Place, cpus_of
from swell.testing.clock import ManualClock, settle


class Line:
    """Those who ask, and what they were given, in the order in which they were."""

    def __init__(self, cpus: float) -> None:
        self.clock = ManualClock()
        self.pace = Pace(self.clock)
        self.pace.set_cpus(cpus)
        self.given: list[tuple[str, int, float]] = []
        self.places: list[Place] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def ask(self, name: str, wanted: int) -> None:
        async def all_of_them() -> None:
            left = wanted
            while left:
                granted = await self.pace.starts(left)
                self.places += granted
                self.given.append((name, len(granted), round(self.clock.now(), 4)))
                left -= len(granted)

        self.tasks[name] = asyncio.create_task(all_of_them())

    async def ready(self, starts: int) -> None:
        """The oldest of those that are under way are over."""
        for _ in range(starts):
            self.places.pop(0).give_back()
        await settle()

    async def let(self, seconds: float) -> None:
        await settle()
        for _ in range(round(seconds * 16)):
            self.clock.advance(1 / 16)
            await settle()


async def test_without_nodes_everything_starts_at_once() -> None:
    line = Line(cpus=0)
    line.ask("a", 1000)
    await settle()
    assert line.given == [("a", 1000, 0.0)]


async def test_two_per_processor_start_at_once_and_the_others_as_those_are_ready() -> None:
    line = Line(cpus=2)
    for name in "abcdefg":
        line.ask(name, 1)
    await line.let(0.5)
    await line.ready(2)
    assert line.given == [*((name, 1, 0.0) for name in "abcd"), ("e", 1, 0.5), ("f", 1, 0.5)]


async def test_a_start_that_takes_long_keeps_its_place_for_five_seconds() -> None:
    line = Line(cpus=1)
    line.ask("a", 1)
    await line.let(2)
    for name in "bcde":
        line.ask(name, 1)
    await line.let(20)
    assert line.given == [("a", 1, 0.0), ("b", 1, 2.0), ("c", 1, 5.0), ("d", 1, 7.0), ("e", 1, 10.0)]


async def test_a_place_that_is_given_back_late_or_twice_is_nobody_elses() -> None:
    line = Line(cpus=0.5)
    line.ask("a", 1)
    await settle()
    (place,) = line.places
    await line.let(5)
    for name in "bcd":
        line.ask(name, 1)
    await settle()
    place.give_back()
    await line.ready(2)
    assert [name for name, _, _ in line.given] == ["a", "b", "c"]


async def test_first_pods_of_others_do_not_stand_behind_all_pods_of_one() -> None:
    line = Line(cpus=2)
    line.ask("many", 10)
    await settle()
    line.ask("one", 1)
    line.ask("other", 1)
    for _ in range(4):
        await line.ready(1)
    assert [(name, granted) for name, granted, _ in line.given] == [
        ("many", 4),
        ("many", 1),
        ("one", 1),
        ("other", 1),
        ("many", 1),
    ]


async def test_who_gives_up_takes_no_turn() -> None:
    line = Line(cpus=2)
    line.ask("a", 4)
    line.ask("gone", 1)
    line.ask("b", 1)
    await settle()
    assert line.pace.waiting == 2
    line.tasks["gone"].cancel()
    await line.ready(1)
    assert [name for name, _, _ in line.given] == ["a", "b"]
    assert line.pace.waiting == 0


async def test_who_is_cancelled_in_the_moment_of_its_turn_leaves_its_place_to_the_next() -> None:
    line = Line(cpus=0.5)
    for name in ("a", "gone", "b"):
        line.ask(name, 1)
    await settle()
    line.places.pop().give_back()
    line.tasks["gone"].cancel()
    await settle()
    assert [name for name, _, _ in line.given] == ["a", "b"]


async def test_more_processors_let_those_who_wait_go() -> None:
    line = Line(cpus=0.5)
    for name in "abc":
        line.ask(name, 1)
    await settle()
    assert len(line.given) == 1
    line.pace.set_cpus(0)
    await settle()
    assert len(line.given) == 3


@pytest.mark.parametrize(
    ("cpus", "unschedulable", "expected"),
    [("2", False, 2.0), ("1930m", False, 1.93), ("4", True, 0.0), ("0", False, 0.0)],
)
def test_processors_are_those_that_pods_may_have(cpus: str, unschedulable: bool, expected: float) -> None:
    node = {"spec": {"unschedulable": unschedulable}, "status": {"allocatable": {"cpu": cpus}}}
    assert math.isclose(cpus_of([node]), expected)
    assert cpus_of([node, {"status": {}}]) == cpus_of([node])
