"""Those who wait: how long, who has to go, what they are told, and where their time went."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swell.testing.frontdoor import HELLO, HOST, Exchange, World, ip, ready_world

Obj = dict[str, Any]


def phases(exchange: Exchange) -> bytes:
    assert exchange.head_fields is not None
    ((name, value),) = exchange.head_fields()
    assert name == b"server-timing"
    return value


def test_a_request_that_had_to_wait_for_a_pod_says_how_long_each_phase_took() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.clock.advance(0.5)
    world.pod()
    assert exchange.went == [ip(1)]
    world.clock.advance(0.02)
    assert phases(exchange) == b"ready;dur=500.0, queued;dur=0.0, first-byte;dur=20.0"


def test_a_request_that_had_to_wait_for_a_slot_says_so() -> None:
    world = ready_world(container_concurrency=1)
    first = world.request()
    world.clock.advance(1)
    exchange = world.request()
    world.clock.advance(0.25)
    first.finish()
    assert exchange.went == [ip(1)]
    assert phases(exchange) == b"ready;dur=0.0, queued;dur=250.0, first-byte;dur=0.0"


def test_a_pod_that_came_back_counts_from_then() -> None:
    world = ready_world()
    world.refusing.add(ip(1))
    exchange = world.request()
    world.refusing.clear()
    world.clock.advance(0.5)
    world.pass_probes()
    assert exchange.went == [ip(1), ip(1)]
    assert phases(exchange).startswith(b"ready;dur=500.0, ")


def test_a_request_that_did_not_wait_has_nothing_to_tell() -> None:
    assert ready_world().request().head_fields is None


def test_with_a_limit_for_waiting_a_request_is_told_so_and_asked_to_come_back() -> None:
    world = ready_world(pods=0, wait_max_s=5)
    first = world.request(Accept="application/json")
    world.clock.advance(3)
    second = world.request()
    world.clock.advance(1.9)
    assert first.status == 0
    world.clock.advance(0.2)
    assert (first.status, second.status) == (503, 0)
    assert first.answer_headers[b"retry-after"] == b"1"
    assert json.loads(first.body)["revision"] == "default/hello-00001"
    world.clock.advance(3)
    assert second.status == 503
    assert (world.activator.room.count, world.in_flight()) == (0, 0)


def test_of_low_priority_requests_leave_first_when_the_line_is_full() -> None:
    world = ready_world(pods=0, line_max=2)
    low = world.request(Swell_Priority="low")
    others = [world.request() for _ in range(2)]
    assert [exchange.status for exchange in (low, *others)] == [503, 0, 0]
    late = world.request(Swell_Priority="LOW")
    assert late.status == 503


def test_nobody_can_make_himself_more_important() -> None:
    world = ready_world(pods=0, line_max=1)
    first = world.request()
    assert world.request(Swell_Priority="high").status == 503
    assert first.status == 0


def test_a_flood_up_to_the_bounds_of_the_room_leaves_place_for_others_and_their_bytes() -> None:
    world = ready_world(pods=0, room_bytes_max=100_000, line_max=1000)
    world.route("other")
    world.revision("other-00001")
    flood = [world.request() for _ in range(100)]
    assert 503 in [exchange.status for exchange in flood]
    quiet = [world.request("other.default.localhost") for _ in range(5)]
    assert [exchange.status for exchange in quiet] == [0] * 5
    assert world.activator.room.bytes <= 100_000


def test_a_caller_that_leaves_makes_place_at_once() -> None:
    world = ready_world(pods=0, line_max=1)
    first = world.request()
    first.hang_up()
    assert world.request().status == 0


def waiting(reason: str, message: str = "why") -> Obj:
    return {
        "containerStatuses": [{"name": "user-container", "state": {"waiting": {"reason": reason, "message": message}}}]
    }


UNSCHEDULABLE = {
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]
}
CRASHED = {
    "containerStatuses": [
        {
            "name": "user-container",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 3, "message": "no database"}},
        }
    ]
}


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (waiting("ImagePullBackOff"), "ImagePullBackOff (container user-container): why"),
        (waiting("ErrImagePull"), "ErrImagePull (container user-container): why"),
        (waiting("CreateContainerConfigError"), "CreateContainerConfigError (container user-container): why"),
        (CRASHED, "CrashLoopBackOff (container user-container): exit code 3, no database"),
    ],
)
def test_a_cold_start_that_a_pod_says_cannot_succeed_is_told_within_5_s_of_that(status: Obj, cause: str) -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.clock.advance(30)
    world.pod(ready=False, **status)
    world.clock.advance(5)
    assert exchange.status == 503
    assert f"cause: {cause}\n".encode() in exchange.body
    assert exchange.answer_headers[b"retry-after"] == b"5"


@pytest.mark.parametrize(
    "reason", ["FailedCreate", "ExitCode1", "ContainerMissing", "ProgressDeadlineExceeded", "Unschedulable"]
)
def test_a_cold_start_that_its_revision_says_cannot_succeed_is_told_within_5_s_of_that(reason: str) -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.clock.advance(30)
    world.revision(failed=reason)
    world.clock.advance(5)
    assert exchange.status == 503
    assert f"cause: {reason}\n".encode() in exchange.body
    assert HELLO.name.encode() in exchange.body


def test_pods_that_run_but_are_never_ready_have_failed_once_the_progress_deadline_is_over() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.pod(ready=False)
    world.clock.advance(30)
    world.revision(failed="FailedCreate")
    world.clock.advance(5)
    assert exchange.status == 0, "one pod is there, and may still start"
    world.revision(failed="ProgressDeadlineExceeded")
    world.clock.advance(5)
    assert exchange.status == 503


def test_a_pod_without_a_node_is_hopeless_only_if_its_revision_says_so() -> None:
    """With `pod-is-always-schedulable` the Revision does not: a node may be on its way."""
    world = ready_world(pods=0)
    exchange = world.request()
    world.pod(ready=False, **UNSCHEDULABLE)
    world.clock.advance(30)
    assert exchange.status == 0
    world.revision(failed="Unschedulable")
    world.clock.advance(5)
    assert exchange.status == 503
    assert b"cause: Unschedulable\n" in exchange.body


def test_a_cause_that_goes_away_in_time_is_not_told() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.revision(failed="FailedCreate")
    world.clock.advance(1)
    world.revision()
    world.clock.advance(10)
    assert exchange.status == 0
    world.pod()
    assert exchange.went == [ip(1)]


def test_the_same_host_asked_again_after_a_failure_is_told_again() -> None:
    world = World()
    world.route()
    world.revision(failed="FailedCreate")
    for _ in range(3):
        exchange = world.ask(Exchange(world, HOST))
        world.clock.advance(5)
        assert exchange.status == 503


def test_case_67_when_all_pods_turn_unready_requests_wait_until_their_timeout() -> None:
    world = World()
    world.route()
    world.revision(timeoutSeconds=10)
    world.pod()
    world.pod(ready=False)
    exchange = world.request()
    world.clock.advance(9.9)
    assert (exchange.status, exchange.went) == (0, [])
    world.clock.advance(0.2)
    assert (exchange.status, exchange.body) == (504, b"activator request timeout")
