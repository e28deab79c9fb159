"""A new owner goes on where the last one stopped: compared with one that was never stopped, killed at every second."""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable, Sequence

import pytest

from autoscaler.decision.rows import Target
from autoscaler.handover import Running, ready_since_s
from autoscaler.metrics.collector import Collection
from autoscaler.parameters import panic_window_s
from autoscaler.revisions import Revisions
from autoscaler.takeover import TakeOver
from swell.api.meta import Key, Obj, rfc3339
from swell.testing.clock import ManualClock
from swell.wire.history import HISTORY_S, History, RevisionHistory
from swell.wire.stats import Stat

HELLO = Key("default", "hello")
TARGET = Target(10, 10, 211, 100, 2, 1000, 2, 60, True, 0)
START_S = 1_700_000_000.0
TICK_S = 2
POD_START_S = 2
Load = Callable[[float], float]


class Sim:
    """One revision in seconds: reports, ticks, and pods that take a while to be ready.

    Activators remember what was `reported`.
    """

    def __init__(self, load: Load, *, window_s: float, delay_s: float = 0) -> None:
        self.load = load
        self.window_s = window_s
        self.delay_s = delay_s
        self.now_s = START_S
        self.created_s: list[float] = [START_S - 1000]
        self.reported: list[tuple[float, float]] = []
        self.revisions = self._new(0)
        self.replicas: list[int] = []
        """Of each second so far."""

    def _new(self, held: int) -> Revisions:
        found = Revisions()
        found.collect(HELLO, Collection(self.window_s, panic_window_s(self.window_s, 10)), self.now_s)
        ready = len(self.ready_since())
        found.open(
            HELLO,
            TARGET._replace(stable_window_s=self.window_s),
            now_s=self.now_s,
            ready_pods=ready,
            held_pods=held,
            listens_from=1,
            delay_s=self.delay_s,
        )
        return found

    def ready_since(self) -> list[float]:
        return [at_s + POD_START_S for at_s in self.created_s if at_s + POD_START_S <= self.now_s]

    def kill(self, *, known_s: float = HISTORY_S) -> None:
        """Another autoscaler takes over, with what activators have reported in the last `known_s`."""
        now_s = self.now_s
        self.revisions = self._new(len(self.created_s))
        samples = array("d")
        for at_s, value in self.reported:
            if at_s >= now_s - known_s:
                samples.extend((now_s - at_s, value, value))
        self.revisions.recall([RevisionHistory(*HELLO, samples)], now_s)
        running = {HELLO: Running(len(self.created_s), self.ready_since())}
        self.revisions.take_over(running, now_s - known_s, now_s)

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            now_s = self.now_s
            value = self.load(now_s - START_S)
            if value or (self.reported and self.reported[-1][1]):
                self.reported.append((now_s, value))
                report = Stat(average_concurrent_requests=value, request_count=value)
                self.revisions.receive([(HELLO, report)], now_s)
            if now_s % TICK_S == 0:
                self.revisions.pods_ready(HELLO, len(self.ready_since()))
                self.revisions.tick(now_s)
                self._scale()
            self.replicas.append(len(self.created_s))
            self.now_s += 1

    def _scale(self) -> None:
        desired = self.revisions.status(HELLO)[0]
        if desired < 0:
            return
        wanted = max(1, desired)
        self.created_s += [self.now_s] * (wanted - len(self.created_s))
        del self.created_s[wanted:]


def up_and_down(second: float) -> float:
    return 80.0 if 40 <= second < 130 else 10.0


def spike(second: float) -> float:
    return 120.0 if 60 <= second < 70 else 10.0


def stairs(second: float) -> float:
    return 10.0 + 15.0 * (second // 25 % 6)


def slope_down(second: float) -> float:
    return max(0.0, 150.0 - max(0, second - 40))


def bursts(second: float) -> float:
    return 60.0 if second % 90 < 10 else 0.0


LOADS = [up_and_down, spike, stairs, slope_down, bursts]


def differs(calm: Sequence[int], killed: Sequence[int]) -> list[tuple[int, int, int]]:
    """Where the replicas are not within one of those at most two ticks before or after: (second, calm, killed)."""
    found = []
    for at, pods in enumerate(killed):
        near = calm[max(0, at - 2 * TICK_S) : at + 2 * TICK_S + 1]
        if not min(near) - 1 <= pods <= max(near) + 1:
            found.append((at, calm[at], pods))
    return found


@pytest.mark.parametrize("window_s", [6, 60])
@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.__name__)
def test_killed_at_any_moment_the_replicas_differ_by_one_at_most(load: Load, window_s: int) -> None:
    calm = Sim(load, window_s=window_s)
    forks: dict[int, Sim] = {}
    for second in range(200):
        if second % 7 == 5:
            forks[second] = copy.deepcopy(calm)
        calm.run(1)
    for second, killed in forks.items():
        killed.kill()
        killed.run(min(200 - second, window_s + 10))
        assert differs(calm.replicas[: len(killed.replicas)], killed.replicas) == [], f"killed at {second}"


