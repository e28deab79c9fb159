"""Some pods speak for all: the cases 8, 9, 13 to 17 of the autoscaling specification."""

from __future__ import annotations

import random

import numpy as np
import pytest

from autoscaler.metrics.collector import Collection, Collector, Missing
from autoscaler.metrics.sample import Fault, Figures, Pod, Round, extrapolate, in_order, sample_size

START_S = 1_700_000_000.0
ROW = np.array([0])
BROKEN, MESH = Fault("refused"), Fault("status 503", mesh=True)


@pytest.mark.parametrize(
    ("pods", "expected"), [(0, 0), (-1, 0), (1, 1), (2, 2), (5, 4), (10, 7), (100, 14), (1000, 16), (10**6, 16)]
)
def test_case_8_how_many_pods_are_asked(pods: int, expected: int) -> None:
    assert sample_size(pods) == expected


@pytest.mark.parametrize("pods", [4, 6, 7, 10, 13, 16, 21, 27, 37, 52, 79, 148, 589])
def test_case_8_the_sizes_at_which_one_more_is_asked(pods: int) -> None:
    assert sample_size(pods) == sample_size(pods - 1) + 1


def figures(value: float) -> Figures:
    return Figures(value, 0, value, 0)


def scraped(pods: list[Pod], faults: dict[Pod, Fault], value: float = 1.0) -> tuple[Round, list[Pod]]:
    """A round in which those pods fail, and in which order all were asked."""
    current, asked = Round(pods), []
    waiting = list(current.first())
    while waiting:
        pod = waiting.pop(0)
        asked.append(pod)
        if pod in faults:
            another = current.failed(faults[pod])
            waiting += [another] if another is not None else []
        else:
            current.answered(figures(value))
    assert current.done
    return current, asked


def pods(old: int, young: int, window_s: float = 60) -> list[Pod]:
    """In the order of asking, at `START_S`."""
    started = [START_S - window_s] * old + [START_S - window_s + 1] * young
    found = [Pod((f"10.0.0.{number}", 9090), started_s) for number, started_s in enumerate(started)]
    random.Random(7).shuffle(found)
    return in_order(found, START_S - window_s, random.Random(3).shuffle)


def is_old(pod: Pod) -> bool:
    return pod.started_s <= START_S - 60


def test_case_9_three_pods_add_up() -> None:
    answers = [Figures(3, 2, 5, 4), Figures(5, 4, 7, 6), Figures(3, 2, 5, 4)]
    assert extrapolate(3, answers) == [11, 8, 17, 14]
    current = Round(pods(3, 0))
    for answer in answers:
        assert not current.done
        current.answered(answer)
    assert (current.done, current.figures) == (True, (11, 8, 17, 14))


def test_some_speak_for_all() -> None:
    assert extrapolate(6, [(2,), (4,), (6,), (8,), (10,)]) == [36]
    assert extrapolate(11, [(2 * (i + 1),) for i in range(3, 10)]) == [154]


def test_case_13_of_five_pods_one_may_fail_and_of_four_none() -> None:
    five = pods(5, 0)
    current, asked = scraped(five, {five[1]: BROKEN})
    assert (current.figures, len(asked)) == (figures(5), 5)
    four = pods(4, 0)
    current, _ = scraped(four, {four[1]: BROKEN})
    assert (current.figures, current.fault) == (None, BROKEN)


def test_case_14_the_old_are_asked_first() -> None:
    current, asked = scraped(pods(5, 20), {})
    assert (len(asked), sum(map(is_old, asked)), current.figures) == (10, 5, figures(25))
    current, asked = scraped(pods(25, 5), {})
    assert (len(asked), sum(map(is_old, asked)), current.figures) == (11, 11, figures(30))


def test_case_15_the_young_stand_by() -> None:
    thirty = pods(11, 19)
    current, asked = scraped(thirty, {pod: BROKEN for pod in thirty if is_old(pod)})
    assert (len(asked), sum(map(is_old, asked)), current.figures) == (22, 11, figures(30))


def test_case_16_only_a_mesh_that_answers_for_all_is_a_mesh() -> None:
    four = pods(4, 0)
    current, _ = scraped(four, dict.fromkeys(four, MESH))
    assert (current.figures, current.fault.mesh) == (None, True)
    current, _ = scraped(four, {**dict.fromkeys(four, MESH), four[2]: BROKEN})
    assert not current.fault.mesh
    current, _ = scraped(four, dict.fromkeys(four[:3], MESH))
    assert not current.fault.mesh, "one answered for itself"


def test_whom_of_many_is_left_to_chance() -> None:
    many = pods(30, 0)
    orders = {tuple(in_order(many, START_S, random.Random(seed).shuffle)[:11]) for seed in range(20)}
    assert len(orders) > 10


def test_case_17_what_came_through_an_activator_is_not_counted_twice() -> None:
    collector = Collector()
    collector.open(0, Collection(60, 6), START_S)
    collector.record(ROW, np.array([START_S]), np.array([20.0 - 10.0]), np.array([30.0 - 20.0]))
    for rps in (False, True):
        found = collector.averages(ROW, START_S, np.array([rps]))
        assert (found.stable[0], found.panic[0], found.missing[0]) == (10, 10, Missing.NOTHING)


def test_silence_is_zero_where_nothing_is_scraped_and_unknown_where_it_is() -> None:
    collector = Collector()
    for unanswered, missing in ((False, Missing.NOTHING), (True, Missing.NO_DATA)):
        collector.open(0, Collection(60, 6, scraped=unanswered), START_S)
        found = collector.averages(ROW, START_S, np.array([False]))
        assert found.missing[0] == missing
        assert np.isnan(found.stable[0]) == unanswered
