"""`Revisions` against slow twins: revisions come, change, report and go, and every one decides as if it were alone.

What needs no ticks is not ticked; its twin is, and must go on deciding the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from autoscaler.decision.rows import Target
from autoscaler.intake import FUTURE_S_MAX
from autoscaler.metrics.collector import Collection
from autoscaler.revisions import Revisions, Ticked
from swell.api.meta import Key
from swell.wire.stats import Stat
from tests.autoscaler.decision.test_decide_twin import Twin, targets
from tests.autoscaler.metrics.test_windows_twin import Buckets

START_S = 1_700_000_000.0
KEYS = [Key("default", f"hello-{number}") for number in range(6)]
keys = st.sampled_from(KEYS)
pods = st.one_of(st.just(math.nan), st.integers(0, 30).map(float))
loads = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 2000))
# Linear only: weighted averages may differ in the last bit, and a decision by a pod (see test_windows_twin).
collections = st.builds(Collection, st.sampled_from([6.0, 10.0, 60.0]), st.sampled_from([1.0, 2.0]), st.booleans())


@dataclass
class RevisionTwin:
    """One revision alone: four windows and a decider."""

    collection: Collection
    decider: Twin
    rps: bool
    ready: float
    at_zero: bool
    windows: list[Buckets] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.windows = [Buckets(int(length_s), weighted=False) for length_s in self._lengths_s()]

    def collect(self, collection: Collection, now_s: float) -> None:
        self.collection = collection
        for window, length_s in zip(self.windows, self._lengths_s(), strict=True):
            window.resize(int(length_s), now_s)

    def record(self, stat: Stat, now_s: float) -> None:
        own = 0 < stat.timestamp <= now_s + FUTURE_S_MAX
        concurrency = stat.average_concurrent_requests - stat.average_proxied_concurrent_requests
        count = stat.request_count - stat.proxied_request_count
        for window, value in zip(self.windows, (concurrency, concurrency, count, count), strict=True):
            window.record(stat.timestamp if own else now_s, value)

    def poked(self, stat: Stat) -> bool:
        decided_zero = self.decider.desired == 0 or (self.decider.desired == -1 and self.at_zero)
        return stat.average_concurrent_requests != 0 and decided_zero

    def tick(self, now_s: float) -> int | None:
        stable, panic = self.windows[2:] if self.rps else self.windows[:2]
        if self.collection.scraped and stable.empty(now_s):
            return None
        decided = self.decider.tick(now_s, self.ready, stable.average(now_s), panic.average(now_s))
        self.at_zero = self.at_zero and decided is None
        return decided

    def _lengths_s(self) -> tuple[float, ...]:
        return (self.collection.stable_window_s, self.collection.panic_window_s) * 2


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.revisions = Revisions()
        self.twins: dict[Key, RevisionTwin] = {}
        self.now_s = START_S

    @initialize(asked=targets(), ready=pods, collection=collections)
    def begin(self, asked: Target, ready: float, collection: Collection) -> None:
        self.open(KEYS[0], asked, ready, collection, rps=False, delay_s=0.0, at_zero=True, initial=1)

    @rule(
        key=keys,
        asked=targets(),
        ready=pods,
        collection=collections,
        rps=st.booleans(),
        delay_s=st.sampled_from([0.0, 0.0, 5.0, 30.0]),
        at_zero=st.booleans(),
        initial=st.integers(0, 5),
    )
    def open(
        self,
        key: Key,
        asked: Target,
        ready: float,
        collection: Collection,
        rps: bool,
        delay_s: float,
        at_zero: bool,
        initial: int,
    ) -> None:
        """A new revision begins, a known one changes how it is collected."""
        self.revisions.collect(key, collection, self.now_s)
        if key in self.twins:
            self.twins[key].collect(collection, self.now_s)
            return
        self.revisions.open(
            key,
            asked,
            now_s=self.now_s,
            ready_pods=ready,
            rps=rps,
            initial_scale=initial,
            delay_s=delay_s,
            at_zero=at_zero,
        )
        decider = Twin.created(asked, ready, delay_s, self.now_s, initial)
        self.twins[key] = RevisionTwin(collection, decider, rps, ready, at_zero)
        assert self.revisions.status(key) == (-1, decider.excess_burst)

    @precondition(lambda self: self.twins)
    @rule(data=st.data(), asked=targets(), rps=st.booleans())
    def update(self, data: st.DataObject, asked: Target, rps: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.twins)))
        self.revisions.update(key, asked, rps=rps)
        self.twins[key].decider.target, self.twins[key].rps = asked, rps

    @rule(key=keys, ready=pods)
    def pods_ready(self, key: Key, ready: float) -> None:
        self.revisions.pods_ready(key, ready)
        if key in self.twins:
            self.twins[key].ready = ready

    @rule(key=keys)
    def put_to_zero(self, key: Key) -> None:
        self.revisions.put_to_zero(key)
        if key in self.twins:
            self.twins[key].at_zero = True

    @rule(key=keys)
    def close(self, key: Key) -> None:
        self.revisions.close(key)
        self.twins.pop(key, None)
        assert self.revisions.status(key) == (-1, 0)

    @rule(reported=st.lists(st.tuples(keys, loads, loads, st.integers(-4, 12)), max_size=8))
    def receive(self, reported: list[tuple[Key, float, float, int]]) -> None:
        """One message; `late_s` 0 leaves the time to the receiver, below that the sender's clock is ahead."""
        messages = [
            (
                key,
                Stat(
                    average_concurrent_requests=load,
                    average_proxied_concurrent_requests=load / 4,
                    request_count=count,
                    proxied_request_count=count / 2,
                    timestamp=int(self.now_s - late_s) if late_s else 0,
                ),
            )
            for key, load, count, late_s in reported
        ]
        found = self.revisions.receive(messages, self.now_s)
        expected: list[tuple[Key, int | None]] = []
        for key, stat in messages:
            if key in self.twins:
                self.twins[key].record(stat, self.now_s)
                if self.twins[key].poked(stat):
                    expected.append((key, self.twins[key].tick(self.now_s)))
        assert sorted(outcomes(found), key=str) == sorted(expected, key=str)
        self.agrees()

    @rule(passed_s=st.sampled_from([0.5, 1.0, 2.0, 2.0, 2.0, 7.0, 61.0]), times=st.integers(1, 4))
    def tick(self, passed_s: float, times: int) -> None:
        for _ in range(times):
            self.now_s += passed_s
            found = dict(outcomes([self.revisions.tick(self.now_s)]))
            for key, twin in self.twins.items():
                decided = twin.tick(self.now_s)
                if key in found:
                    assert found[key] == decided, key
            self.agrees()

    def agrees(self) -> None:
        for key, twin in self.twins.items():
            assert self.revisions.status(key) == (twin.decider.desired, twin.decider.excess_burst), key
        assert set(self.revisions) == set(self.twins)

    def teardown(self) -> None:
        """Silence: in the end nothing needs ticks but what is not known."""
        self.tick(2.0, 70)
        unknown = any(math.isnan(twin.ready) or twin.collection.scraped for twin in self.twins.values())
        assert unknown or not self.revisions.lively


def outcomes(ticked: list[Ticked]) -> list[tuple[Key, int | None]]:
    """Who was decided for, and what; None: nothing could be decided."""
    return [
        (key, None if math.isnan(pods) else int(pods))
        for one in ticked
        for key, pods in zip(one.keys, one.tick.decision.pods.tolist(), strict=True)
    ]


TestRevisionsAndTheirTwins = Machine.TestCase
TestRevisionsAndTheirTwins.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
