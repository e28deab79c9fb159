"""Which pod takes the next request: spec dataplane 2.4."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from activator.balance.choose import Policy, policy_for
from activator.balance.subset import assigned


@dataclass
class Pod:
    name: str
    limit: int = 0
    running: int = 0


def pods(names: str, limit: int = 0) -> list[Pod]:
    return [Pod(name, limit) for name in names]


def take(policy: Policy[Pod], among: list[Pod]) -> str:
    pod = policy(among)
    if pod is None:
        return "-"
    pod.running += 1
    return pod.name


def policy(container_concurrency: int) -> Policy[Pod]:
    return policy_for(container_concurrency, random.Random(7).random)


def test_case_16_without_a_limit_two_pods_get_one_request_each() -> None:
    for _ in range(20):
        among = pods("AB")
        choose = policy(0)
        assert {take(choose, among), take(choose, among)} == {"A", "B"}


def test_without_a_limit_a_tie_is_a_coins_toss() -> None:
    choose = policy(0)
    names = [pod.name for _ in range(1000) if (pod := choose(pods("AB"))) is not None]
    assert 400 < names.count("A") < 600


def test_without_a_limit_the_less_busy_of_two_distinct_pods_is_taken() -> None:
    among = pods("ABC")
    among[0].running = 9
    choose = policy(0)
    assert all((pod := choose(among)) is not None and pod.name != "A" for _ in range(200))


def test_case_17_up_to_three_slots_pods_are_filled_one_after_another() -> None:
    among = pods("AB", limit=2)
    choose = policy(2)
    assert "".join(take(choose, among) for _ in range(5)) == "AABB-"
    among[0].running = 1
    assert take(choose, among) == "A"


def test_case_18_above_three_slots_pods_take_turns() -> None:
    among = pods("ABC", limit=10)
    choose = policy(10)
    seen = ""
    for _ in range(6):
        seen += take(choose, among)
        among["ABC".index(seen[-1])].running = 0
    assert seen == "ABCABC"


def test_the_turn_skips_full_pods_and_starts_over_when_the_list_shrinks() -> None:
    choose = policy(4)
    among = pods("ABCD", limit=4)
    among[1].running = 4
    assert "".join(take(choose, among) for _ in range(3)) == "ACD"
    assert take(choose, pods("AB", limit=4)) == "A"


@pytest.mark.parametrize("container_concurrency", [0, 1, 3, 4, 100])
def test_without_pods_nothing_is_chosen(container_concurrency: int) -> None:
    assert policy(container_concurrency)([]) is None


CASES = [
    # pods, activators, index -> the pods of that activator
    ("01234", 2, 0, "014"),
    ("01234", 2, 1, "23"),
    ("012", 2, 0, "02"),
    ("012", 2, 1, "1"),
    ("01234", 1, 0, "01234"),
    ("01234", 3, -1, "01234"),
    ("0", 3, 2, "0"),
    ("", 3, 2, ""),
    ("012", 5, 0, "0"),
    ("012", 5, 4, "1"),
]


@pytest.mark.parametrize(("names", "count", "index", "want"), CASES)
def test_pods_are_shared_between_activators(names: str, count: int, index: int, want: str) -> None:
    assert "".join(assigned(names, index, count)) == want


def test_case_20_two_activators_have_disjoint_pods_and_together_all() -> None:
    first, second = assigned("01234", 0, 2), assigned("01234", 1, 2)
    assert (len(first), len(second)) == (3, 2)
    assert sorted(first + second) == list("01234")


def test_case_21_more_activators_than_pods_take_one_pod_each() -> None:
    assert [assigned("012", index, 5) for index in range(5)] == [["0"], ["1"], ["2"], ["0"], ["1"]]
