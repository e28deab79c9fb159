"""Scheduled floors in virtual time: their timer, and how early pods are started."""

from __future__ import annotations

import math

from autoscaler.pace import Pace
from autoscaler.schedules import START_DEFAULT_S, STARTS_MAX, Schedules, Starts
from swell.api.meta import Key, Obj, rfc3339
from swell.api.schedule import ScheduleEntry
from swell.testing.clock import ManualClock

KEY = Key("default", "hello-00001")
EIGHT_S = 1_700_035_200.0  # 08:00 UTC
HOUR_S = 3600
MORNING = ScheduleEntry("0 8 * * *", "UTC", 3, HOUR_S)


def pod(name: str, made_s: float, ready_s: float | None = None, *, revision: Key = KEY) -> Obj:
    """Ready by Kubernetes since `ready_s`; None: not by Kubernetes."""
    ready = {"type": "Ready", "status": str(ready_s is not None)}
    if ready_s is not None:
        ready["lastTransitionTime"] = rfc3339(ready_s)
    return {
        "metadata": {
            "name": name,
            "namespace": revision.namespace,
            "uid": f"uid-{name}",
            "creationTimestamp": rfc3339(made_s),
            "labels": {"serving.knative.dev/revision": revision.name},
        },
        "status": {"phase": "Running", "conditions": [ready]},
    }


class Home:
    """Schedules, and what they have told: time of day in seconds from eight o'clock, and floor."""

    def __init__(self, from_eight_s: float) -> None:
        self.clock = ManualClock(wall_s=EIGHT_S + from_eight_s)
        self.pods: list[Obj] = []
        self.pace = Pace(self.clock)
        self.schedules = Schedules(self.clock, self._woken, lambda key: self.pods, self.pace.takes_s)
        self.told: list[tuple[float, str, int]] = []

    def _woken(self, keys: list[Key]) -> None:
        from_eight_s = round(self.clock.wall() - EIGHT_S, 3)
        self.told += [(from_eight_s, key.name, self.schedules.floor(key).replicas) for key in keys]


def test_who_has_a_schedule_is_told_at_its_times_and_pods_are_started_earlier() -> None:
    home = Home(-HOUR_S)
    home.schedules.set(KEY, (MORNING,))
    home.clock.advance(25 * HOUR_S)
    lead_s = START_DEFAULT_S + 1
    expected = [(-lead_s, KEY.name, 3), (HOUR_S, KEY.name, 0), (24 * HOUR_S - lead_s, KEY.name, 3)]
    assert home.told[:2] == expected[:2]
    home.clock.advance(HOUR_S)
    assert home.told == [*expected, (25 * HOUR_S, KEY.name, 0)]


def test_many_schedules_have_one_timer_and_only_those_due_are_looked_at() -> None:
    home = Home(-HOUR_S)
    for number in range(50):
        home.schedules.set(Key("default", f"r{number}"), (ScheduleEntry(f"{number} 9 * * *", "UTC", 1, 60.0),))
    assert home.clock.pending == 1
    home.clock.advance(3 * HOUR_S)
    assert home.clock.pending == 1
    starts = [(at_s, name) for at_s, name, replicas in home.told if replicas == 1]
    assert starts == [(HOUR_S + number * 60 - START_DEFAULT_S - 1, f"r{number}") for number in range(50)]


def test_without_schedules_there_is_no_timer() -> None:
    home = Home(-HOUR_S)
    home.schedules.set(KEY, ())
    assert home.clock.pending == 0
    home.schedules.set(KEY, (MORNING,))
    home.schedules.set(KEY, ())
    home.clock.advance(2 * HOUR_S)
    assert (home.told, home.clock.pending, len(home.schedules)) == ([], 0, 0)
    home.schedules.set(KEY, (MORNING,))
    home.schedules.close()
    assert home.clock.pending == 0


def test_a_restart_within_a_period_finds_the_floor_at_once() -> None:
    home = Home(HOUR_S / 2)
    home.schedules.set(KEY, (MORNING,))
    floor = home.schedules.floor(KEY)
    assert (floor.replicas, floor.starts_s, floor.ends_s) == (3, EIGHT_S, EIGHT_S + HOUR_S)


