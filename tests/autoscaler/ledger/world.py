"""A few revisions with their ledger, ticked by hand: no sockets, no objects, virtual time."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.decision.bounds import Activity, ScaleRules, ScaleState, ScaleStep, scale_step
from autoscaler.decision.rows import Target
from autoscaler.ledger.ledger import Ledger
from autoscaler.metrics.collector import Collection
from autoscaler.parameters import Parameters
from autoscaler.revisions import Revisions
from swell.api.meta import Key
from swell.wire.stats import Stat

START_S = 1_700_000_000.0
TARGET = Target(10, 10, 211, 100, 2, 1000, 2, 60, True, 0)
RULES = ScaleRules(
    least=0,
    most=0,
    initial=1,
    reachable=True,
    scale_to_zero=True,
    stable_window_s=60.0,
    grace_s=30.0,
    retention_s=0.0,
    activation_timeout_s=630.0,
    always_buffered=False,
)
STATE = ScaleState(0, Activity.ACTIVE, 300.0, initialized=True, proxying_s=float("inf"), buffer_answers=True)
HELLO = Key("default", "hello-00001")


class World:
    """`now_s` moves by `tick`. Each change of what is desired is stepped, as the program does it."""

    def __init__(self, *, rows_max: int = 1000, bytes_max: int = 2**30) -> None:
        self.now_s = START_S
        self.revisions = Revisions()
        self.ledger = Ledger(rows_max, bytes_max)
        self.parameters: dict[Key, Parameters] = {}

    def open(self, key: Key = HELLO, target: Target = TARGET, *, delay_s: float = 0.0, ready: float = 1.0) -> None:
        rules = replace(RULES, stable_window_s=target.stable_window_s)
        collection = Collection(target.stable_window_s, 6.0)
        self.parameters[key] = Parameters(target, collection, rules, rps=False, delay_s=delay_s)
        self.revisions.collect(key, collection, self.now_s)
        self.revisions.open(key, target, now_s=self.now_s, ready_pods=ready, delay_s=delay_s)

    def report(self, concurrency: float, *keys: Key) -> None:
        stat = Stat(average_concurrent_requests=concurrency, request_count=concurrency)
        for ticked in self.revisions.receive([(key, stat) for key in keys or (HELLO,)], self.now_s):
            self.ledger.ticked(ticked, self.now_s)

    def tick(self, seconds: float = 2.0) -> None:
        """Let that much time pass, then tick."""
        self.now_s += seconds
        ticked = self.revisions.tick(self.now_s)
        self.ledger.ticked(ticked, self.now_s)
        for key in ticked.changed():
            self.step(key)

    def step(self, key: Key = HELLO, state: ScaleState = STATE, **rules: object) -> ScaleStep:
        parameters = self.parameters[key]
        parameters = replace(parameters, rules=replace(parameters.rules, **rules))  # type: ignore[arg-type]
        state = replace(state, desired=self.revisions.status(key)[0])
        step = scale_step(state, parameters.rules)
        self.ledger.stepped(key, state, parameters, step, self.now_s)
        return step