@pytest.mark.parametrize("known_s", [5, 30, HISTORY_S])
def test_nothing_is_taken_away_before_the_history_covers_a_window(known_s: float) -> None:
    sim = Sim(up_and_down, window_s=120)
    sim.run(128)
    before = sim.replicas[-1]
    sim.kill(known_s=known_s)
    sim.run(int(120 - known_s))
    assert min(sim.replicas[128:]) == before == 8
    sim.run(60)
    assert sim.replicas[-1] < 8, "and then it is"


def test_more_are_added_at_once_whatever_is_not_known() -> None:
    sim = Sim(up_and_down, window_s=120)
    sim.run(41)
    assert sim.replicas[-1] < 8
    sim.kill(known_s=0)
    sim.run(3)
    assert sim.replicas[-1] == 8


def test_a_scale_down_delay_begins_anew() -> None:
    sim = Sim(up_and_down, window_s=6, delay_s=30)
    sim.run(135)
    sim.kill()
    sim.run(28)
    assert sim.replicas[-1] == 8
    sim.run(2)
    assert sim.replicas[-1] == 4


def test_a_revision_that_has_been_silent_for_a_window_is_not_given_another() -> None:
    sim = Sim(lambda second: 5.0 if second < 100 else 0.0, window_s=60)
    sim.run(162)
    assert sim.revisions.status(HELLO)[0] == 0
    sim.kill()
    sim.run(2)
    assert sim.revisions.status(HELLO)[0] == 0


def test_a_revision_whose_pods_have_just_become_ready_is_given_a_window() -> None:
    sim = Sim(lambda second: 0.0, window_s=60)
    sim.created_s = [START_S - 20] * 3
    sim.kill()
    sim.run(40)
    assert sim.revisions.status(HELLO)[0] == -1, "nobody has asked, but not for long enough"
    sim.run(3)
    assert sim.revisions.status(HELLO)[0] == 1


def pod(name: str, ready: bool = True, **meta: str) -> Obj:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, **meta}, "status": status}


class Taking:
    """What a take-over does: `taken` is what was known since when, `ticks` how often it decided."""

    def __init__(self, *pods: Obj) -> None:
        self.clock = ManualClock(wall_s=START_S)
        self.revisions = Revisions()
        self.revisions.collect(HELLO, Collection(60, 6), START_S)
        self.revisions.open(HELLO, TARGET, now_s=START_S, ready_pods=5, held_pods=5)
        self.ticks = 0
        self.takeover = TakeOver(self.clock.wall, self.revisions, lambda: {HELLO: Running(5, [0.0] * 5)}, self.tick)
        self.takeover.expect(pods)

    def tick(self) -> None:
        self.ticks += 1

    def told(self, activator: str, age_s: float = HISTORY_S) -> bool:
        """Whether it has taken over."""
        self.takeover.told(History(activator, age_s, [RevisionHistory(*HELLO, array("d", [1.0, 8.0, 1.0]))]))
        return self.takeover.done

    def holds(self) -> bool:
        """Whether pods are held for want of history."""
        self.revisions.tick(self.clock.wall())
        return self.revisions.status(HELLO)[0] == 5


def test_a_take_over_waits_for_every_activator_that_may_have_reported() -> None:
    world = Taking(pod("a"), pod("b", deletionTimestamp=rfc3339(START_S)), pod("starts", ready=False))
    assert not world.told("a")
    assert world.holds()
    assert world.told("b")
    assert (world.ticks, world.holds()) == (2, False)


def test_a_take_over_does_not_wait_for_an_activator_that_has_gone() -> None:
    world = Taking(pod("a"), pod("b"))
    assert not world.told("a")
    world.takeover.expect([pod("a")])
    assert world.takeover.done


def test_what_one_activator_does_not_know_is_not_known() -> None:
    world = Taking(pod("a"), pod("b"))
    world.told("a")
    assert world.told("b", age_s=10)
    assert world.holds()


def test_without_pods_of_activators_one_that_tells_is_all_and_later_ones_are_only_heard() -> None:
    world = Taking()
    assert world.told("a")
    assert world.told("b", age_s=0)
    assert (world.ticks, world.holds()) == (1, False)
    assert world.revisions.describe(START_S)[str(HELLO)]["stable_value"] == 16, "both count"


def test_since_when_pods_are_ready_is_the_oldest_first_and_unknown_means_for_ever() -> None:
    pods = [pod("young"), pod("no"), pod("old"), pod("not yet", ready=False)]
    pods[0]["status"]["conditions"][0]["lastTransitionTime"] = rfc3339(START_S)
    pods[2]["status"]["conditions"][0]["lastTransitionTime"] = rfc3339(START_S - 60)
    assert ready_since_s(pods) == [0.0, START_S - 60, START_S]
