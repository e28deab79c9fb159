"""What an activator remembers of its reports, and what it tells an autoscaler that has just begun."""

from __future__ import annotations

import itertools
import tracemalloc
from array import array

from activator.reporting.history import SAMPLES_MAX, History
from activator.reporting.report import Reporter
from swell.testing.clock import ManualClock
from swell.wire.history import HISTORY_S, RevisionHistory
from swell.wire.report import Report, decode_report

HELLO, BYE = ("default", "hello-00001"), ("default", "bye-00001")


def test_what_was_reported_is_told_by_revision_and_oldest_first() -> None:
    history = History(0.0)
    history.add(10.0, "", [(HELLO, 1.0, 1.0), (BYE, 2.0, 5.0)])
    history.add(11.0, "", [(HELLO, 3.0, 4.0)])
    assert history.tell("new", 12.0) == [
        RevisionHistory(*HELLO, array("d", [2.0, 1.0, 1.0, 1.0, 3.0, 4.0])),
        RevisionHistory(*BYE, array("d", [2.0, 2.0, 5.0])),
    ]


def test_nobody_is_told_anything_twice_and_everybody_all() -> None:
    history = History(0.0)
    history.add(1.0, "first", [(HELLO, 1.0, 1.0)])
    history.add(2.0, "", [(HELLO, 2.0, 2.0)])
    assert history.tell("first", 3.0) == [RevisionHistory(*HELLO, array("d", [1.0, 2.0, 2.0]))]
    assert history.tell("first", 3.0) == []
    assert len(history.tell("second", 3.0)[0].samples) == 2 * 3


def test_it_goes_back_a_minute_at_most_and_no_further_than_it_has_been_there() -> None:
    history = History(100.0)
    assert history.age_s(130.0) == 30.0
    for second in range(200):
        history.add(100.0 + second, "", [(HELLO, 1.0, 1.0)])
    assert history.age_s(299.0) == HISTORY_S
    (told,) = history.tell("new", 299.0)
    assert list(told.samples[::3]) == [HISTORY_S - second for second in range(61)]
    assert history.tell("late", 1000.0) == [], "nothing was reported in the last minute"


def test_the_samples_of_a_minute_are_bounded_and_what_is_left_says_how_far_it_goes() -> None:
    keys = [("default", f"busy-{number}") for number in range(SAMPLES_MAX // 20)]
    history = History(0.0)
    tracemalloc.start()
    for second in range(60):
        history.add(float(second), "", [(key, 1.0, 1.0) for key in keys])
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert history.samples <= SAMPLES_MAX
    assert history.age_s(60.0) == 60.0 - 39
    assert used < 4 * 2**20


def test_many_first_requests_at_once_take_no_more_room_than_one_report() -> None:
    history = History(0.0)
    for number in range(10_000):
        history.add(1.0 + number / 100_000, "", [(HELLO, 1.0, 1.0)])
    assert len(history._periods) == 1


class World:
    """A reporter whose autoscaler may change."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.hearer = ""
        self.sent: list[Report] = []
        self.reporter = Reporter("activator-1", self.clock, self._send, lambda: self.hearer)

    def _send(self, message: bytes) -> None:
        self.sent.append(decode_report(message))


def test_an_autoscaler_that_takes_over_is_told_all_reports_even_those_that_went_to_the_last_one() -> None:
    world = World()
    world.hearer = "first"
    world.reporter.remind()
    hello = world.reporter.revision(*HELLO)
    hello.arrive(world.clock.now())
    hello.arrive(world.clock.now())
    world.clock.advance(3)
    world.hearer = ""
    world.clock.advance(2)
    world.hearer = "second"
    world.reporter.remind()
    (history,) = world.sent[-1].history
    assert (history.activator, history.age_s) == ("activator-1", 5.0)
    # The first request, then what each second came to.
    figures = [(5.0, 1.0, 1.0), (4.0, 1.0, 1.0), (3.0, 2.0, 0.0), (2.0, 2.0, 0.0), (1.0, 2.0, 0.0), (0.0, 2.0, 0.0)]
    assert history.revisions == [RevisionHistory(*HELLO, array("d", itertools.chain(*figures)))]


def test_after_a_short_break_only_what_was_missed_is_told() -> None:
    world = World()
    world.hearer = "first"
    hello = world.reporter.revision(*HELLO)
    hello.arrive(world.clock.now())
    world.clock.advance(3)
    world.hearer = ""
    world.clock.advance(2)
    world.hearer = "first"
    world.reporter.remind()
    (history,) = world.sent[-1].history
    assert list(history.revisions[0].samples[::3]) == [1.0, 0.0]


def test_an_autoscaler_that_does_not_ask_is_told_no_history() -> None:
    world = World()
    world.reporter.revision(*HELLO).arrive(world.clock.now())
    world.clock.advance(3)
    world.reporter.remind()
    assert not any(report.history for report in world.sent)
