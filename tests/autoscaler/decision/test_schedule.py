"""The scheduled floor: by the calendar, on both days of daylight saving, and against a slow twin that looks at each
minute."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decision.bounds import Activity, ScaleRules, ScaleState, scale_step
from autoscaler.decision.schedule import Floor, Schedule, with_floor
from swell.api.schedule import ScheduleEntry

MINUTE_S = 60
HOUR_S = 3600


def at(zone: str, *when: int, fold: int = 0) -> float:
    return datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).timestamp()  # type: ignore[arg-type, misc]


def no_lead(replicas: int) -> int:
    return 0


def changes(schedule: Schedule, from_s: float, to_s: float) -> list[tuple[float, int]]:
    """When the floor changes, as offsets in hours, and to what, woken only when the schedule asks for it."""
    found, now_s, replicas = [], from_s, -1
    while now_s < to_s:
        floor = schedule.floor(now_s, no_lead)
        if floor.replicas != replicas:
            found.append(((now_s - from_s) / HOUR_S, floor.replicas))
        replicas = floor.replicas
        assert floor.until_s > now_s
        now_s = floor.until_s
    return found


def test_a_day_of_an_entry() -> None:
    schedule = Schedule([ScheduleEntry("0 8 * * mon-fri", "Europe/Berlin", 3, 10 * HOUR_S)])
    friday = at("Europe/Berlin", 2026, 11, 27)
    assert changes(schedule, friday, friday + 4 * 24 * HOUR_S) == [(0, 0), (8, 3), (18, 0), (80, 3), (90, 0)]
    floor = schedule.floor(friday + 9 * HOUR_S, no_lead)
    assert floor == Floor(3, 0, friday + 8 * HOUR_S, friday + 18 * HOUR_S, friday + 18 * HOUR_S)
    assert schedule.floor(friday + 18 * HOUR_S, no_lead).entry == -1


def test_the_greatest_of_the_entries_in_force_counts() -> None:
    entries = [
        ScheduleEntry("0 8 * * *", "UTC", 2, 10 * HOUR_S),
        ScheduleEntry("0 9 * * *", "UTC", 5, 2 * HOUR_S),
        ScheduleEntry("0 10 * * *", "UTC", 5, 4 * HOUR_S),
        ScheduleEntry("0 0 * * *", "UTC", 0, 24 * HOUR_S),
    ]
    day = at("UTC", 2026, 11, 27)
    assert changes(Schedule(entries), day, day + 24 * HOUR_S) == [(0, 0), (8, 2), (9, 5), (14, 2), (18, 0)]
    assert Schedule(entries).floor(day + 10.5 * HOUR_S, no_lead).entry == 2, "the one that lasts longer"


def test_an_entry_that_lasts_longer_than_until_its_next_time_holds_without_a_gap() -> None:
    schedule = Schedule([ScheduleEntry("0 * * * *", "America/New_York", 4, 90 * MINUTE_S)])
    for month, day in ((3, 8), (11, 1)):
        begin = at("America/New_York", 2026, month, day)
        assert changes(schedule, begin, begin + 25 * HOUR_S) == [(0, 4)]


def test_pods_start_the_lead_earlier_and_go_when_the_duration_is_over() -> None:
    schedule = Schedule([ScheduleEntry("0 8 * * *", "UTC", 3, HOUR_S)])
    eight = at("UTC", 2026, 11, 27, 8)

    def lead_s(replicas: int) -> int:
        return 10 * replicas

    before = schedule.floor(eight - 31, lead_s)
    assert (before.replicas, before.until_s) == (0, eight - 30)
    assert schedule.floor(eight - 30, lead_s) == Floor(3, 0, eight, eight + HOUR_S, eight + HOUR_S)
    after = schedule.floor(eight + HOUR_S, lead_s)
    assert (after.replicas, after.until_s) == (0, eight + 24 * HOUR_S - 30)


def test_a_schedule_whose_times_are_rare_is_awaited() -> None:
    schedule = Schedule([ScheduleEntry("0 0 29 2 *", "UTC", 1, HOUR_S)])
    floor = schedule.floor(at("UTC", 2026, 1, 1), no_lead)
    assert floor.until_s == at("UTC", 2028, 2, 29)


SPRING, AUTUMN = at("Europe/Berlin", 2026, 3, 29), at("Europe/Berlin", 2026, 10, 25)


@pytest.mark.parametrize(
    ("cron", "day_s", "expected"),
    [
        # 02:30 does not exist: the moment after the gap is two hours after midnight.
        ("30 2 * * *", SPRING, [(0, 0), (2, 1), (3, 0)]),
        # 08:00 is seven hours after midnight, and the hour is an hour.
        ("0 8 * * *", SPRING, [(0, 0), (7, 1), (8, 0)]),
        # 02:30 exists twice: only the first counts.
        ("30 2 * * *", AUTUMN, [(0, 0), (2.5, 1), (3.5, 0)]),
        ("0 8 * * *", AUTUMN, [(0, 0), (9, 1), (10, 0)]),
        # An hour that lasts an hour, though the clock goes back in it.
        ("30 1 * * *", AUTUMN, [(0, 0), (1.5, 1), (2.5, 0)]),
        # By the hour: at each half hour that passes.
        ("30 */2 * * *", AUTUMN, [(0, 0), (0.5, 1), (1.5, 0), (2.5, 1), (4.5, 0), (5.5, 1), (6.5, 0)]),
        ("30 */2 * * *", SPRING, [(0, 0), (0.5, 1), (1.5, 0), (3.5, 1), (4.5, 0), (5.5, 1), (6.5, 0)]),
    ],
)
def test_days_of_daylight_saving(cron: str, day_s: float, expected: list[tuple[float, int]]) -> None:
    schedule = Schedule([ScheduleEntry(cron, "Europe/Berlin", 1, HOUR_S)])
    found = changes(schedule, day_s, day_s + 12 * HOUR_S)
    assert found[: len(expected)] == expected


@dataclass(frozen=True)
class Fields:
    """One entry by its fields, None for `*`; the twin does not read cron expressions."""

    minutes: frozenset[int]
    hours: frozenset[int] | None
    weekdays: frozenset[int] | None
    days: frozenset[int] | None
    replicas: int
    minutes_long: int

    def entry(self, zone: str) -> ScheduleEntry:
        parts = [self.minutes, self.hours, self.days, None, self.weekdays]
        cron = " ".join("*" if part is None else ",".join(map(str, sorted(part))) for part in parts)
        return ScheduleEntry(cron, zone, self.replicas, self.minutes_long * MINUTE_S)

    def names(self, wall: datetime) -> bool:
        if wall.minute not in self.minutes or (self.hours is not None and wall.hour not in self.hours):
            return False
        weekday = self.weekdays is None or (wall.weekday() + 1) % 7 in self.weekdays
        day = self.days is None or wall.day in self.days
        both_limited = self.weekdays is not None and self.days is not None
        return (weekday or day) if both_limited else (weekday and day)

    def begins(self, zone: ZoneInfo, minute_s: int) -> bool:
        """Whether it begins at a minute, given the minute before."""
        now, before = (datetime.fromtimestamp(each, zone) for each in (minute_s, minute_s - MINUTE_S))
        if self.hours is None:
            return self.names(now)
        if now.fold == 0 and self.names(now):
            return True
        skipped = before.replace(tzinfo=None) + timedelta(minutes=1)
        while skipped < now.replace(tzinfo=None):
            if self.names(skipped):
                return True
            skipped += timedelta(minutes=1)
        return False


def twin(entries: list[Fields], zone: ZoneInfo, from_s: int, to_s: int, lead_s: int) -> Iterator[tuple[int, int]]:
    """Each minute, and the floor in it; `lead_s` in whole minutes."""
    longest_s = max(entry.minutes_long for entry in entries) * MINUTE_S
    minutes = range(from_s - longest_s, to_s + lead_s, MINUTE_S)
    begins = [[minute for minute in minutes if entry.begins(zone, minute)] for entry in entries]
    for now_s in range(from_s, to_s, MINUTE_S):
        yield (
            now_s,
            max(
                entry.replicas
                if any(start - lead_s <= now_s < start + entry.minutes_long * MINUTE_S for start in starts)
                else 0
                for entry, starts in zip(entries, begins, strict=True)
            ),
        )


# Days on which clocks change; of zones north and south, by an hour, by half of one, and at midnight.
DAYS = [
    ("Europe/Berlin", 2026, 3, 29),
    ("Europe/Berlin", 2026, 10, 25),
    ("America/New_York", 2026, 3, 8),
    ("America/New_York", 2026, 11, 1),
    ("Australia/Lord_Howe", 2026, 4, 5),
    ("Australia/Lord_Howe", 2026, 10, 4),
    ("Asia/Beirut", 2026, 3, 29),
    ("Africa/Cairo", 2026, 4, 24),
    ("Africa/Cairo", 2026, 10, 30),
    ("America/Santiago", 2026, 9, 6),
    ("Atlantic/Azores", 2026, 10, 25),
    ("Asia/Kolkata", 2026, 5, 1),
    ("UTC", 2026, 3, 29),
]
FIELDS = st.builds(
    Fields,
    minutes=st.frozensets(st.sampled_from((0, 1, 15, 29, 30, 31, 59)), min_size=1, max_size=3),
    hours=st.none() | st.frozensets(st.integers(0, 23), min_size=1, max_size=4) | st.just(frozenset({0, 1, 2, 3, 23})),
    weekdays=st.none() | st.frozensets(st.integers(0, 6), min_size=1, max_size=4),
    days=st.none() | st.frozensets(st.integers(1, 31), min_size=1, max_size=15),
    replicas=st.integers(0, 5),
    minutes_long=st.sampled_from((1, 15, 60, 61, 90, 300)),
)


@settings(max_examples=40, deadline=None)
@given(
    day=st.sampled_from(DAYS),
    entries=st.lists(FIELDS, min_size=1, max_size=3),
    lead_minutes=st.sampled_from((0, 0, 1, 20, 130)),
)
def test_the_floor_is_the_slow_twins_at_each_minute(
    day: tuple[str, int, int, int], entries: list[Fields], lead_minutes: int
) -> None:
    zone, *date = day
    middle_s = int(at(zone, *date))
    from_s, to_s = middle_s - 3 * HOUR_S, middle_s + 7 * HOUR_S
    schedule = Schedule([each.entry(zone) for each in entries])
    until_s, held, before = -math.inf, -1, -1
    for now_s, expected in twin(entries, ZoneInfo(zone), from_s, to_s, lead_minutes * MINUTE_S):
        assert now_s >= until_s or expected == held, "it holds until then"
        # Asking takes longer than the twin: where something happens, when told to, and now and then.
        if expected == before and now_s < until_s and now_s % (17 * MINUTE_S):
            continue
        before = expected
        floor = schedule.floor(now_s, lambda replicas: lead_minutes * MINUTE_S)
        assert floor.replicas == expected, f"{day} {now_s - middle_s} s after midnight"
        assert schedule.floor(now_s + 59.9, lambda replicas: lead_minutes * MINUTE_S).replicas == expected
        until_s, held = floor.until_s, floor.replicas
        assert floor.until_s > now_s
        if floor.entry >= 0:
            assert floor.starts_s - lead_minutes * MINUTE_S <= now_s < floor.ends_s


RULES = ScaleRules(
    least=1,
    most=4,
    initial=1,
    reachable=True,
    scale_to_zero=True,
    stable_window_s=60,
    grace_s=0,
    retention_s=0,
    activation_timeout_s=600,
    always_buffered=False,
)
STATE = ScaleState(
    desired=0, activity=Activity.INACTIVE, activity_s=1e6, initialized=True, proxying_s=math.inf, buffer_answers=True
)


@pytest.mark.parametrize(
    ("floor", "state", "rules", "replicas", "want", "apply"),
    [
        (3, STATE, RULES, 1, 3, True),
        (9, STATE, RULES, 1, 4, True),  # no more than max-scale
        (9, STATE, replace(RULES, most=0), 1, 9, True),
        (0, STATE, RULES, 1, 1, True),  # min-scale stays
        (3, STATE, replace(RULES, reachable=False, least=0), 1, 0, True),
        (3, replace(STATE, desired=2), RULES, 2, 3, True),
        (3, replace(STATE, desired=4), RULES, 4, 4, True),
        # Nothing is decided yet: the floor is due all the same, but what there is beyond it stays.
        (3, replace(STATE, desired=-1), RULES, 0, 3, True),
        (3, replace(STATE, desired=-1), RULES, None, 3, True),
        (3, replace(STATE, desired=-1), RULES, 3, -1, False),
    ],
)
def test_the_floor_is_another_min_scale(
    floor: int, state: ScaleState, rules: ScaleRules, replicas: int | None, want: int, apply: bool
) -> None:
    step = scale_step(*with_floor(state, rules, floor, replicas))
    assert (step.want, step.apply) == (want, apply)
