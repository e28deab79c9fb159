"""Policies through the whole autoscaler: real processes, virtual time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from swell.api.kinds import EVENT, POD_AUTOSCALER
from swell.testing.clock import settle
from swell.testing.waiting import until

World = Any
NAME = "hello-00001"
# A new revision of which nothing is heard: its window, and a tick.
DECIDED_S = 9.0
EXAMPLES = Path(__file__).with_name("examples.py")


async def load(world: World, policy: str, mode: str, timeout: str = "1s") -> None:
    """Have all revisions under a policy of the examples."""
    name = policy.lower()
    await world.configure(
        **{
            "swell.policies": f"{name}={EXAMPLES}:{policy}",
            "swell.policy": name,
            "swell.policy-mode": mode,
            "swell.policy-timeout": timeout,
        }
    )

    async def loaded() -> bool:
        return bool((await policies(world))["policies"][name]["up"])

    if mode != "off":
        await until(loaded)


async def policies(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await world.http("/policies"))[1])
    return found


async def quiet(world: World, seconds: float, *, follow: bool = False) -> None:
    """Virtual time, in which policies answer in time: what they do takes real time."""

    async def answered() -> bool:
        return not any(each["asking"] for each in (await policies(world))["policies"].values())

    for _ in range(math.ceil(seconds * 2)):
        await world.quiet(0.5)
        await until(answered)
        if follow:
            await world.follow()


async def outcome(world: World, name: str = NAME, **expected: object) -> dict[str, Any]:
    """What came of the policy for a revision, once it is as expected."""
    found: dict[str, Any] = {}

    async def seen() -> bool:
        nonlocal found
        # Answers take real time; what a policy is asked for takes virtual time.
        found = (await policies(world))["revisions"].get(f"default/{name}", {})
        return bool(found) and {key: found.get(key) for key in expected} == expected

    await until(seen)
    return found


async def replicas(world: World, wanted: int, name: str = NAME) -> None:
    async def seen() -> bool:
        await settle()
        return bool(await world.replicas(name) == wanted)

    await until(seen)


async def asked(world: World, **expected: object) -> dict[str, Any]:
    """The outcome after the policies' next round."""
    await quiet(world, 2.5)
    return await outcome(world, **expected)


async def test_a_policy_that_is_on_decides_within_the_bounds(world: World) -> None:
    await load(world, "Two", "on")
    await world.revision(window="6s")
    await quiet(world, DECIDED_S)
    found = await outcome(world, wanted=2)
    assert (found["policy"], found["mode"], found["by_policy"], found["error"]) == ("two", "on", 2, "")
    await replicas(world, 2)
    await quiet(world, 20, follow=True)
    assert await world.replicas() == 2, "the rules would have gone to zero"
    await world.annotate(max_scale="1")
    await asked(world, by_policy=1)
    await replicas(world, 1)
    await world.annotate(max_scale="8", min_scale="4")
    await asked(world, by_policy=4)
    await replicas(world, 4)


async def test_a_policy_is_asked_anew_as_soon_as_something_is_decided(world: World) -> None:
    await world.at_zero(target="10")
    await load(world, "More", "on")
    await asked(world, rules=0, wanted=None)
    before_s = world.clock.now()
    await world.report(1)
    await outcome(world, rules=1, wanted=2)
    await replicas(world, 2)
    assert world.kube.scaled[-2:] == [1, 2], "a first request waits for no policy"
    assert world.clock.now() == before_s
    await world.follow()
    for _ in range(4):
        await world.report(35)
        await quiet(world, 1)
    found = await outcome(world)
    assert found["rules"] > 1 and found["wanted"] == found["rules"] + 1
    await replicas(world, found["wanted"])


