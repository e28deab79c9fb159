"""Reports in, decisions out, for many revisions by name."""

from __future__ import annotations

import math

import pytest

from autoscaler.decision.rows import Target
from autoscaler.intake import FUTURE_S_MAX
from autoscaler.metrics.collector import Collection
from autoscaler.revisions import Revisions
from autoscaler.ticker import TICK_S, Ticker
from swell.api.meta import Key
from swell.testing.clock import ManualClock
from swell.wire.stats import Stat

TARGET = Target(10, 10, 211, 100, 2, 1000, 2, 6, True, 0)
HELLO, BYE = Key("default", "hello"), Key("default", "bye")


def stat(concurrency: float = 1.0, *, timestamp: int = 0) -> Stat:
    return Stat(average_concurrent_requests=concurrency, request_count=concurrency, timestamp=timestamp)


class World:
    """Some revisions, decided for by a ticker in virtual time."""

    def __init__(self, *keys: Key, at_zero: bool = False) -> None:
        self.clock = ManualClock()
        self.hears = True
        self.ticks: list[float] = []
        self.revisions = Revisions()
        self.ticker = Ticker(
            self.revisions, self.clock, lambda _: self.ticks.append(self.clock.now()), self._hears, self.clock.wall
        )
        for key in keys:
            self.revisions.collect(key, Collection(6, 1), self.clock.wall())
            self.revisions.open(key, TARGET, now_s=self.clock.wall(), at_zero=at_zero)
        self.ticker.wake()

    def _hears(self) -> bool:
        return self.hears

    def report(self, *messages: tuple[Key, Stat]) -> int:
        """How many ticks it caused at once."""
        poked = self.revisions.receive(messages, self.clock.wall())
        self.ticker.wake()
        return len(poked)


def test_ticks_come_every_two_seconds_until_nothing_can_change_any_more() -> None:
    world = World(HELLO)
    world.report((HELLO, stat()))
    world.clock.advance(100)
    assert world.ticks == [TICK_S * number for number in range(1, len(world.ticks) + 1)]
    assert 3 <= len(world.ticks) <= 6
    assert world.clock.pending == 0, "an idle autoscaler does not wake up"
    assert world.revisions.status(HELLO) == (0, -211)


def test_a_poke_decides_at_once_and_wakes_the_ticker() -> None:
    world = World(HELLO, BYE)
    world.clock.advance(100)
    world.ticks.clear()
    assert world.report((HELLO, stat())) == 1
    assert (world.revisions.status(HELLO)[0], world.revisions.status(BYE)[0]) == (1, 0)
    assert world.report((HELLO, stat())) == 0, "it is not at zero any more"
    world.clock.advance(2)
    assert len(world.ticks) == 1


def test_a_new_revision_is_poked_only_if_it_is_known_to_be_at_zero() -> None:
    assert World(HELLO).report((HELLO, stat())) == 0
    world = World(HELLO, at_zero=True)
    assert world.report((HELLO, stat(0))) == 0
    assert world.report((HELLO, stat())) == 1


def test_while_deaf_nothing_is_decided_by_the_clock() -> None:
    world = World(HELLO, at_zero=True)
    world.hears = False
    world.clock.advance(20)
    assert (world.ticks, world.revisions.status(HELLO)[0]) == ([], -1)
    assert world.report((HELLO, stat())) == 1, "but a report is one"
    world.hears = True
    world.clock.advance(2)
    assert len(world.ticks) == 1


def test_the_silence_of_a_revision_that_starts_means_nothing_and_costs_no_ticks() -> None:
    world = World()
    world.revisions.collect(HELLO, Collection(6, 1), world.clock.wall())
    world.revisions.open(HELLO, TARGET, now_s=world.clock.wall(), listens_from=3)
    world.ticker.wake()
    world.clock.advance(100)
    assert (len(world.ticks), world.revisions.status(HELLO)[0], world.clock.pending) == (1, -1, 0)
    world.revisions.pods_ready(HELLO, 2)
    world.ticker.wake()
    world.clock.advance(100)
    world.revisions.pods_ready(HELLO, 3)
    world.ticker.wake()
    world.clock.advance(6)
    assert world.revisions.status(HELLO)[0] == -1
    world.clock.advance(2)
    assert world.revisions.status(HELLO)[0] == 1, "half of three"


