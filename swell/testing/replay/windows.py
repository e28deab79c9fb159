"""Replays samples into windows: averages, maxima, collections and the scraping helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from autoscaler.arrays import Floats
from autoscaler.metrics.collector import Collection, Collector, Missing
from autoscaler.metrics.sample import extrapolate, sample_size
from autoscaler.metrics.windows import MaxWindows, Windows
from swell.testing.replay.report import EPOCH_S, Report, Scenario

WEIGHTED_REL: Final = 1e-9
SCRAPE_REL: Final = 1e-12
ERRORS: Final = {Missing.NOTHING: None, Missing.NOT_COLLECTING: "not_collecting", Missing.NO_DATA: "no_data"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One expected value and ours."""

    expected: object
    found: object
    relative: float = 0.0


class Tables:
    """What the scenarios of one file share: each has a row of its own in tables that all of them use."""

    def __init__(self) -> None:
        self._windows: dict[float, Windows] = {}
        self._maxima: dict[float, MaxWindows] = {}
        self.collector = Collector()

    def windows(self, granularity_s: float) -> Windows:
        return self._windows.setdefault(granularity_s, Windows(granularity_s))

    def maxima(self, granularity_s: float) -> MaxWindows:
        return self._maxima.setdefault(granularity_s, MaxWindows(granularity_s))


Replay = Callable[[Tables, int, Scenario], Iterator[Compared]]


def replay_windows(scenarios: Sequence[Scenario], report: Report) -> None:
    """Replay each scenario, operation by operation."""
    tables = Tables()
    for row, scenario in enumerate(scenarios):
        for index, one in enumerate(_REPLAYS[scenario["kind"]](tables, row, scenario)):
            where = f"{scenario['id']} comparison {index}"
            report.compare(where, one.expected, one.found, relative=one.relative)
        report.scenarios += 1
        report.steps += len(scenario["ops"])


def collection(metric: dict[str, Any]) -> Collection:
    """The recorded definition of a metric."""
    weighted = metric["aggregation"] in ("weighted-exponential", "weightedExponential")
    return Collection(metric["stable_window_s"], metric["panic_window_s"], metric["scrape"], weighted)


def is_weighted(metric: dict[str, Any]) -> bool:
    return collection(metric).weighted


def _replay_window(tables: Tables, row: int, scenario: Scenario) -> Iterator[Compared]:
    windows, rows = tables.windows(scenario["granularity_s"]), np.array([row])
    weighted = scenario["kind"] == "weighted_window"
    windows.open(row, scenario["window_s"], weighted=weighted)
    for name, t, *rest in scenario["ops"]:
        now_s = EPOCH_S + t
        if name == "rec":
            windows.record(rows, np.array([now_s]), np.array([float(rest[0])]))
        elif name == "resize":
            windows.resize(row, rest[0], now_s)
        elif name == "empty":
            yield Compared(rest[0], bool(windows.empty(rows, now_s)[0]))
        else:
            found = float(windows.averages(rows, now_s)[0])
            yield Compared(rest[0], found, WEIGHTED_REL if weighted else 0.0)


def _replay_maximum(tables: Tables, row: int, scenario: Scenario) -> Iterator[Compared]:
    windows, rows = tables.maxima(scenario["granularity_s"]), np.array([row])
    windows.open(row, scenario["window_s"])
    for name, *rest in scenario["ops"]:
        if name == "rec":
            windows.record(rows, np.array([EPOCH_S + rest[0]]), np.array([float(rest[1])]))
        else:
            yield Compared(rest[0], float(windows.maxima(rows)[0]))


def _replay_collector(tables: Tables, row: int, scenario: Scenario) -> Iterator[Compared]:
    collector, rows, relative = tables.collector, np.array([row]), 0.0
    for name, t, *rest in scenario["ops"]:
        now_s = EPOCH_S + t
        if name == "set":
            collector.open(row, collection(rest[0]), now_s)
            relative = WEIGHTED_REL if is_weighted(rest[0]) else 0.0
        elif name == "delete":
            collector.close(row)
        elif name == "stat":
            concurrency, proxied, count, proxied_count = rest
            collector.record(rows, np.array([now_s]), _one(concurrency - proxied), _one(count - proxied_count))
        else:
            yield from _reads(collector, row, now_s, rest, relative)


def _reads(
    collector: Collector, row: int, now_s: float, expected: Sequence[Any], relative: float
) -> Iterator[Compared]:
    for number, rps in enumerate((False, True)):
        found = collector.averages(np.array([row]), now_s, np.array([rps]))
        missing = ERRORS[Missing(int(found.missing[0]))]
        values = (None, None) if missing else (float(found.stable[0]), float(found.panic[0]))
        for want, have in zip(expected[3 * number :], (*values, missing), strict=False):
            yield Compared(want, have, relative)


def _replay_sample_size(tables: Tables, row: int, scenario: Scenario) -> Iterator[Compared]:
    for _, pods, expected in scenario["ops"]:
        yield Compared(expected, sample_size(pods))


def _replay_scrape_average(tables: Tables, row: int, scenario: Scenario) -> Iterator[Compared]:
    for _, pods, samples, expected in scenario["ops"]:
        for want, have in zip(expected, extrapolate(pods, samples), strict=True):
            yield Compared(want, have, SCRAPE_REL)


def _one(value: float) -> Floats:
    return np.array([value], np.float64)


_REPLAYS: Final[dict[str, Replay]] = {
    "linear_window": _replay_window,
    "weighted_window": _replay_window,
    "delay_max_window": _replay_maximum,
    "collector": _replay_collector,
    "scrape_sample_size": _replay_sample_size,
    "scrape_average": _replay_scrape_average,
}
