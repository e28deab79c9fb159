"""The snapshot of the last second, in virtual time: spec dataplane 3.9, C58, C59."""

from __future__ import annotations

from activator.queueproxy.settings import Settings
from activator.queueproxy.statistics import Statistics
from swell.testing.clock import ManualClock
from swell.wire.stats import Stat, decode_stat

SETTINGS = Settings(
    container_concurrency=0,
    serving_port=8012,
    user_port=8080,
    namespace="default",
    configuration="hello",
    revision="hello-00001",
    pod="hello-1",
    pod_ip="10.0.0.7",
)


def started() -> tuple[ManualClock, Statistics]:
    clock = ManualClock(now_s=50)
    statistics = Statistics(SETTINGS, clock)
    statistics.start()
    return clock, statistics


def test_case_58_before_the_first_second_is_over_there_is_only_the_pod_name() -> None:
    clock, statistics = started()
    statistics.requests.arrive(clock.now())
    clock.advance(0.9)
    assert decode_stat(statistics.protobuf()) == Stat("hello-1")


def test_case_59_two_requests_of_half_a_second_one_of_them_through_an_activator() -> None:
    clock, statistics = started()
    for proxied in (True, False):
        statistics.requests.arrive(clock.now(), proxied)
        clock.advance(0.5)
        statistics.requests.leave(clock.now(), proxied)
    assert decode_stat(statistics.protobuf()) == Stat("hello-1", 1.0, 0.5, 2, 1, process_uptime=1)
    text = statistics.text().decode()
    labels = 'destination_namespace="default",destination_configuration="hello"'
    assert f"queue_requests_per_second{{{labels}," in text
    assert [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"] == [2, 1, 1, 0.5, 1]


def test_what_stays_in_flight_counts_in_each_second_but_arrives_once() -> None:
    clock, statistics = started()
    statistics.requests.arrive(clock.now())
    clock.advance(3)
    assert decode_stat(statistics.protobuf()) == Stat("hello-1", 1.0, process_uptime=3)
    statistics.requests.leave(clock.now())
    clock.advance(1)
    assert decode_stat(statistics.protobuf()) == Stat("hello-1", process_uptime=4)
    statistics.close()
    assert clock.pending == 0
