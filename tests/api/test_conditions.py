"""The algebra of conditions, rule by rule (spec api 5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.api.conditions import (
    Condition,
    Conditions,
    ConditionSet,
    conditions_to_obj,
    find,
    parse_conditions,
)
from swell.api.fields import Malformed

SET = ConditionSet(dependents=("A", "B"))
ALONE = ConditionSet()


def shown(conditions: Conditions) -> dict[str, str]:
    """Each type with its status, and its reason if it has one."""
    return {each.type: f"{each.status} {each.reason}".strip() for each in conditions}


def started(now: float = 100.0) -> Conditions:
    return SET.initialize((), now)


def test_rule_1_only_dependents_bear_on_ready_and_all_are_sorted() -> None:
    conditions = SET.mark_false(started(), "Zeal", "Low", "not now", 101.0)
    assert [each.type for each in conditions] == ["A", "B", "Ready", "Zeal"]
    assert [each.severity for each in conditions] == ["", "", "", "Info"]
    assert shown(conditions)["Ready"] == "Unknown"


def test_rule_2_what_is_missing_is_added_before_a_reconcile() -> None:
    assert shown(started()) == {"A": "Unknown", "B": "Unknown", "Ready": "Unknown"}
    ready = (Condition("Ready", "True"),)
    assert shown(SET.initialize(ready, 1.0)) == {"A": "True", "B": "True", "Ready": "True"}
    assert SET.initialize(started(), 200.0) == started()


def test_rule_3_true_is_ready_once_every_dependent_is() -> None:
    conditions = SET.mark_true(started(), "A", 101.0)
    assert shown(conditions) == {"A": "True", "B": "Unknown", "Ready": "Unknown"}
    assert shown(SET.mark_true(conditions, "B", 102.0)) == {"A": "True", "B": "True", "Ready": "True"}


def test_rule_3_the_latest_failure_speaks_for_those_that_remain() -> None:
    three = ConditionSet(dependents=("A", "B", "C"))
    conditions = three.initialize((), 100.0)
    conditions = three.mark_false(conditions, "B", "Late", "", 103.0)
    conditions = three.mark_false(conditions, "A", "Early", "", 102.0)
    assert shown(three.mark_true(conditions, "C", 104.0))["Ready"] == "False Late"


def test_rule_3_with_fewer_dependents_than_declared_nothing_is_ready() -> None:
    assert shown(SET.mark_true((), "A", 1.0)) == {"A": "True", "Ready": "Unknown"}


def test_rule_4_the_last_failure_written_wins() -> None:
    conditions = SET.mark_false(started(), "A", "First", "one", 101.0)
    conditions = SET.mark_false(conditions, "B", "Second", "two", 102.0)
    ready = find(conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("False", "Second", "two")


def test_rule_5_unknown_makes_ready_unknown_unless_some_dependent_is_false() -> None:
    doubt = SET.mark_unknown(SET.mark_true(SET.mark_true(started(), "A", 1.0), "B", 1.0), "A", "Wait", "", 101.0)
    assert shown(doubt) == {"A": "Unknown Wait", "B": "True", "Ready": "Unknown Wait"}
    failed = SET.mark_false(started(), "B", "Broken", "", 101.0)
    assert shown(SET.mark_unknown(failed, "A", "Wait", "", 102.0))["Ready"] == "False Broken"


def test_rule_6_the_time_moves_with_any_change_and_with_nothing_else() -> None:
    first = SET.mark_false(started(100.0), "A", "Broken", "one", 101.0)
    assert SET.mark_false(first, "A", "Broken", "one", 150.0) == first
    second = find(SET.mark_false(first, "A", "Broken", "two", 150.9), "A")
    assert second is not None
    assert second.last_transition_time == 150.0


def test_rule_7_an_unobserved_generation_is_unknown_and_false_while_a_dependent_is() -> None:
    ready = SET.mark_true(SET.mark_true(started(), "A", 1.0), "B", 1.0)
    assert shown(SET.observe_generation(ready, 2.0))["Ready"] == "Unknown NewObservedGenFailure"
    failed = (Condition("A", "False", "Broken"), Condition("B", "True"), Condition("Ready", "True"))
    assert shown(SET.observe_generation(failed, 2.0))["Ready"] == "False NewObservedGenFailure"


def test_a_kind_without_dependents_sets_ready_itself() -> None:
    conditions = ALONE.initialize((), 1.0)
    assert shown(ALONE.mark_true(conditions, "Ready", 2.0)) == {"Ready": "True"}
    assert shown(ALONE.mark_false(conditions, "Ready", "Broken", "", 2.0)) == {"Ready": "False Broken"}


MARKS = st.tuples(st.sampled_from(["true", "false", "unknown"]), st.sampled_from(["A", "B", "Extra"]))


@given(st.lists(MARKS, max_size=12))
def test_ready_never_contradicts_its_dependents(marks: list[tuple[str, str]]) -> None:
    conditions = started(0.0)
    for now, (mark, type_) in enumerate(marks, 1):
        if mark == "true":
            conditions = SET.mark_true(conditions, type_, now)
        else:
            write = SET.mark_false if mark == "false" else SET.mark_unknown
            conditions = write(conditions, type_, mark, "", now)
    statuses = {each.type: each.status for each in conditions}
    dependents = {statuses["A"], statuses["B"]}
    wanted = "False" if "False" in dependents else "Unknown" if "Unknown" in dependents else "True"
    assert statuses["Ready"] == wanted
    assert [each.type for each in conditions] == sorted(statuses)


def test_conditions_survive_the_wire() -> None:
    conditions = SET.mark_false(started(1_700_000_000.0), "A", "Broken", "why", 1_700_000_001.0)
    assert parse_conditions({"conditions": conditions_to_obj(conditions)}) == conditions


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ({"type": "A", "status": "Maybe"}, "status.conditions[0].status"),
        ({"type": "A", "status": "True", "lastTransitionTime": "today"}, "status.conditions[0].lastTransitionTime"),
        ({"type": 1}, "status.conditions[0].type"),
    ],
)
def test_a_malformed_condition_is_named(condition: dict[str, object], path: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_conditions({"conditions": [condition]})
    assert caught.value.path == path