def test_a_report_ends_the_patience_with_silence() -> None:
    world = World()
    world.revisions.collect(HELLO, Collection(6, 1), world.clock.wall())
    world.revisions.open(HELLO, TARGET, now_s=world.clock.wall(), listens_from=1)
    world.revisions.put_to_zero(HELLO)
    assert world.report((HELLO, stat(25))) == 1
    assert world.revisions.status(HELLO)[0] == 3
    world.clock.advance(14)
    assert world.revisions.status(HELLO)[0] == 0


def test_two_reports_of_one_revision_in_one_message_both_count() -> None:
    world = World(HELLO)
    world.report((HELLO, stat(3)), (BYE, stat(7)), (HELLO, stat(4)))
    found = world.revisions.describe(world.clock.wall())
    assert list(found) == [str(HELLO)]
    world.clock.advance(2)
    assert world.revisions.describe(world.clock.wall())[str(HELLO)]["stable_value"] == 7


@pytest.mark.parametrize("ahead_s", [0, FUTURE_S_MAX + 1, 10_000])
def test_a_report_from_a_clock_that_is_wrong_counts_as_of_now(ahead_s: float) -> None:
    world = World(HELLO)
    world.report((HELLO, stat(4, timestamp=int(world.clock.wall() + ahead_s))))
    world.report((HELLO, stat(4)))
    world.clock.advance(2)
    assert world.revisions.describe(world.clock.wall())[str(HELLO)]["stable_value"] == 8


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["average_concurrent_requests", "request_count"])
def test_a_report_that_is_no_number_is_lost_and_the_others_of_its_message_count(field: str, bad: float) -> None:
    world = World(HELLO, BYE)
    broken = stat(3)
    setattr(broken, field, bad)
    world.report((HELLO, broken), (BYE, stat(7)), (HELLO, stat(4)))
    world.clock.advance(2)
    found = world.revisions.describe(world.clock.wall())
    assert [found[str(key)]["stable_value"] for key in (HELLO, BYE)] == [4, 7]


def test_a_report_from_before_unix_time_began_counts_as_of_now() -> None:
    world = World(HELLO)
    world.report((HELLO, stat(4, timestamp=-(2**63))), (HELLO, stat(3, timestamp=-1)))
    world.clock.advance(2)
    assert world.revisions.describe(world.clock.wall())[str(HELLO)]["stable_value"] == 7


def test_a_closed_ticker_stays_still() -> None:
    world = World(HELLO)
    world.ticker.close()
    world.report((HELLO, stat()))
    world.clock.advance(10)
    assert world.ticks == []


def test_what_is_blind_decides_nothing_from_nothing_asked_and_costs_no_ticks() -> None:
    world = World(HELLO)
    world.revisions.pods_ready(HELLO, 4)
    world.report((HELLO, stat(30)))
    world.clock.advance(2)
    assert world.revisions.status(HELLO)[0] == 3
    world.revisions.set_blind(HELLO, True)
    world.clock.advance(100)
    assert (world.revisions.status(HELLO)[0], world.clock.pending) == (3, 0)
    assert world.report((HELLO, stat(10))) == 0
    world.clock.advance(2)
    assert world.revisions.status(HELLO)[0] == 2, "half of four: reports count"
    world.revisions.set_blind(HELLO, False)
    world.ticker.wake()
    world.clock.advance(100)
    assert (world.revisions.status(HELLO)[0], world.clock.pending) == (2, 0), "half of four ready pods"


def test_zeros_of_idle_pods_let_an_average_fall_and_cost_no_ticks_once_all_are_zero() -> None:
    world = World(HELLO)
    world.report((HELLO, stat(30)))
    for _ in range(3):
        world.clock.advance(1)
        world.revisions.record([(HELLO, stat(0))], world.clock.wall())
        world.ticker.wake()
    world.revisions.tick_one(HELLO, world.clock.wall())
    assert world.revisions.describe(world.clock.wall())[str(HELLO)]["stable_value"] == 30 / 4
    for _ in range(20):
        world.clock.advance(1)
        world.revisions.record([(HELLO, stat(0))], world.clock.wall())
        world.ticker.wake()
    assert (world.revisions.status(HELLO)[0], world.clock.pending) == (0, 0)
