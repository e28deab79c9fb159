"""Slots and the line in front of one app: spec dataplane 1.3, 3.4."""

from __future__ import annotations

import random

import pytest

from activator.admission.breaker import Admission, Breaker

RUN, WAIT, FULL = Admission.RUN, Admission.WAIT, Admission.FULL


def test_case_27_one_runs_ten_wait_and_the_twelfth_is_refused() -> None:
    breaker: Breaker[int] = Breaker(1)
    assert [breaker.admit(item) for item in range(12)] == [RUN] + [WAIT] * 10 + [FULL]


def test_who_has_waited_longest_runs_next() -> None:
    breaker: Breaker[str] = Breaker(2)
    for item in "abcde":
        breaker.admit(item)
    assert [breaker.finish(), breaker.finish(), breaker.finish(), breaker.finish()] == ["c", "d", "e", None]
    assert (breaker.running, breaker.waiting) == (1, 0)


def test_who_leaves_the_line_is_not_started_and_makes_room() -> None:
    breaker: Breaker[str] = Breaker(1, line_max=2)
    for item in "abc":
        breaker.admit(item)
    assert breaker.admit("d") is FULL
    assert breaker.leave("b")
    assert not breaker.leave("b")
    assert breaker.admit("e") is WAIT
    assert [breaker.finish(), breaker.finish()] == ["c", "e"]


def test_a_breaker_without_slots_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="0 slots"):
        Breaker(0)


def test_whatever_happens_no_more_run_or_wait_than_allowed_and_nobody_is_forgotten() -> None:
    choose = random.Random(27)
    breaker: Breaker[int] = Breaker(3, line_max=5)
    running: set[int] = set()
    waiting: list[int] = []
    for item in range(2000):
        match choose.choice(("admit", "admit", "finish", "leave")):
            case "admit":
                admission = breaker.admit(item)
                assert admission is (RUN if len(running) < 3 else WAIT if len(waiting) < 5 else FULL)
                if admission is RUN:
                    running.add(item)
                elif admission is WAIT:
                    waiting.append(item)
            case "finish" if running:
                running.pop()
                following = breaker.finish()
                assert following == (waiting.pop(0) if waiting else None)
                if following is not None:
                    running.add(following)
            case "leave" if waiting:
                assert breaker.leave(waiting.pop(choose.randrange(len(waiting))))
        assert (breaker.running, breaker.waiting) == (len(running), len(waiting))
