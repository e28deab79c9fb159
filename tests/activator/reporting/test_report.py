"""What the autoscaler is told, in virtual time: spec autoscaling cases 18-21, dataplane C5-C8."""

from __future__ import annotations

import pytest

from activator.reporting.report import Reporter, RevisionReport
from swell.testing.clock import ManualClock
from swell.wire.report import decode_report

MS = 0.001


class World:
    """A reporter, one revision, and what was sent: (time, concurrency, count)."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sent: list[tuple[float, str, float, float]] = []
        self.messages = 0
        self.reporter = Reporter("activator-1", self.clock, self._send, lambda: "")
        self.revision = self.reporter.revision("default", "hello-00001")

    def _send(self, message: bytes) -> None:
        self.messages += 1
        for _namespace, name, stat in decode_report(message).messages:
            assert stat.pod_name == "activator-1"
            self.sent.append(
                (
                    round(self.clock.now(), 3),
                    name,
                    round(stat.average_concurrent_requests, 6),
                    stat.request_count,
                )
            )

    def arrive(self, report: RevisionReport | None = None) -> None:
        (report or self.revision).arrive(self.clock.now())

    def leave(self, report: RevisionReport | None = None) -> None:
        (report or self.revision).leave(self.clock.now())

    def figures(self) -> list[tuple[float, float]]:
        return [(concurrency, count) for _, _, concurrency, count in self.sent]


def test_case_18_two_requests_that_stay_open() -> None:
    world = World()
    world.arrive()
    world.arrive()
    for _ in range(2):
        world.clock.advance(MS)
        world.reporter.flush()
    assert world.figures() == [(1, 1), (1, 1), (2, 0)]


def test_case_19_two_requests_one_after_the_other() -> None:
    world = World()
    world.arrive()
    world.clock.advance(MS)
    world.leave()
    world.arrive()
    world.clock.advance(MS)
    world.leave()
    world.reporter.flush()
    assert world.figures() == [(1, 1), (0, 1)]


def test_case_20_two_requests_of_different_length() -> None:
    world = World()
    world.arrive()
    world.arrive()
    world.clock.advance(MS)
    world.leave()
    world.clock.advance(MS)
    world.leave()
    world.reporter.flush()
    assert world.figures() == [(1, 1), (0.5, 1)]


def test_case_21_a_quiet_period_closes_the_revision_and_its_next_request_pokes_again() -> None:
    world = World()
    world.arrive()
    world.clock.advance(MS)
    world.leave()
    world.reporter.flush()
    world.clock.advance(MS)
    world.reporter.flush()
    world.clock.advance(MS)
    world.arrive()
    assert world.figures() == [(1, 1), (0, 0), (0, 0), (1, 1)]


def test_case_5_the_first_request_is_told_at_once() -> None:
    world = World()
    world.arrive()
    assert world.sent == [(0, "hello-00001", 1, 1)]


def test_case_6_a_second_request_is_told_with_the_next_report() -> None:
    world = World()
    world.arrive()
    world.clock.advance(0.1)
    world.arrive()
    world.clock.advance(0.9)
    assert world.sent[1:] == [(1, "hello-00001", pytest.approx(0.9), 1)]


def test_case_7_two_requests_held_for_more_than_three_reports() -> None:
    world = World()
    world.arrive()
    world.arrive()
    world.clock.advance(3.5)
    world.leave()
    world.leave()
    world.clock.advance(0.5)
    assert world.figures() == [(1, 1), (1, 1), (2, 0), (2, 0), (1, 0)]


def test_case_8_after_one_short_request_the_reports_end() -> None:
    world = World()
    world.arrive()
    world.clock.advance(0.01)
    world.leave()
    world.clock.advance(60)
    assert world.figures() == [(1, 1), (0, 0), (0, 0)]
    world.arrive()
    assert world.figures()[-1] == (1, 1)


def test_all_revisions_of_a_period_are_one_message() -> None:
    world = World()
    other = world.reporter.revision("default", "other-00001")
    world.arrive()
    world.arrive(other)
    assert world.messages == 2
    world.clock.advance(1)
    assert world.messages == 3
    assert [name for at, name, _, _ in world.sent if at == 1] == ["hello-00001", "other-00001"]


def test_a_poke_after_a_reconnect_does_not_change_the_figures() -> None:
    world = World()
    world.arrive()
    world.reporter.poke([("default", "hello-00001")])
    world.clock.advance(1)
    assert world.figures() == [(1, 1), (1, 1), (0, 0)]


def test_nobody_to_poke_sends_nothing() -> None:
    world = World()
    world.reporter.poke([])
    assert world.messages == 0


def test_closing_reports_what_is_left() -> None:
    world = World()
    world.arrive()
    world.arrive()
    world.clock.advance(0.5)
    world.reporter.close()
    assert world.figures() == [(1, 1), (1, 1)]
    world.clock.advance(5)
    assert world.messages == 2
