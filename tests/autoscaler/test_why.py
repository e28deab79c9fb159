"""What is said of a revision is true, and there are words for all that can be."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from autoscaler.decision.bounds import Clamp
from autoscaler.decision.rule import Rule
from autoscaler.explain import reason, words
from autoscaler.phrases import duration, number, pods
from swell.api.durations import parse_duration

World = Any
NAME = "hello-00001"


async def ask(world: World) -> Any:
    return json.loads((await world.http(f"/why/default/{NAME}"))[1])


@pytest.mark.parametrize(
    ("load", "silent_s", "notes"),
    [
        (4, 10, {"window": "40s"}),
        (90, 3, {"window": "40s"}),
        (4, 3, {"window": "20s", "scale_down_delay": "1m"}),
        (4, 3, {"window": "20s", "scale_to_zero_pod_retention_period": "50s"}),
        (4, 30, {"window": "20s", "scale_to_zero_pod_retention_period": "50s"}),
        (0, 3, {"window": "30s"}),
    ],
)
async def test_it_goes_to_zero_when_it_is_said_to(
    world: World, load: float, silent_s: int, notes: dict[str, str]
) -> None:
    await world.revision(target="10", **notes)
    if load:
        await world.load(load, 45)
        await world.follow()
    await world.idle(silent_s)
    told = (await ask(world))["text"]["to_zero"]
    assert told.startswith("in "), told
    left_s = parse_duration(told.removeprefix("in ").partition(",")[0])
    await world.idle(int(left_s) - 4)
    assert await world.replicas() > 0
    await world.idle(8)
    assert await world.replicas() == 0
    assert (await ask(world))["text"]["to_zero"] == "it is at zero; the next request starts a pod"


async def test_a_start_that_waits_is_told_with_what_is_ready(world: World) -> None:
    await world.at_zero(target="10")
    await world.report(30)
    assert (await ask(world))["text"]["wants"] == "5 pods; 0 ready so far"


async def test_without_an_activator_the_last_pod_stays_and_it_is_said_why(world: World) -> None:
    await world.revision(window="6s")
    await world.load(1, 3)
    await world.disconnect()
    await world.quiet(30)
    assert await world.replicas() == 1


async def test_a_time_before_all_rows_has_none(world: World) -> None:
    await world.at_zero()
    found = json.loads((await world.http(f"/why/default/{NAME}?at=5"))[1])
    assert (found["row"], found["text"], found["changes"]) == (None, None, [])
    assert found["kept"]["rows"] > 0


async def test_there_are_words_for_each_rule_and_clamp(world: World) -> None:
    await world.revision(target="10", scale_down_delay="1m")
    await world.load(40, 4)
    found = await ask(world)
    row, live = found["row"], found["live"]
    row["extra"] = {"cpu": 7.0}
    for rule, clamp, want, seen in itertools.product(Rule, Clamp, (-1, 0, 1, 5), (live, {})):
        told = words({**row, "rule": rule.name.lower(), "clamp": clamp.name.lower(), "want": want}, seen, found["at_s"])
        for text in told.values():
            assert text
            assert "None" not in text and "?" not in text, (rule, clamp, want, text)


async def test_a_policy_that_wants_something_else_is_what_decided(world: World) -> None:
    await world.revision(target="10")
    await world.load(40, 4)
    found = await ask(world)
    row = {**found["row"], "clamp": "none", "desired": 6, "want": 9, "extra": {"policy": 9.0}}
    told = words(row, found["live"], found["at_s"])
    assert told["decided"] == "the policy: it answers 9 pods; the rules want 6 pods"
    assert (told["not_more"], told["not_fewer"]) == ("the policy's answer counts", told["decided"])
    shadow = {**row, "want": 6}
    assert "policy" not in words(shadow, found["live"], found["at_s"])["decided"]


async def test_a_scheduled_floor_is_what_decided_also_before_anything_else_has(world: World) -> None:
    await world.revision(target="10")
    await world.load(4, 4)
    found = await ask(world)
    row = {**found["row"], "desired": 1, "want": 3, "clamp": "min_scale", "extra": {"floor": 3.0}}
    for each in (row, {**row, "desired": None, "clamp": "none", "rule": "undecided"}):
        told = words(each, found["live"], found["at_s"])
        assert told["decided"].startswith("swell.dev/schedule keeps 3 pods; ")
        assert told["not_fewer"] == told["decided"]
        assert reason(each) == "schedule"


def test_numbers_and_durations_are_short() -> None:
    assert [number(value) for value in (4.0, 0.333, 1234.5, None)] == ["4", "0.33", "1234.5", "?"]
    assert [pods(count) for count in (0, 1, 2)] == ["0 pods", "1 pod", "2 pods"]
    assert [duration(value) for value in (0, 59.6, 90, 3600, 3661, -4)] == ["0s", "1m", "1m30s", "1h", "1h1m1s", "0s"]
