"""Replays reports and scrapes through the whole chain of one revision: collector, pokes, decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from autoscaler.decision.decide import Targets, activators
from autoscaler.metrics.collector import Missing
from autoscaler.revisions import Revisions, Ticked
from swell.api.meta import Key
from swell.testing.replay.decisions import bounded, number, target
from swell.testing.replay.report import EPOCH_S, Report, Scenario
from swell.testing.replay.windows import ERRORS, WEIGHTED_REL, collection, is_weighted
from swell.wire.stats import Stat

AVERAGES: Final = ("observed_stable", "observed_panic")
INPUTS: Final = ("t", "trigger", "ready_pods", "ready_error")


def replay_endtoend(scenarios: Sequence[Scenario], report: Report) -> None:
    """Replay each scenario on a revision of its own, all in one table."""
    revisions = Revisions()
    for scenario in scenarios:
        chain = _Chain(revisions, scenario, report)
        for event in scenario["events"]:
            chain.step(event)
        revisions.close(chain.key)
        report.scenarios += 1
        report.steps += len(scenario["events"])


class _Chain:
    """One scenario's revision; reports wait for the event after them, which may tell the pods of a poke."""

    def __init__(self, revisions: Revisions, scenario: Scenario, report: Report) -> None:
        self.key = Key("golden", scenario["id"])
        self._revisions = revisions
        self._scenario = scenario
        self._report = report
        self._spec: dict[str, Any] = scenario["spec"]
        self._relative = WEIGHTED_REL if is_weighted(scenario["metric"]) else 0.0
        self._waiting: dict[str, Any] | None = None
        self._collecting = self._created = False

    def step(self, event: Sequence[Any]) -> None:
        """Apply one event of the file."""
        name, *values = event
        fields = dict(zip(self._scenario["columns"][name], values, strict=True))
        if name == "tick":
            self._tick(fields)
            return
        self._settle()
        self._start(fields["t"])
        now_s = EPOCH_S + fields["t"]
        if name == "stat":
            self._waiting = fields
        elif name == "scrape":
            self._revisions.record([(self.key, _stat(fields, 0.0))], now_s)
        elif name == "spec_update":
            self._spec = fields["spec"]
            self._revisions.update(self.key, target(self._spec), rps=self._spec["scaling_metric"] == "rps")
        elif name == "metric_update":
            self._revisions.collect(self.key, collection(fields["metric"]), now_s)

    def _start(self, t: float) -> None:
        """Begin to collect and to decide when their time has come."""
        scenario = self._scenario
        if not self._collecting and t >= scenario["metric_created_at"]:
            self._collecting = True
            now_s = EPOCH_S + scenario["metric_created_at"]
            self._revisions.collect(self.key, collection(scenario["metric"]), now_s)
        if not self._created and t >= scenario["created_at"]:
            self._created = True
            self._revisions.open(
                self.key,
                target(self._spec),
                now_s=EPOCH_S + scenario["created_at"],
                ready_pods=number(scenario["ready_at_creation"]),
                rps=self._spec["scaling_metric"] == "rps",
                initial_scale=self._spec["initial_scale"],
                delay_s=self._spec["scale_down_delay_s"],
            )
            desired, excess = self._revisions.status(self.key)
            found = {"desired_scale": desired, "excess_burst_capacity": excess}
            self._report.compare_all(self._scenario["id"], scenario["initial_status"], found)

    def _settle(self) -> None:
        """A report that was not followed by a poke must not cause one."""
        if self._waiting is not None:
            poked = self._receive()
            self._report.compare(f"{self._scenario['id']} pokes", 0, len(poked))

    def _receive(self) -> list[Ticked]:
        fields, self._waiting = self._waiting, None
        assert fields is not None
        stat = _stat(fields, EPOCH_S + fields["timestamp"])
        return self._revisions.receive([(self.key, stat)], EPOCH_S + fields["t"])

    def _tick(self, expected: dict[str, Any]) -> None:
        where = f"{self._scenario['id']} t={expected['t']}"
        ready_pods = 0.0 if expected["ready_error"] == "not_found" else number(expected["ready_pods"])
        if expected["trigger"] == "timer":
            self._settle()
            self._start(expected["t"])
            self._revisions.pods_ready(self.key, ready_pods)
            ticked = self._revisions.tick_one(self.key, EPOCH_S + expected["t"])
        else:
            self._revisions.pods_ready(self.key, ready_pods)
            poked = self._receive()
            self._report.compare(f"{where} pokes", 1, len(poked))
            if not poked:
                return
            ticked = poked[0]
        self._compare(where, expected, ticked)

    def _compare(self, where: str, expected: dict[str, Any], ticked: Ticked) -> None:
        # Where no endpoints were found the decision goes by 0 pods, but the number of activators is not known.
        ready_pods = number(expected["ready_pods"])
        found = self._found(ticked, ready_pods, consulted=expected["ready_error"] != "other")
        for name in expected.keys() - set(INPUTS):
            relative = self._relative if name in AVERAGES else 0.0
            self._report.compare(f"{where} {name}", expected[name], found[name], relative=relative)

    def _found(self, ticked: Ticked, ready_pods: float, *, consulted: bool) -> dict[str, object]:
        decision, averages = ticked.tick.decision, ticked.averages
        pods = float(decision.pods[0])
        valid = not math.isnan(pods)
        missing = ERRORS[Missing(int(averages.missing[0]))]
        values = consulted and missing is None
        desired, excess = self._revisions.status(self.key)
        sized = float(_activators(self._spec, ready_pods))
        return {
            "observed_stable": float(averages.stable[0]) if values else None,
            "observed_panic": float(averages.panic[0]) if values else None,
            "metric_error": missing if consulted else None,
            "scale_valid": valid,
            "desired_pod_count": int(pods) if valid else 0,
            "excess_burst_capacity": int(decision.excess_burst[0]) if valid else 0,
            "num_activators": None if math.isnan(sized) else int(sized),
            "in_panic": bool(decision.panic.on[0]),
            "max_panic_pods": int(decision.panic.pods_max[0]),
            "bounded_pod_count": bounded(self._scenario, pods),
            "status_desired_scale": desired,
            "status_excess_burst_capacity": excess,
            "notified": bool(ticked.tick.notify[0]),
        }


def _activators(spec: dict[str, Any], ready_pods: float) -> float:
    targets = Targets(*(np.array([value]) for value in target(spec)))
    return float(activators(targets, np.array([ready_pods]))[0])


def _stat(fields: dict[str, Any], timestamp_s: float) -> Stat:
    return Stat(
        average_concurrent_requests=float(fields["avg_concurrency"]),
        average_proxied_concurrent_requests=float(fields["avg_proxied_concurrency"]),
        request_count=float(fields["request_count"]),
        proxied_request_count=float(fields["proxied_request_count"]),
        timestamp=int(timestamp_s),
    )
