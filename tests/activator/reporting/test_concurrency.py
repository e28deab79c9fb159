"""Time-weighted request counts: spec dataplane 1.4, and case 59 of its section 5."""

from __future__ import annotations

from activator.reporting.concurrency import Figures, RequestStats


def test_averages_are_weighted_by_time() -> None:
    stats = RequestStats(0.0)
    stats.arrive(0.0)
    stats.arrive(0.5)
    stats.leave(0.75)
    assert stats.report(1.0).average_concurrency == 1.25


def test_case_59_proxied_requests_count_in_both_families() -> None:
    stats = RequestStats(0.0)
    stats.arrive(0.0, proxied=True)
    stats.leave(0.5, proxied=True)
    stats.arrive(0.5)
    stats.leave(1.0)
    assert stats.report(1.0) == Figures(1.0, 0.5, 2, 1)


def test_a_report_begins_a_new_window_and_what_is_in_flight_stays() -> None:
    stats = RequestStats(0.0)
    stats.arrive(0.0)
    stats.report(1.0)
    assert stats.report(2.0) == Figures(1.0, 0.0, 0, 0)
    stats.leave(2.0)
    assert stats.report(3.0) == Figures(0.0, 0.0, 0, 0)
    assert (stats.concurrency, stats.proxied) == (0, 0)


def test_over_no_time_averages_are_zero() -> None:
    stats = RequestStats(5.0)
    stats.arrive(5.0)
    assert stats.report(5.0) == Figures(0.0, 0.0, 1, 0)


def test_time_that_runs_backwards_is_ignored() -> None:
    stats = RequestStats(5.0)
    stats.arrive(5.0)
    stats.arrive(4.0)
    stats.leave(6.0)
    assert stats.report(6.0).average_concurrency == 2.0
