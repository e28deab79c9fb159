"""Averages over the last seconds: the cases 22-38 of the autoscaling specification."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from autoscaler.arrays import rounded_away
from autoscaler.metrics.windows import Windows, decay

START_S = 1_700_000_000.0
ROW = np.array([0])


class Window:
    """One window; times are seconds since the start."""

    def __init__(self, window_s: float, *, weighted: bool = False) -> None:
        self.windows = Windows()
        self.windows.open(0, window_s, weighted=weighted)

    def write(self, *samples: tuple[float, float]) -> Window:
        for t, value in samples:
            self.windows.record(ROW, np.array([START_S + t]), np.array([float(value)]))
        return self

    def fill(self, values: Iterable[float], start: float = 0) -> Window:
        return self.write(*((start + index, value) for index, value in enumerate(values)))

    def read(self, t: float) -> float:
        return float(self.windows.averages(ROW, START_S + t)[0])

    def empty(self, t: float) -> bool:
        return bool(self.windows.empty(ROW, START_S + t)[0])

    def resize(self, window_s: float, t: float) -> None:
        self.windows.resize(0, window_s, START_S + t)


def test_case_22_one_sample_is_its_own_average() -> None:
    assert Window(5).write((0, 1)).read(0) == 1


def test_cases_23_to_27_a_window_of_five_seconds() -> None:
    window = Window(5).fill([1, 2, 3, 4, 5])
    assert [window.read(t) for t in (4, 3.6, 6, 10)] == [3, 3, 4, 0], "case 23"
    assert window.write((6, 91)).read(6) == 20.6, "case 24"
    assert window.write((60, 1984)).read(60) == 1984, "case 25"
    assert window.write((57, 4)).read(60) == 497, "case 25"
    assert window.write((61, 5)).read(61) == 398.6, "case 26"
    assert window.write((58, 10)).read(61) == 400.6, "case 26"
    assert window.write((55, 10), (56, 10)).read(61) == 400.6, "case 26: too old, dropped"
    assert window.write((66, 10)).read(66) == 10, "case 27"


def test_case_28_samples_may_come_in_any_order() -> None:
    assert Window(5).write(*((t, 5) for t in range(8, -1, -1))).read(5) == 5


def test_case_29_the_length_decides_what_is_averaged() -> None:
    assert [Window(length).fill(range(5, 15)).read(9) for length in (6, 2)] == [11.5, 13.5]


def test_case_30_samples_of_one_second_add_up() -> None:
    assert Window(60).write(*[(0, 10)] * 3, *[(1, 10)] * 4).read(1) == 35


def test_case_31_silence_shortens_the_window_until_it_is_over() -> None:
    window = Window(60).write(*[(0, 10)] * 5)
    assert [window.read(t) for t in (55, 60)] == [50, 0]
    assert [window.empty(t) for t in (60, 61)] == [False, True]


def test_case_32_a_stalled_series_keeps_its_average() -> None:
    window = Window(60).fill([10] * 10)
    assert [window.read(t) for t in (9, 30, 60, 68, 69)] == [10, 10, 10, 10, 0]


def test_case_33_a_resized_window_keeps_its_newest_seconds() -> None:
    window = Window(5).fill([1, 2, 3, 4, 5, 6])
    found = [window.read(5)]
    window.resize(10, 5)
    found.append(window.read(5))
    found.append(window.write((6, 7)).read(6))
    window.resize(4, 6)
    assert [*found, window.read(6)] == [4, 4, 4.5, 5.5]


def test_case_34_a_resize_takes_the_old_window_for_full() -> None:
    window = Window(60).write((0, 60))
    before = window.read(0)
    window.resize(120, 0)
    assert (before, window.read(0)) == (60, 1)


@pytest.mark.parametrize(("value", "digits", "expected"), [(1.2345, 3, 1.235), (3.6e-17, 6, 0), (-2.5, 0, -3)])
def test_case_35_halves_are_rounded_away_from_zero(value: float, digits: int, expected: float) -> None:
    scale = 10.0**digits
    assert float(rounded_away(np.array([value * scale]))[0]) / scale == expected


@pytest.mark.parametrize(("length", "expected"), [(6, 0.784557), (40, 0.205672), (60, 0.2), (100, 0.2)])
def test_case_36_what_the_newest_second_weighs(length: int, expected: float) -> None:
    assert decay(length) == pytest.approx(expected, abs=5e-7)


def test_case_37_newer_seconds_weigh_more() -> None:
    assert round(Window(5, weighted=True).fill([1, 2, 3, 4, 5, 6]).read(5), 3) == 5.812


def test_case_38_a_young_weighted_window_reads_low() -> None:
    found = [Window(length, weighted=True).write((0, 10)).read(0) for length in (60, 6)]
    found.append(Window(60, weighted=True).fill([10] * 60).read(59))
    assert found == pytest.approx([2.0, 7.845565, 9.999985], abs=5e-7)


def test_a_window_that_was_never_written_is_empty_and_reads_zero_at_any_granularity() -> None:
    windows = Windows(granularity_s=2)
    windows.open(0, 7)
    assert (float(windows.averages(ROW, START_S)[0]), bool(windows.empty(ROW, START_S)[0])) == (0.0, True)


def test_reading_as_of_another_time_leaves_no_trace() -> None:
    window = Window(5).fill([1, 2, 3, 4, 5])
    assert [window.read(t) for t in (4, 6, 4, 5, 8, 4)] == [3, 4, 3, 3.5, 5, 3]
    assert window.write((3, 10)).read(6) == 7.333333


def test_windows_keep_their_numbers_when_others_go_and_make_room() -> None:
    windows = Windows()
    lengths_s = {0: 3600, 1: 5, 2: 3600, 3: 6, 4: 3600}
    for row, length_s in lengths_s.items():
        windows.open(row, length_s)
    for t in range(7):
        windows.record(np.arange(5), np.full(5, START_S + t), np.full(5, t + 1.0))
    for row in (0, 2, 4):
        windows.close(row)
    windows.open(0, 3)
    assert windows.averages(np.array([0, 1, 3]), START_S + 6).tolist() == [0, 5, 4.5]
    for t in range(7, 12):
        windows.record(np.array([0, 1, 3]), np.full(3, START_S + t), np.full(3, t + 1.0))
    assert windows.averages(np.array([0, 1, 3]), START_S + 11).tolist() == [11, 10, 9.5]
