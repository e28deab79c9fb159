"""The front door's decisions over exchanges that only record what is done with them; virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from activator.activator import Outside
from activator.gateway import Target
from swell.testing.frontdoor import HELLO, HOST, Exchange, World, ip, ready_world

Obj = dict[str, Any]


def test_a_request_goes_to_a_pod_of_its_hosts_revision() -> None:
    world = ready_world()
    exchange = world.request()
    assert exchange.went == [ip(1)]
    exchange.finish()
    assert (exchange.status, exchange.ended, world.in_flight()) == (200, 1, 0)


def test_case_47_the_front_door_marks_requests_and_drops_what_only_it_may_say() -> None:
    world = ready_world()
    exchange = world.request()
    assert (b"k-proxy-request", b"activator") in exchange.options["set_headers"]
    assert {
        b"k-proxy-request",
        b"k-kubelet-probe",
        b"k-original-host",
        b"knative-serving-namespace",
        b"knative-serving-revision",
    } <= exchange.options["drop_headers"]


def test_traffic_is_split_by_percent() -> None:
    world = World()
    world.route(hello_00001=75, hello_00002=25)
    for number, revision in ((1, "hello-00001"), (2, "hello-00002")):
        world.revision(revision)
        world.pod(number, revision=revision)
    went = [world.request().went[0] for _ in range(100)]
    assert (went.count(ip(1)), went.count(ip(2))) == (75, 25)


@pytest.mark.parametrize("host", ["hello.default", "hello.default.svc", "hello.default.svc.cluster.local"])
def test_from_outside_names_inside_the_cluster_are_unknown(host: str) -> None:
    world = ready_world()
    outside = Outside(world.activator)
    exchange = Exchange(world, host)
    outside.on_request(exchange)  # type: ignore[arg-type]
    assert (exchange.status, exchange.body) == (404, f'no route for host "{host}"\n'.encode())


def test_from_outside_public_hosts_answer_and_so_does_our_own_health() -> None:
    world = ready_world()
    outside = Outside(world.activator)
    for host in ("hello.default.localhost", "hello.default.localhost."):
        exchange = Exchange(world, host)
        outside.on_request(exchange)  # type: ignore[arg-type]
        assert exchange.went == [ip(1)]
    probe = Exchange(world, "10.0.0.1", {"user-agent": "kube-probe/1.34"})
    outside.on_request(probe)  # type: ignore[arg-type]
    assert probe.status == 200


def test_an_unknown_host_is_a_404_that_names_only_what_was_asked() -> None:
    world = ready_world()
    exchange = world.request("nobody.example.com")
    assert (exchange.status, exchange.body) == (404, b'no route for host "nobody.example.com"\n')
    assert world.activator.unrouted == {404: 1}
    assert world.sent == []


def test_a_route_without_traffic_says_so_and_asks_to_come_back() -> None:
    world = World()
    world.gateway.set_route(
        {"metadata": {"name": "hello", "namespace": "default"}, "status": {"url": f"http://{HOST}"}}
    )
    exchange = world.request(Accept="application/json")
    assert exchange.status == 503
    assert b"retry-after" in exchange.answer_headers
    assert json.loads(exchange.body)["route"] == "default/hello"


def test_case_5_a_revision_at_zero_is_reported_at_once_and_its_request_held_until_a_pod_passes() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    assert world.sent == [(HELLO.name, 1, 1)]
    assert exchange.went == []
    world.pod(ready=False)
    assert [address for address, _ in world.probes] == [ip(1)]
    world.pass_probes()
    assert exchange.went == [ip(1)]


def test_case_6_a_second_waiting_request_does_not_poke_again() -> None:
    world = ready_world(pods=0)
    world.request()
    world.request()
    assert world.sent == [(HELLO.name, 1, 1)]


def test_requests_that_waited_go_in_the_order_they_came() -> None:
    world = ready_world(container_concurrency=1, pods=0)
    exchanges = [world.request() for _ in range(3)]
    world.pod(1)
    assert [len(exchange.went) for exchange in exchanges] == [1, 0, 0]
    exchanges[0].finish()
    assert [len(exchange.went) for exchange in exchanges] == [1, 1, 0]


def test_case_9_a_request_whose_pod_never_comes_gets_504_at_its_timeout() -> None:
    world = World()
    world.route()
    world.revision(timeoutSeconds=10)
    exchange = world.request()
    world.clock.advance(9.9)
    assert exchange.status == 0
    world.clock.advance(0.2)
    assert (exchange.status, exchange.body) == (504, b"activator request timeout")
    assert (exchange.ended, world.activator.room.count, world.in_flight()) == (1, 0, 0)


def test_case_10_waiting_is_idle() -> None:
    world = World()
    world.route()
    world.revision(timeoutSeconds=60, idleTimeoutSeconds=3)
    exchange = world.request()
    world.clock.advance(3.01)
    assert exchange.status == 504


def test_a_pod_that_does_not_begin_to_answer_gets_504_and_its_slot_comes_free() -> None:
    world = World()
    world.route()
    world.revision(timeoutSeconds=10, containerConcurrency=1)
    world.pod()
    slow, waiting = world.request(), world.request()
    world.clock.advance(5)
    later = world.request()
    world.clock.advance(5.01)
    assert (slow.status, waiting.status) == (504, 504)
    assert later.went == [ip(1)]


def test_an_answer_that_is_under_way_at_the_timeout_is_cut() -> None:
    world = World()
    world.route()
    world.revision(timeoutSeconds=10, responseStartTimeoutSeconds=2)
    world.pod()
    exchange = world.request()
    world.clock.advance(1)
    exchange.status = 200
    world.clock.advance(20)
    assert (exchange.status, exchange.aborted_at) == (200, 10)


def test_case_11_a_caller_that_leaves_while_held_is_forgotten() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    exchange.hang_up()
    world.pod()
    assert exchange.went == []
    assert (world.activator.room.count, world.in_flight()) == (0, 0)
    assert world.activator.lanes[HELLO].counts.gone == 1


def crowd(world: World, size: int) -> list[Exchange]:
    """So many requests that came together for one pod with one slot."""
    world.route()
    world.revision(containerConcurrency=1, timeoutSeconds=10)
    world.pod()
    return [world.request() for _ in range(size)]


def test_case_11_of_callers_that_leave_together_none_is_sent_for() -> None:
    world = World()
    *leaving, last = crowd(world, 100)
    for exchange in leaving:
        exchange.hang_up()
    world.clock.advance(0.001)
    assert [len(exchange.went) for exchange in (*leaving, last)] == [1, *[0] * 98, 1]


def test_case_9_of_requests_that_are_late_together_none_is_sent_to_a_pod() -> None:
    world = World()
    requests = crowd(world, 100)
    world.clock.advance(10)
    assert {exchange.status for exchange in requests} == {504}
    assert [len(exchange.went) for exchange in requests] == [1, *[0] * 99]


def test_case_16_without_a_limit_two_pods_get_one_request_each() -> None:
    world = ready_world(pods=2)
    assert {world.request().went[0], world.request().went[0]} == {ip(1), ip(2)}


def test_case_17_with_two_slots_pods_are_filled_one_after_another() -> None:
    world = ready_world(container_concurrency=2, pods=2)
    assert [world.request().went[0] for _ in range(3)] == [ip(1), ip(1), ip(2)]


def test_case_18_with_ten_slots_pods_take_turns() -> None:
    world = ready_world(container_concurrency=10, pods=3)
    went = []
    for _ in range(6):
        exchange = world.request()
        went += exchange.went
        exchange.finish()
    assert went == [ip(1), ip(2), ip(3)] * 2


def test_case_22_a_request_that_a_pod_refuses_goes_to_another_pod() -> None:
    world = ready_world(container_concurrency=1, pods=2)
    world.refusing = {ip(1)}
    exchange = world.request()
    assert exchange.went == [ip(1), ip(2)]
    assert world.request().went == [], "the pod that refuses gets nothing more"


def test_a_request_that_the_only_pod_refuses_waits_until_it_passes_a_probe_again() -> None:
    world = ready_world()
    world.refusing = {ip(1)}
    exchange = world.request()
    assert (exchange.status, exchange.went) == (0, [ip(1)])
    world.refusing.clear()
    world.pass_probes()
    assert exchange.went == [ip(1), ip(1)]
    exchange.finish()
    assert (world.in_flight(), exchange.ended) == (0, 1)
    assert world.activator.lanes[HELLO].counts.retried == 1


def test_a_refused_request_goes_before_those_who_came_later() -> None:
    world = ready_world(container_concurrency=1)
    world.refusing = {ip(1)}
    first, second = world.request(), world.request()
    world.refusing.clear()
    world.pass_probes()
    assert (len(first.went), len(second.went)) == (2, 0)


def test_a_pod_that_hangs_up_gets_nothing_more_until_it_has_passed_a_probe() -> None:
    world = ready_world(container_concurrency=2, pods=2)
    running, others = world.request(), [world.request() for _ in range(3)]
    waiting = [world.request() for _ in range(2)]
    running.cut_off()
    assert (running.status, running.went) == (502, [ip(1)])
    assert [exchange.went for exchange in waiting] == [[], []]
    next(exchange for exchange in others if exchange.went == [ip(2)]).finish()
    assert [exchange.went for exchange in waiting] == [[ip(2)], []]
    world.pass_probes()
    assert [exchange.went for exchange in waiting] == [[ip(2)], [ip(1)]]


def test_a_pod_that_leaves_takes_nothing_new_and_finishes_what_it_has() -> None:
    world = ready_world(container_concurrency=1, pods=1)
    running = world.request()
    world.no_pod(1)
    waiting = world.request()
    running.finish()
    assert (running.status, waiting.went) == (200, [])
    world.pod(2)
    assert waiting.went == [ip(2)]


def test_a_full_line_answers_503_and_asks_to_come_back() -> None:
    world = ready_world(pods=0, line_max=2)
    held = [world.request() for _ in range(2)]
    refused = world.request()
    assert (refused.status, refused.body) == (503, b"pending request queue full\n")
    assert refused.answer_headers[b"retry-after"] == b"1"
    assert [exchange.status for exchange in held] == [0, 0]
    assert world.activator.lanes[HELLO].counts.turned_away == 1


def test_a_flood_for_one_revision_does_not_keep_others_out_of_the_waiting_room() -> None:
    world = ready_world(pods=0, room_max=3)
    world.route("other")
    world.revision("other-00001")
    flood = [world.request() for _ in range(3)]
    quiet = world.request("other.default.localhost")
    assert [exchange.status for exchange in (*flood, quiet)] == [0, 0, 503, 0]
    assert world.activator.room.count == 3


def crash(reason: str = "ImagePullBackOff") -> Obj:
    return {
        "containerStatuses": [
            {"name": "user-container", "state": {"waiting": {"reason": reason, "message": "no image"}}}
        ]
    }


def test_a_start_that_fails_is_told_to_those_who_wait_within_seconds() -> None:
    world = ready_world(pods=0)
    exchange = world.request(Accept="application/json")
    world.clock.advance(0.5)
    world.pod(ready=False, **crash())
    world.clock.advance(2.1)
    assert exchange.status == 503
    told = json.loads(exchange.body)
    assert told["revision"] == "default/hello-00001"
    assert told["cause"] == "ImagePullBackOff (container user-container): no image"
    assert b"retry-after" in exchange.answer_headers
    assert (world.activator.room.count, world.in_flight()) == (0, 0)


def test_a_failed_revision_is_tried_again_before_its_callers_are_told() -> None:
    world = World()
    world.route()
    world.revision(failed="ExitCode3")
    hopeful = world.request()
    assert world.sent == [(HELLO.name, 1, 1)], "the autoscaler hears of it, and may start a pod"
    world.clock.advance(1)
    late = world.request()
    world.pod()
    assert (hopeful.went, late.went) == ([ip(1)], [ip(1)])
    world.no_pod()
    told = world.request()
    world.clock.advance(1.9)
    assert told.status == 0
    world.clock.advance(0.2)
    assert told.status == 503


def test_each_caller_of_a_failed_revision_has_the_same_patience() -> None:
    world = World()
    world.route()
    world.revision(failed="ExitCode3")
    first = world.request()
    world.clock.advance(1)
    second = world.request()
    world.clock.advance(1.1)
    assert (first.status, second.status) == (503, 0)
    world.clock.advance(1)
    assert second.status == 503


def test_what_keeps_a_pod_from_starting_for_a_moment_sends_nobody_away() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    for _ in range(3):
        world.pod(ready=False, **crash("CreateContainerError"))
        world.clock.advance(1.9)
        world.pod(ready=False)
        world.clock.advance(0.1)
    assert exchange.status == 0
    world.pod(ready=False, **crash("CreateContainerError"))
    world.clock.advance(2.1)
    assert exchange.status == 503


def test_while_one_pod_may_still_start_nobody_is_sent_away() -> None:
    world = World()
    world.route()
    world.revision(failed="ExitCode3")
    exchange = world.request()
    world.pod(1, ready=False, **crash("CrashLoopBackOff"))
    world.pod(2, ready=False)
    world.clock.advance(30)
    assert exchange.status == 0
    world.pod(2, ready=False, **crash("CrashLoopBackOff"))
    world.clock.advance(2.02)
    assert exchange.status == 503


def test_a_revision_that_no_cache_knows_is_waited_for_a_moment() -> None:
    world = World()
    world.route()
    early = world.request()
    world.clock.advance(1)
    world.revision()
    world.pod()
    assert early.went == [ip(1)]

    world.route("ghost")
    ghost = world.request("ghost.default.localhost", Accept="application/json")
    world.clock.advance(2.1)
    assert ghost.status == 503
    assert json.loads(ghost.body)["cause"] == "NotFound: no such revision"


def test_a_deleted_revision_lets_go_of_those_who_wait() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.activator.revision_removed(HELLO)
    world.clock.advance(2.1)
    assert exchange.status == 503
    assert HELLO not in world.activator.lanes


def test_a_deleted_revision_lets_go_of_those_who_wait_for_a_pod_that_is_still_starting() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.pod(ready=False)
    world.activator.revision_removed(HELLO)
    world.clock.advance(2.1)
    assert exchange.status == 503
    assert HELLO not in world.activator.lanes


def test_a_request_in_flight_outlives_its_revision_and_its_lane_goes_with_it() -> None:
    world = ready_world(container_concurrency=1)
    running, waiting = world.request(), world.request()
    world.activator.revision_removed(HELLO)
    world.no_pod()
    running.finish()
    world.clock.advance(2.1)
    assert (running.status, waiting.status) == (200, 503)
    assert HELLO not in world.activator.lanes


def test_a_lost_pod_of_a_deleted_revision_is_not_asked_again() -> None:
    world = ready_world(container_concurrency=1)
    running = world.request()
    world.activator.revision_removed(HELLO)
    world.no_pod()
    world.activator.on_unsent(running, "connection refused")  # type: ignore[arg-type]
    assert len(running.went) == 1
    world.clock.advance(2.1)
    assert running.status == 503


def test_a_route_to_a_revision_that_does_not_exist_leaves_nothing_behind() -> None:
    world = World()
    world.route("ghost")
    world.request("ghost.default.localhost")
    world.clock.advance(2.1)
    assert world.activator.lanes == {}


def test_case_36_an_interim_response_meets_the_time_to_the_head() -> None:
    world = World()
    world.route()
    world.revision(timeoutSeconds=10, responseStartTimeoutSeconds=2)
    world.pod()
    exchange = world.request()
    world.clock.advance(1)
    exchange.informed = True
    world.clock.advance(5)
    assert (exchange.status, exchange.aborted_at) == (0, None)
    world.clock.advance(4.1)
    assert exchange.status == 504


def test_the_waiting_room_counts_heads_and_bodies() -> None:
    world = ready_world(pods=0)
    exchange = Exchange(world)
    exchange.head_bytes, exchange.has_body = 1_000_000, True
    world.activator.on_request(exchange)  # type: ignore[arg-type]
    assert world.activator.room.bytes > 3_000_000


def test_only_revisions_with_waiting_requests_are_told_of_after_a_reconnect() -> None:
    world = ready_world()
    world.route("cold")
    world.revision("cold-00001")
    world.request()
    world.request("cold.default.localhost")
    assert world.activator.waiting() == [Target("default", "cold-00001")]


def test_at_the_end_those_who_still_wait_are_told_so() -> None:
    world = ready_world(pods=0)
    exchange = world.request()
    world.activator.shut()
    assert exchange.status == 503
    assert b"retry-after" in exchange.answer_headers


def test_case_23_a_kubelets_probe_on_no_routes_host_tells_whether_we_are_ready() -> None:
    world = ready_world()
    assert world.request("10.1.2.3", user_agent="kube-probe/1.31").status == 200
    world.health.looking = True
    probe = world.request("10.1.2.3", user_agent="kube-probe/1.31")
    assert (probe.status, probe.body) == (500, b"connection has not yet been established\n")
    assert world.request().went == [ip(1)], "traffic is proxied all the same"


def test_a_caller_that_poses_as_a_kubelet_on_a_routes_host_is_a_caller() -> None:
    world = ready_world()
    assert world.request(user_agent="kube-probe/1.31").went == [ip(1)]


class TestBehindAnotherIngress:
    """With `trust_revision_headers` on: the reference's behaviour."""

    def world(self) -> World:
        return ready_world(trust_revision_headers=True)

    def test_case_1_both_headers_name_the_revision_whatever_the_host(self) -> None:
        exchange = self.world().request(
            "anything.example.com", Knative_Serving_Namespace="default", Knative_Serving_Revision=HELLO.name
        )
        assert exchange.went == [ip(1)]

    def test_case_2_a_revisions_own_host_names_it(self) -> None:
        assert self.world().request("hello-00001.default.svc.cluster.local").went == [ip(1)]

    def test_case_3_the_namespace_alone_is_not_enough(self) -> None:
        exchange = self.world().request("app.example.com", Knative_Serving_Namespace="default")
        assert exchange.status == 404
        assert exchange.body == (b'Error getting active endpoint: revision.serving.knative.dev "" not found\n')

    def test_case_4_an_unknown_revision_is_404_and_pokes_nobody(self) -> None:
        world = self.world()
        exchange = world.request(Knative_Serving_Namespace="default", Knative_Serving_Revision="x")
        assert exchange.status == 404
        assert b'"x"' in exchange.body
        assert world.sent == []

    def test_case_25_a_kubelets_probe_is_answered_on_any_host(self) -> None:
        exchange = self.world().request(user_agent="kube-probe/x")
        assert (exchange.status, exchange.body, exchange.went) == (200, b"", [])

    def test_case_26_a_probe_for_the_queue_proxy_is_refused(self) -> None:
        exchange = self.world().request(k_network_probe="queue")
        assert (exchange.status, exchange.body) == (400, b'unexpected probe header value: "queue"\n')


@pytest.mark.parametrize("header", ["Knative_Serving_Revision", "knative_serving_revision"])
def test_callers_from_outside_cannot_name_a_revision(header: str) -> None:
    world = ready_world()
    exchange = world.request("nobody.example.com", Knative_Serving_Namespace="default", **{header: HELLO.name})
    assert exchange.status == 404
    assert exchange.went == []
