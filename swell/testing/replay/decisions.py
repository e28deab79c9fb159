"""Replays metric values into decisions: all scenarios at once, a row each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autoscaler.arrays import Floats
from autoscaler.decision.bounds import clamp
from autoscaler.decision.decide import Observed, activators
from autoscaler.decision.rows import Rows, Target
from swell.testing.replay.report import EPOCH_S, Report, Scenario


def replay_decisions(scenarios: Sequence[Scenario], report: Report) -> None:
    """Tick k of every scenario is one call over all that have such a tick, each at its own time."""
    rows = Rows()
    for row, scenario in enumerate(scenarios):
        open_row(rows, row, scenario)
        found = {"desired_scale": int(rows.desired[row]), "excess_burst_capacity": int(rows.excess_burst[row])}
        report.compare_all(scenario["id"], scenario["initial_status"], found)
        report.scenarios += 1
        report.steps += len(scenario["ticks"]["t"])
    for index in range(max((len(scenario["ticks"]["t"]) for scenario in scenarios), default=0)):
        _replay_tick(rows, scenarios, index, report)


def target(spec: dict[str, Any]) -> Target:
    """The recorded scaling parameters."""
    return Target(
        per_pod=spec["target_value"],
        capacity=spec["total_value"],
        burst_capacity=spec["target_burst_capacity"],
        activator_capacity=spec["activator_capacity"],
        panic_threshold=spec["panic_threshold"],
        up_rate_max=spec["max_scale_up_rate"],
        down_rate_max=spec["max_scale_down_rate"],
        stable_window_s=spec["stable_window_s"],
        reachable=spec["reachable"],
        activation_pods=spec["activation_scale"],
    )


def open_row(rows: Rows, row: int, scenario: Scenario) -> None:
    """Begin a row as the recorded autoscaler was created."""
    spec = scenario["spec"]
    rows.open(
        row,
        target(spec),
        now_s=EPOCH_S + scenario["created_at"],
        ready_pods=number(scenario["ready_at_creation"]),
        initial_scale=spec["initial_scale"],
        delay_s=spec["scale_down_delay_s"],
    )


def number(value: float | None) -> float:
    """A recorded number, null as NaN."""
    return math.nan if value is None else float(value)


def bounded(scenario: Scenario, pods: float) -> int | None:
    """The decision within the recorded bounds; null if there is no decision."""
    return None if math.isnan(pods) else clamp(int(pods), scenario["min_scale"], scenario["max_scale"])


def _replay_tick(rows: Rows, scenarios: Sequence[Scenario], index: int, report: Report) -> None:
    chosen = [row for row, scenario in enumerate(scenarios) if index < len(scenario["ticks"]["t"])]
    for row in chosen:
        for update in scenarios[row].get("spec_updates", ()):
            if update["before_tick"] == index:
                rows.update(row, target(update["spec"]))
    where = np.array(chosen)
    seen = _seen([scenarios[row]["ticks"] for row in chosen], index)
    now_s = EPOCH_S + np.array([scenarios[row]["ticks"]["t"][index] for row in chosen])
    tick = rows.tick(where, now_s, seen)
    sized = activators(rows.targets(where), _column([scenarios[row]["ticks"] for row in chosen], "ready_pods", index))
    panic = rows.panic(where)
    for at, row in enumerate(chosen):
        pods, excess = float(tick.decision.pods[at]), float(tick.decision.excess_burst[at])
        valid = not math.isnan(pods)
        found = {
            "scale_valid": valid,
            "desired_pod_count": int(pods) if valid else 0,
            "excess_burst_capacity": int(excess) if valid else 0,
            "num_activators": None if math.isnan(sized[at]) else int(sized[at]),
            "in_panic": bool(panic.on[at]),
            "max_panic_pods": int(panic.pods_max[at]),
            "bounded_pod_count": bounded(scenarios[row], pods),
        }
        expected = {name: column[index] for name, column in scenarios[row]["expected"].items()}
        report.compare_all(f"{scenarios[row]['id']} tick {index}", expected, found)


def _seen(ticks: Sequence[dict[str, Any]], index: int) -> Observed:
    return Observed(
        _column(ticks, "observed_stable", index),
        _column(ticks, "observed_panic", index),
        np.array([_ready_pods(one, index) for one in ticks]),
    )


def _column(ticks: Sequence[dict[str, Any]], name: str, index: int) -> Floats:
    return np.array([number(one[name][index]) for one in ticks])


def _ready_pods(ticks: dict[str, Any], index: int) -> float:
    error = ticks["ready_error"][index] if "ready_error" in ticks else None
    return 0.0 if error == "not_found" else number(ticks["ready_pods"][index])
