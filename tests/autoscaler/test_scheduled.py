"""swell.dev/schedule through the whole autoscaler: pods are asked for before the stated time, and go after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.schedules import START_DEFAULT_S
from swell.api.kinds import POD_AUTOSCALER
from swell.testing.clock import settle

World = Any
NAME = "hello-00001"
STATED_S = 1_700_001_000.0  # 22:30 UTC, 1000 seconds after the clocks of the tests begin


async def schedule(world: World, *entries: dict[str, object], name: str = NAME) -> None:
    notes = {"swell.dev/schedule": json.dumps(entries)}
    await world.kube.patch(POD_AUTOSCALER, "default", name, {"metadata": {"annotations": notes}})
    await settle()


def entry(replicas: int = 3, cron: str = "30 22 * * *", duration: str = "5m") -> dict[str, object]:
    return {"cron": cron, "timezone": "UTC", "replicas": replicas, "duration": duration}


async def until(world: World, wall_s: float) -> None:
    await world.quiet(wall_s - world.clock.wall())


async def test_pods_are_asked_for_before_the_stated_time_and_go_after_the_duration(world: World) -> None:
    await world.revision(window="6s")
    await schedule(world, entry())
    await world.idle(30)
    assert await world.replicas() == 0
    # Its first pod was ready at once, and the way to a pod counts as a second.
    lead_s = 1.0
    await until(world, STATED_S - lead_s - 1)
    assert await world.replicas() == 0
    await until(world, STATED_S - lead_s + 0.5)
    assert await world.replicas() == 3
    await world.follow()
    assert await world.active() == ("True", "")
    assert (await world.status())["desiredScale"] == 3
    await until(world, STATED_S + 299)
    assert await world.replicas() == 3
    await until(world, STATED_S + 301)
    assert await world.replicas() < 3
    await world.idle(30)
    assert (await world.replicas(), await world.active()) == (0, ("False", "NoTraffic"))


async def test_without_a_measured_start_pods_are_asked_for_half_a_minute_earlier(world: World) -> None:
    await world.at_zero()
    await schedule(world, entry())
    await until(world, STATED_S - START_DEFAULT_S - 2)
    assert await world.replicas() == 0
    await until(world, STATED_S - START_DEFAULT_S - 0.5)
    assert await world.replicas() == 3


async def test_requests_still_scale_out_beyond_the_floor(world: World) -> None:
    await world.at_zero(target="10")
    await schedule(world, entry(2))
    await until(world, STATED_S)
    await world.follow()
    await world.load(35, 8)
    assert await world.replicas() == 5
    await world.follow()
    await world.idle(20)
    assert await world.replicas() == 2


async def test_the_floor_is_at_most_max_scale(world: World) -> None:
    await world.at_zero(max_scale="2")
    await schedule(world, entry(3))
    await until(world, STATED_S)
    assert await world.replicas() == 2
    await world.annotate(max_scale="0")
    assert await world.replicas() == 3


async def test_a_revision_that_nobody_reaches_any_more_has_no_floor(world: World) -> None:
    await world.at_zero()
    await schedule(world, entry(3))
    await until(world, STATED_S)
    await world.follow()
    await world.reach("Unreachable")
    await world.idle(20)
    assert await world.replicas() == 0
    await world.reach("Reachable")
    assert await world.replicas() == 3


async def test_a_running_revision_stays_active_while_more_pods_start_for_the_floor(world: World) -> None:
    await world.revision(window="6s", min_scale="1")
    await world.quiet(2)
    await schedule(world, entry(3))
    await until(world, STATED_S)
    assert await world.replicas() == 3
    assert await world.active() == ("True", "")


async def test_a_schedule_that_is_taken_away_holds_nothing(world: World) -> None:
    await world.at_zero()
    await schedule(world, entry(3))
    await until(world, STATED_S)
    await world.follow()
    await world.kube.patch(POD_AUTOSCALER, "default", NAME, {"metadata": {"annotations": {"swell.dev/schedule": None}}})
    await settle()
    await world.idle(20)
    assert await world.replicas() == 0


@pytest.mark.parametrize("heard", [True, False])
async def test_a_restart_within_the_period_keeps_the_floor_and_one_before_it_does_not_miss_it(
    new_world: Callable[[], World], heard: bool
) -> None:
    """Also while no activator is connected, so that nothing is decided."""
    world = new_world()
    await world.start()
    await world.at_zero()
    await schedule(world, entry(3))
    await world.stop()
    await world.start(heard=heard)
    await until(world, STATED_S)
    assert await world.replicas() == 3
    await world.follow()
    await world.stop()
    await world.start(heard=heard)
    await until(world, STATED_S + 200)
    assert await world.replicas() == 3
    await world.idle(110)
    await world.idle(30)
    assert await world.replicas() == (0 if heard else 3), "nothing is taken away unheard"
    await world.stop()


async def test_a_list_that_cannot_be_read_counts_as_absent(world: World) -> None:
    await world.at_zero()
    await schedule(world, {"cron": "30 22 * * *"})
    await until(world, STATED_S + START_DEFAULT_S)
    assert await world.replicas() == 0
