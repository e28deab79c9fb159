"""Reports and clocks that cannot be trusted."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autoscaler.decision.rows import Target
from autoscaler.intake import FIGURE_MAX
from autoscaler.metrics.collector import Collection
from autoscaler.revisions import Revisions
from autoscaler.steady import STEP_S, Steady
from swell.api.meta import Key
from swell.testing.clock import ManualClock
from swell.wire.report import encode_messages
from swell.wire.stats import Stat

World = Any
START_S = 1_700_000_000.0
TARGET = Target(10, 10, 211, 100, 2, 1000, 2, 60, True, 0)
HELLO = Key("default", "hello")
NAME = "hello-00001"


def opened() -> Revisions:
    revisions = Revisions()
    revisions.collect(HELLO, Collection(60, 6), START_S)
    revisions.open(HELLO, TARGET, now_s=START_S, ready_pods=1)
    return revisions


def stat(concurrency: float = 1.0, count: float = 1.0, at_s: float = 0.0, proxied: float = 0.0) -> Stat:
    return Stat("a", concurrency, proxied, count, proxied, timestamp=int(at_s))


def stable(revisions: Revisions, now_s: float) -> float:
    revisions.tick_one(HELLO, now_s)
    found = revisions.describe(now_s)[str(HELLO)]["stable_value"]
    assert isinstance(found, float)
    return found


SENSELESS = [
    stat(math.nan),
    stat(math.inf),
    stat(-math.inf),
    stat(count=math.nan),
    stat(count=math.inf),
    stat(proxied=math.nan),
    stat(math.inf, proxied=math.inf),
    stat(FIGURE_MAX * 2),
    stat(1e308),
]


@pytest.mark.parametrize("bad", SENSELESS, ids=repr)
@pytest.mark.parametrize("way", ["receive", "record"])
def test_figures_that_cannot_be_are_lost_and_spoil_nothing(bad: Stat, way: str) -> None:
    revisions = opened()
    revisions.receive([(HELLO, stat(5))], START_S)
    assert getattr(revisions, way)([(HELLO, bad), (HELLO, stat(2))], START_S) in ([], None)
    assert (stable(revisions, START_S), revisions.intake.senseless) == (7, 1)
    for second in range(1, 70):
        revisions.receive([(HELLO, stat(3))], START_S + second)
    assert stable(revisions, START_S + 69) == 3


def test_figures_that_cannot_be_wake_nothing() -> None:
    revisions = opened()
    revisions.put_to_zero(HELLO)
    assert revisions.receive([(HELLO, stat(math.nan))], START_S) == []


def test_reports_of_unknown_revisions_are_counted_and_lost() -> None:
    revisions = opened()
    assert revisions.receive([(Key("default", "other"), stat(9)), (HELLO, stat(4))], START_S) == []
    assert (revisions.intake.unknown, stable(revisions, START_S)) == (1, 4)
    revisions.close(HELLO)
    revisions.receive([(HELLO, stat(4))], START_S)
    assert (revisions.intake.unknown, len(revisions)) == (2, 0)


def test_a_duplicate_adds_up_like_the_report_of_another() -> None:
    revisions = opened()
    twice = stat(4, at_s=START_S)
    for _ in range(2):
        revisions.receive([(HELLO, twice)], START_S)
    assert stable(revisions, START_S) == 8


def test_a_late_report_counts_in_its_own_second_and_one_that_is_too_late_not_at_all() -> None:
    revisions = opened()
    revisions.receive([(HELLO, stat(4))], START_S + 30)
    revisions.receive([(HELLO, stat(8, at_s=START_S + 29))], START_S + 30)
    assert stable(revisions, START_S + 30) == 6, "two seconds"
    revisions.receive([(HELLO, stat(8, at_s=START_S - 30))], START_S + 30)
    assert stable(revisions, START_S + 30) == 6


@pytest.mark.parametrize("at_s", [START_S + 10, START_S + 1e9, START_S - 3601, 1, -5, -(2**63), 2**63 - 1])
def test_a_time_that_cannot_be_is_taken_for_now(at_s: float) -> None:
    revisions = opened()
    revisions.receive([(HELLO, stat(4))], START_S)
    revisions.receive([(HELLO, stat(4, at_s=at_s))], START_S)
    assert stable(revisions, START_S) == 8


@pytest.mark.parametrize("by_s", [3600.0, -3600.0, 1e9, STEP_S])
def test_time_goes_on_when_the_clock_is_set(by_s: float) -> None:
    clock = ManualClock()
    now = Steady(clock)
    clock.advance(5)
    assert now() == START_S + 5
    clock._offset += by_s
    clock.advance(1)
    assert now() == START_S + 6
    clock._offset -= by_s
    assert now() == START_S + 6


def test_drift_is_followed() -> None:
    clock = ManualClock()
    now = Steady(clock)
    for _ in range(10):
        clock._offset += STEP_S / 2
        now()
    assert now() == clock.wall()


@pytest.mark.parametrize("by_s", [7200.0, -7200.0])
async def test_a_revision_in_use_keeps_its_pods_when_the_clock_is_set(world: World, by_s: float) -> None:
    await world.revision(window="6s", target="1")
    for _ in range(8):
        await world.load(3, 1)
        await world.follow()
    assert await world.replicas() == 5
    world.kube.scaled.clear()
    world.clock._offset += by_s
    for _ in range(4):
        await world.load(3, 1)
        await world.follow()
    assert world.kube.scaled == []
    await world.idle(30)
    assert await world.replicas() == 0, "and goes to zero in its time"


async def test_a_report_with_nonsense_does_not_keep_others_from_being_taken(world: World) -> None:
    await world.revision(window="6s", target="1")
    await world.send(
        encode_messages(
            [("default", NAME, stat(math.nan)), ("default", "unknown", stat(1)), ("default", NAME, stat(3))]
        )
    )
    await world.quiet(2)
    assert (await world.decisions())[f"default/{NAME}"]["stable_value"] == 3