async def test_a_policy_in_the_shadow_only_says_what_it_would_have_done(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await load(world, "Two", "shadow")
    await world.revision(window="6s")
    await quiet(world, DECIDED_S)
    found = await outcome(world, wanted=2)
    assert (found["mode"], found["by_rules"], found["by_policy"]) == ("shadow", 0, 2)
    await quiet(world, 20)
    assert await world.replicas() == 0
    (first, *_) = [record for record in caplog.records if record.message == "a policy would decide otherwise"]
    fields: dict[str, object] = first.fields  # type: ignore[attr-defined]
    assert (fields["policy"], fields["would"], fields["did"]) == ("two", 2, 0)


async def test_a_revision_chooses_among_the_policies_that_are_loaded(world: World) -> None:
    await world.configure(
        **{
            "swell.policies": f"two={EXAMPLES}:Two, more={EXAMPLES}:More",
            "swell.policy": "two",
            "swell.policy-mode": "on",
        }
    )
    for name, policy in (("a-00001", "more"), ("b-00001", "none"), ("c-00001", "unknown"), ("d-00001", None)):
        await world.revision(name, window="6s")
        notes = {"metadata": {"annotations": {"swell.dev/policy": policy}}}
        await world.kube.patch(POD_AUTOSCALER, "default", name, notes)
    await quiet(world, DECIDED_S)
    assert (await outcome(world, "a-00001"))["policy"] == "more"
    assert (await outcome(world, "d-00001"))["policy"] == "two"
    await quiet(world, 20)
    assert (await policies(world))["revisions"].keys() == {"default/a-00001", "default/d-00001"}
    assert [await world.replicas(name) for name in ("b-00001", "c-00001")] == [0, 0]


async def test_a_policy_that_fails_changes_nothing_and_is_told_of(world: World) -> None:
    await load(world, "Odd", "on")
    await world.revision("raises", window="6s")
    await quiet(world, DECIDED_S)
    found = await outcome(world, "raises", wanted=None)
    assert found["error"].startswith("ValueError: no (examples.py:")
    await quiet(world, 20)
    assert await world.replicas("raises") == 0

    async def told() -> list[str]:
        events = (await world.kube.list(EVENT, "swell-system")).items
        return [event["message"] for event in events if event["reason"] == "PolicyFailed"]

    await until(told)
    (message,) = set(await told())
    assert message.startswith("policy odd failed for default/raises: ValueError: no")
    assert (await policies(world))["policies"]["odd"]["errors"] > 0


async def test_a_policy_that_hangs_stops_nothing_and_what_it_had_answered_counts_no_more(world: World) -> None:
    await load(world, "HangsAfterOne", "on")
    await world.revision(window="6s")
    await quiet(world, DECIDED_S)
    await outcome(world, wanted=7)
    await replicas(world, 7)
    # Now it hangs; time goes on, requests are decided for, and its own time runs out.
    await world.load(50, 3)

    async def over() -> bool:
        await world.quiet(0.5)
        found = (await policies(world))["policies"]["hangsafterone"]
        return not found["up"] and found["failures"] == 1

    await until(over)
    found = (await policies(world))["revisions"][f"default/{NAME}"]
    assert found["wanted"] is None and "policy hangsafterone" in found["error"]


async def test_a_policy_that_is_off_has_no_process(world: World) -> None:
    await load(world, "Two", "off")
    await world.revision(window="6s")
    await world.quiet(30)
    assert await world.replicas() == 0
    assert await policies(world) == {
        "mode": "off",
        "policies": {"two": {"source": f"{EXAMPLES}:Two", "up": False, "asking": 0, "errors": 0, "failures": 0}},
        "revisions": {},
    }
    await load(world, "Two", "on")
    await asked(world, wanted=2)
    await replicas(world, 2)
    await load(world, "Two", "off")
    assert (await policies(world))["revisions"] == {}
    await world.idle(20)
    assert await world.replicas() == 0


async def test_a_policy_goes_with_the_autoscaler(world: World) -> None:
    await load(world, "Hangs", "on", timeout="10s")
    await world.revision(window="6s")
    await world.quiet(DECIDED_S)
    assert (await policies(world))["policies"]["hangs"]["asking"] == 1
    await world.stop()
