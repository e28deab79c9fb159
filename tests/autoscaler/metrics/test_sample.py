"""Some pods speak for all: the cases 8-11 and 17 of the autoscaling specification."""

from __future__ import annotations

import numpy as np
import pytest

from autoscaler.metrics.collector import Collection, Collector, Missing
from autoscaler.metrics.sample import extrapolate, sample_size

START_S = 1_700_000_000.0
ROW = np.array([0])


@pytest.mark.parametrize(
    ("pods", "expected"), [(0, 0), (-1, 0), (1, 1), (2, 2), (5, 4), (10, 7), (100, 14), (1000, 16), (10**6, 16)]
)
def test_case_8_how_many_pods_are_asked(pods: int, expected: int) -> None:
    assert sample_size(pods) == expected


def test_case_9_three_pods_add_up() -> None:
    found = extrapolate(3, [(3, 5, 2, 4), (5, 7, 4, 6), (3, 5, 2, 4)])
    assert found == [11, 17, 8, 14]


def test_cases_10_and_11_some_speak_for_all() -> None:
    assert extrapolate(6, [(2,), (4,), (6,), (8,), (10,)]) == [36]
    assert extrapolate(11, [(2 * (i + 1),) for i in range(3, 10)]) == [154]


def test_case_17_what_came_through_an_activator_is_not_counted_twice() -> None:
    collector = Collector()
    collector.open(0, Collection(60, 6), START_S)
    collector.record(ROW, np.array([START_S]), np.array([20.0 - 10.0]), np.array([30.0 - 20.0]))
    for rps in (False, True):
        found = collector.averages(ROW, START_S, np.array([rps]))
        assert (found.stable[0], found.panic[0], found.missing[0]) == (10, 10, Missing.NOTHING)


def test_silence_is_zero_where_nothing_is_scraped_and_unknown_where_it_is() -> None:
    collector = Collector()
    for scraped, missing in ((False, Missing.NOTHING), (True, Missing.NO_DATA)):
        collector.open(0, Collection(60, 6, scraped=scraped), START_S)
        found = collector.averages(ROW, START_S, np.array([False]))
        assert found.missing[0] == missing
        assert np.isnan(found.stable[0]) == scraped
