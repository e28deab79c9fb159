"""Reports in, replicas and status out: the whole autoscaler over the real API server, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoscaler.autoscaler import STARTING_S
from autoscaler.program import Settings, run
from swell.api.kinds import DEPLOYMENT, EVENT, POD, POD_AUTOSCALER
from swell.kube.controller import GATHER_S
from swell.kube.errors import Conflict, Unavailable
from swell.runtime.errors import SwellError
from swell.testing.clock import settle
from swell.wire.report import ProvenPod, encode_proven

World = Any
NAME = "hello-00001"


async def test_a_first_request_scales_up_from_zero_without_waiting_for_a_tick(world: World) -> None:
    await world.at_zero()
    before_s = world.clock.now()
    await world.report(1)
    assert (await world.replicas(), world.clock.now()) == (1, before_s)
    await world.quiet(STARTING_S)
    assert await world.active() == ("Unknown", "Queued")
    await world.follow()
    assert await world.active() == ("True", "")
    status = await world.status()
    assert (status["desiredScale"], status["actualScale"]) == (1, 1)


async def test_a_revision_without_requests_goes_to_zero_after_its_window_and_no_grace(world: World) -> None:
    await world.revision(window="6s")
    assert await world.active() == ("True", "")
    await world.load(1, 4)
    await world.quiet(5)
    assert (await world.replicas(), await world.active()) == (1, ("True", ""))
    await world.quiet(4)
    assert (await world.replicas(), await world.active()) == (0, ("False", "NoTraffic"))
    await world.follow()
    status = await world.status()
    assert (status["desiredScale"], status["actualScale"]) == (0, 0)


async def test_the_retention_period_holds_the_last_pod(world: World) -> None:
    await world.revision(window="6s", scale_to_zero_pod_retention_period="30s")
    await world.quiet(20)
    assert (await world.replicas(), await world.active()) == (1, ("False", "NoTraffic"))
    await world.quiet(20)
    assert await world.replicas() == 0


async def test_replicas_follow_the_load_up_and_down(world: World) -> None:
    await world.at_zero(target="10", window="20s")
    await world.report(1)
    await world.follow()
    await world.load(35, 3)
    assert (await world.decisions())[f"default/{NAME}"]["in_panic"]
    for _ in range(25):
        await world.follow()
        await world.load(35, 1)
    assert await world.replicas() == 5, "35 in flight, 7 for each pod"
    for _ in range(50):
        await world.load(10, 1)
        await world.follow()
    assert await world.replicas() == 2
    await world.idle(60)
    assert await world.replicas() == 0


async def test_min_scale_and_max_scale_bound_the_replicas_and_may_change(world: World) -> None:
    await world.revision(window="6s", target="1", min_scale="2", max_scale="3")
    await world.quiet(30)
    assert await world.replicas() == 2
    await world.follow()
    await world.load(50, 4)
    assert await world.replicas() == 3
    await world.annotate(max_scale="4")
    assert await world.replicas() == 4
    await world.idle(30)
    assert await world.replicas() == 2
    await world.annotate(min_scale="0")
    await world.idle(20)
    assert await world.replicas() == 0


async def test_a_new_revision_starts_with_its_initial_scale_and_is_initialized_once_all_are_ready(
    world: World,
) -> None:
    await world.revision(window="6s", initial_scale="3", replicas=1, ready=1)
    assert await world.replicas() == 3
    assert await world.active() == ("Unknown", "Queued")
    await world.pods(2)
    await world.quiet(10)
    assert (await world.replicas(), await world.active()) == (3, ("Unknown", "Queued"))
    await world.follow()
    conditions = {c["type"]: c["status"] for c in (await world.status())["conditions"]}
    assert conditions == {"Active": "True", "Ready": "True", "ScaleTargetInitialized": "True"}
    await world.quiet(5)
    assert await world.replicas() == 3, "nothing was asked of it, but not for a whole window yet"
    await world.idle(30)
    assert await world.replicas() == 0


async def test_a_pod_that_has_passed_an_activators_probe_is_ready_before_kubernetes_says_so(world: World) -> None:
    await world.revision(replicas=1, ready=0)
    await world.pods(1, told=False)
    (pod,) = (await world.kube.list(POD, "default")).items
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    await world.send(encode_proven([ProvenPod("default", name, "another"), ProvenPod("default", "unknown", uid)]))
    assert await world.active() == ("Unknown", "Queued")
    await world.send(encode_proven([ProvenPod("default", name, uid)]))
    await world.quiet(0.5)
    assert await world.active() == ("True", "")
    assert (await world.status())["actualScale"] == 1


async def test_a_start_that_is_quick_writes_one_status(world: World) -> None:
    await world.at_zero()
    before = (await world.kube.get(POD_AUTOSCALER, "default", NAME))["metadata"]["resourceVersion"]
    await world.report(1)
    changes = world.kube.watch(POD_AUTOSCALER, "default", resource_version=before)
    await world.quiet(STARTING_S / 2)
    await world.pods(1)
    await world.quiet(STARTING_S)
    first = await anext(aiter(changes))
    assert (
        first.object["metadata"]["resourceVersion"]
        == (await world.kube.get(POD_AUTOSCALER, "default", NAME))["metadata"]["resourceVersion"]
    )
    assert await world.active() == ("True", "")


async def test_an_initial_scale_of_zero_starts_nothing_and_counts_as_initialized(world: World) -> None:
    await world.configure(allow_zero_initial_scale="true")
    await world.revision(initial_scale="0", replicas=0)
    conditions = {c["type"]: c["status"] for c in (await world.status())["conditions"]}
    assert conditions == {"Active": "False", "Ready": "False", "ScaleTargetInitialized": "True"}
    assert await world.replicas() == 0
    await world.report(1)
    assert await world.replicas() == 1


async def test_a_revision_that_cannot_be_reached_has_no_minimum(world: World) -> None:
    await world.revision(window="6s", min_scale="2", replicas=2)
    await world.quiet(75)
    assert await world.replicas() == 2
    await world.reach("Unreachable")
    await world.quiet(15)
    assert await world.replicas() == 0
    await world.follow()
    await world.reach("Reachable")
    assert await world.replicas() == 2


async def test_a_start_that_takes_too_long_times_out_and_gives_its_pod_back(world: World) -> None:
    await world.revision(window="6s", ready=0)
    progress = {"metadata": {"annotations": {"serving.knative.dev/progress-deadline": "10s"}}}
    await world.kube.patch(POD_AUTOSCALER, "default", NAME, progress)
    await world.quiet(35)
    assert (await world.replicas(), await world.active()) == (1, ("Unknown", "Queued"))
    await world.quiet(45)
    assert await world.replicas() == 0
    assert (await world.active())[0] == "False"
    await world.report(1)
    await world.quiet(GATHER_S)
    assert (await world.replicas(), await world.active()) == (1, ("Unknown", "Queued"))


async def test_without_scale_to_zero_one_pod_stays(world: World) -> None:
    await world.configure(enable_scale_to_zero="false")
    await world.revision(window="6s")
    await world.quiet(30)
    assert await world.replicas() == 1
    await world.configure(enable_scale_to_zero="true")
    await world.quiet(10)
    assert await world.replicas() == 0


async def test_a_bad_config_map_leaves_the_settings_as_they_were(world: World) -> None:
    await world.configure(stable_window="6s")
    await world.configure(stable_window="6ms", enable_scale_to_zero="false")
    await world.revision()
    await world.quiet(20)
    assert await world.replicas() == 0


async def test_a_request_while_the_last_pod_is_going_brings_a_pod_back(world: World) -> None:
    await world.revision(window="6s")
    world.kube.gate = asyncio.Event()
    await world.quiet(20)
    assert (await world.replicas(), await world.active()) == (1, ("False", "NoTraffic")), "the write is on its way"
    await world.report(1)
    world.kube.gate.set()
    await settle()
    assert world.kube.scaled == [0, 1]
    assert await world.replicas() == 1


async def test_a_request_right_after_the_last_pod_went_brings_a_pod_back(world: World) -> None:
    await world.at_zero()
    for _ in range(3):
        await world.report(1)
        assert await world.replicas() == 1
        await world.quiet(1)
        await world.report(0, count=0)
        await world.follow()
        await world.quiet(20)
        assert await world.replicas() == 0
        await world.follow()


async def test_twenty_revisions_cold_at_the_same_moment_scale_up_together(world: World) -> None:
    names = [f"cold-{number}" for number in range(20)]
    for name in names:
        await world.revision(name, window="6s")
    await world.quiet(20)
    for name in names:
        await world.pods(0, name)
    world.kube.scaled.clear()
    await world.report(1, *names)
    assert world.kube.scaled == [1] * 20


@pytest.mark.parametrize("error", [Conflict(409, "Conflict", "old"), Unavailable(503, "Unavailable", "away")])
async def test_a_scale_write_that_fails_is_tried_again(world: World, error: Exception) -> None:
    await world.at_zero()
    world.kube.refuse.extend([error] * 3)
    await world.report(1)
    await world.quiet(3)
    assert (await world.replicas(), world.kube.refuse) == (1, [])


async def test_somebody_elses_change_of_the_replicas_is_put_right(world: World) -> None:
    await world.revision(window="6s", min_scale="1")
    await world.quiet(10)
    await world.kube.patch(DEPLOYMENT, "default", f"{NAME}-deployment", {"spec": {"replicas": 0}})
    await world.quiet(GATHER_S)
    assert await world.replicas() == 1


async def test_without_an_activator_silence_decides_nothing_and_the_last_pod_stays(
    new_world: Callable[[], World],
) -> None:
    world = new_world()
    await world.start(heard=False)
    await world.revision(window="6s")
    assert await world.active() == ("True", "")
    await world.quiet(60)
    assert (await world.replicas(), await world.active()) == (1, ("True", ""))
    await world.connect()
    await world.quiet(30)
    assert await world.replicas() == 0
    await world.disconnect()
    await world.stop()


async def test_a_restarted_autoscaler_scales_up_what_waits_at_its_first_report(world: World) -> None:
    await world.at_zero()
    await world.disconnect()
    await world.stop()
    await world.start(heard=False)
    await world.connect()
    await world.report(1)
    assert await world.replicas() == 1


async def test_a_restarted_autoscaler_keeps_what_is_in_use(world: World) -> None:
    await world.revision(window="6s", target="1", replicas=1)
    for _ in range(8):
        await world.load(3, 1)
        await world.follow()
    assert await world.replicas() == 5
    await world.disconnect()
    await world.stop()
    world.kube.scaled.clear()
    await world.start(heard=False)
    await world.quiet(5)
    await world.connect()
    await world.load(3, 8)
    assert world.kube.scaled == []


async def test_after_a_restart_silence_must_last_a_window_before_it_counts(world: World) -> None:
    await world.revision(window="20s")
    await world.load(1, 30)
    await world.disconnect()
    await world.stop()
    await world.start()
    await world.quiet(15)
    assert (await world.replicas(), await world.active()) == (1, ("True", ""))
    await world.load(1, 2)
    await world.quiet(15)
    assert (await world.replicas(), await world.active()) == (1, ("True", ""))
    await world.quiet(15)
    assert await world.replicas() == 0


async def test_a_new_owner_goes_on_from_what_the_activators_remember(world: World) -> None:
    await world.revision(window="60s", target="1")
    for _ in range(10):
        await world.load(3, 1)
        await world.follow()
    assert await world.replicas() == 5
    await world.quiet(50)
    await world.disconnect()
    await world.stop()
    await world.start(heard=False)
    await world.connect()
    await world.history(60.0, {59.0 - second: 3.0 for second in range(10)})
    assert (await world.decisions())[f"default/{NAME}"]["stable_value"] == pytest.approx(3.0, rel=0.2)
    await world.quiet(8)
    assert await world.replicas() == 5
    await world.quiet(6)
    assert await world.replicas() == 2, "the window has passed, as if there had been no other"


async def test_while_an_activator_has_not_told_its_history_nothing_is_taken_away(world: World) -> None:
    await world.revision(window="6s", target="1")
    for _ in range(8):
        await world.load(3, 1)
        await world.follow()
    assert await world.replicas() == 5
    await world.activator("activator-1")
    await world.activator("activator-2")
    await world.disconnect()
    await world.stop()
    await world.start(heard=False)
    await world.connect()
    await world.history(60.0, {}, activator="activator-1")
    await world.quiet(4)
    assert await world.replicas() == 5
    await world.history(60.0, {}, activator="activator-2")
    await world.quiet(2)
    assert await world.replicas() == 2


async def test_a_history_does_not_wake_what_is_at_zero(world: World) -> None:
    await world.at_zero()
    await world.disconnect()
    await world.stop()
    await world.start(heard=False)
    await world.connect()
    await world.history(60.0, {40.0: 1.0})
    await world.quiet(10)
    assert await world.replicas() == 0


async def test_an_idle_autoscaler_has_no_timer_and_writes_nothing(world: World) -> None:
    await world.at_zero()
    await world.quiet(30)
    before = dict(world.kube.writes)
    ticks = [timer for at_s, _, timer in world.clock._due if timer.callback and at_s < world.clock.now() + 100]
    assert ticks == []
    await world.quiet(200)
    assert dict(world.kube.writes) == before


async def test_a_deleted_revision_is_forgotten_and_its_reports_are_lost(world: World) -> None:
    await world.at_zero()
    await world.kube.delete(POD_AUTOSCALER, "default", NAME)
    await settle()
    await world.report(1)
    assert (await world.replicas(), await world.decisions()) == (0, {})


async def test_a_revision_made_anew_under_its_old_name_begins_anew(world: World) -> None:
    await world.at_zero()
    for kind, name in ((POD_AUTOSCALER, NAME), (DEPLOYMENT, f"{NAME}-deployment")):
        await world.kube.delete(kind, "default", name)
    await settle()
    await world.revision(window="6s")
    assert await world.active() == ("True", "")
    await world.idle(20)
    assert await world.replicas() == 0


async def test_other_classes_of_autoscaler_are_left_alone(world: World) -> None:
    await world.revision(**{"class": "somebody.example.com"}, window="6s")
    await world.quiet(30)
    assert (await world.replicas(), await world.status(), await world.decisions()) == (1, {}, {})


async def test_requests_per_second_may_be_what_counts(world: World) -> None:
    await world.revision(window="6s", metric="rps", target="10")
    for _ in range(8):
        await world.report(0.5, count=35)
        await world.quiet(1)
        await world.follow()
    assert await world.replicas() == 5
    assert (await world.decisions())[f"default/{NAME}"]["metric"] == "rps"


async def test_the_state_of_each_decision_can_be_read(world: World) -> None:
    await world.at_zero(target="10")
    await world.report(4)
    assert (await world.decisions())[f"default/{NAME}"] == {
        "desired": 1,
        "excess_burst_capacity": -215,
        "stable_value": 4.0,
        "panic_value": 4.0,
        "ready_pods": 0.0,
        "in_panic": False,
        "metric": "concurrency",
        "requests_per_s": 1.0,
        "target": 7.0,
        "activators": 3,
    }


async def test_why_a_revision_is_as_it_is_can_be_read(world: World) -> None:
    await world.at_zero(target="10")
    await world.report(4)
    found = json.loads((await world.http(f"/why/default/{NAME}"))[1])
    assert (found["revision"], found["at_s"]) == (f"default/{NAME}", world.clock.wall())
    row = found["row"]
    assert row["seen"] == {"stable": 4.0, "panic": 4.0, "ready_pods": 0.0}
    assert (row["rule"], row["clamp"], row["desired"], row["want"], row["replicas"]) == ("stable", "none", 1, 1, 1)
    assert found["text"]["decided"] == "the stable window: 4 in flight / 7 per pod, so 1 pod"
    assert found["changes"][-1]["text"] == "0 -> 1 pod: a request came"
    before = json.loads((await world.http(f"/why/default/{NAME}?at={world.clock.wall() - 10}"))[1])
    assert before["text"]["to_zero"] == "it is at zero; the next request starts a pod"
    assert before["live"] is None
    never = json.loads((await world.http(f"/why/default/{NAME}?at=1000"))[1])
    assert never["row"] is never["text"] is None
    assert never["kept"]["from_s"] > 1000
    assert (await world.http(f"/why/default/{NAME}?at=noon")) == (400, "at=noon: unix seconds are wanted\n")
    assert (await world.http("/why/default/nobody"))[0] == 404


async def test_of_two_autoscalers_the_one_that_holds_the_lease_works(new_world: Callable[[], World]) -> None:
    world, ports, stops = new_world(), asyncio.Queue[int](), [asyncio.Event(), asyncio.Event()]
    running = [
        asyncio.create_task(run(_candidate(number), world.kube, world.clock, stop, ports.put_nowait))
        for number, stop in enumerate(stops)
    ]
    async with asyncio.timeout(10):
        await ports.get()
        await world.quiet(30)
        assert ports.empty(), "the other one waits"
        stops[0].set()
        await running[0]
        while ports.empty():
            await world.quiet(1)
        stops[1].set()
        await running[1]


def _candidate(number: int) -> Settings:
    return Settings("swell-system", "127.0.0.1", 0, leader_election=True, pod_name=f"autoscaler-{number}")


async def test_a_port_that_is_taken_ends_the_program(world: World, new_world: Callable[[], World]) -> None:
    other = new_world()
    other.port = world.port
    with pytest.raises(SwellError, match=f"cannot listen on 127.0.0.1:{world.port}.*stop the program"):
        await other.start()


async def test_a_spike_is_told_of_in_events(world: World) -> None:
    await world.revision(target="10", window="20s")
    await world.load(35, 6)
    events = (await world.kube.list(EVENT, "default")).items
    told = {event["reason"]: event for event in events if event["source"]["component"] == "autoscaler"}
    assert {*told} == {"ScaledUp", "PanicBegan"}
    assert told["ScaledUp"]["message"] == f"{NAME}: 1 -> 5: stable window"
    assert told["ScaledUp"]["involvedObject"]["kind"] == "PodAutoscaler"
    assert all(event["count"] == 1 for event in events)


@pytest.mark.parametrize("kept", ["file", "configmap"])
async def test_the_ledger_outlives_a_restart(new_world: Callable[[], World], tmp_path: Path, kept: str) -> None:
    world, file = new_world(), tmp_path / "ledger.db"
    where = str(file) if kept == "file" else kept
    await world.start(ledger=where)
    await world.at_zero(target="10")
    await world.report(4)
    await world.load(4, 3)
    before = json.loads((await world.http(f"/why/default/{NAME}"))[1])
    await world.stop()
    await world.quiet(1)
    await world.start(ledger=where)
    after = json.loads((await world.http(f"/why/default/{NAME}?at={before['at_s']}"))[1])
    assert after["kept"]["from_s"] == before["kept"]["from_s"]
    assert after["row"] == before["row"]
    assert after["changes"] == before["changes"] != []
    await world.stop()


async def test_a_damaged_ledger_is_set_aside(new_world: Callable[[], World], tmp_path: Path) -> None:
    world, file = new_world(), tmp_path / "ledger.db"
    file.write_bytes(b"no database at all " * 100)
    await world.start(ledger=str(file))
    await world.at_zero()
    await world.stop()
    assert (tmp_path / "ledger.db.damaged").read_bytes().startswith(b"no database")
    await world.start(ledger=str(file))
    assert json.loads((await world.http(f"/why/default/{NAME}"))[1])["changes"] != []
    await world.stop()