def test_a_schedule_that_changes_counts_at_once() -> None:
    home = Home(HOUR_S / 2)
    home.schedules.set(KEY, (MORNING,))
    home.schedules.set(KEY, (MORNING, ScheduleEntry("0 * * * *", "UTC", 7, 45 * 60.0)))
    assert home.schedules.floor(KEY).replicas == 7
    home.clock.advance(HOUR_S)
    assert home.told[0] == (45 * 60, KEY.name, 3)


def test_the_revisions_own_start_time_is_the_lead() -> None:
    home = Home(-HOUR_S)
    home.schedules.set(KEY, (MORNING,))
    new = pod("a", EIGHT_S - HOUR_S, None)
    home.schedules.pod_changed(None, new)
    home.clock.advance(100)
    home.schedules.pod_proven(new)
    home.schedules.pod_changed(new, pod("a", EIGHT_S - HOUR_S, EIGHT_S - HOUR_S + 500))
    assert home.schedules.lead_s(KEY) == 100
    home.clock.advance(HOUR_S)
    assert home.told == [(-101, KEY.name, 3)]
    assert math.isnan(home.schedules.lead_s(Key("default", "another")))


def test_pods_that_are_there_tell_their_start_times_after_a_restart() -> None:
    home = Home(-HOUR_S)
    made_s = EIGHT_S - 2 * HOUR_S
    home.pods = [pod("a", made_s, made_s + 8), pod("b", made_s, made_s + 4), pod("c", made_s, None)]
    home.schedules.set(KEY, (MORNING,))
    assert home.schedules.lead_s(KEY) == 9, "times are cut to seconds"


def test_a_start_that_gets_slower_brings_a_start_forward_that_is_due_already() -> None:
    home = Home(-60)
    home.schedules.set(KEY, (MORNING,))
    home.schedules.pod_changed(None, pod("slow", EIGHT_S - 600, EIGHT_S - 60))
    home.clock.advance(1)
    assert home.told == [(-59.999, KEY.name, 3)]


def test_pods_of_revisions_without_a_schedule_are_not_looked_at() -> None:
    home = Home(-60)
    home.schedules.pod_changed(None, {"metadata": {}})
    home.schedules.set(KEY, (MORNING,))
    home.schedules.pod_changed(None, pod("x", EIGHT_S - 600, EIGHT_S - 60, revision=Key("default", "another")))
    assert home.schedules.lead_s(KEY) == START_DEFAULT_S


def test_more_pods_than_may_start_at_a_time_begin_earlier() -> None:
    home = Home(-HOUR_S)
    home.pace.set_cpus(2)
    home.schedules.set(KEY, (ScheduleEntry("0 8 * * *", "UTC", 10, HOUR_S),))
    home.schedules.pod_changed(None, pod("a", EIGHT_S - HOUR_S - 5, EIGHT_S - HOUR_S - 1))
    # Five seconds each, four at a time: three rounds.
    home.clock.advance(HOUR_S)
    assert home.told == [(-16, KEY.name, 10)]


def test_clocks_that_are_set_are_noticed() -> None:
    home = Home(-12 * HOUR_S)
    home.schedules.set(KEY, (MORNING,))
    home.clock._offset += 12.5 * HOUR_S
    home.clock.advance(61)
    assert [replicas for _, _, replicas in home.told] == [3]
    home.clock._offset -= 6 * HOUR_S
    home.clock.advance(61)
    assert [replicas for _, _, replicas in home.told] == [3, 0]


def test_starts_are_the_last_so_many_and_count_once() -> None:
    starts = Starts()
    assert starts.usual_s == START_DEFAULT_S
    for number in range(10):
        starts.ready(pod(f"p{number}", EIGHT_S, EIGHT_S + number), EIGHT_S + 100)
    assert starts.usual_s == 9, "nine of ten took no longer"
    assert not starts.ready(pod("p9", EIGHT_S, EIGHT_S + 500), EIGHT_S + 500), "it was ready before"
    assert starts.usual_s == 9
    starts.gone(pod("p9", EIGHT_S))
    for number in range(STARTS_MAX):
        starts.ready(pod(f"q{number}", EIGHT_S, EIGHT_S + 20), EIGHT_S + 100)
    assert starts.usual_s == 21
    starts.ready(pod("wrong clock", EIGHT_S + 50, EIGHT_S + 20), EIGHT_S + 100)
    starts.ready(pod("stuck", EIGHT_S - 1e6, EIGHT_S), EIGHT_S)
    assert starts.usual_s == 21
