"""The deletion cost of a pod as Kubernetes reads it."""

from __future__ import annotations

import pytest

from swell.api.pod_cost import DELETION_COST, deletion_cost


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("0", 0),
        ("10", 10),
        ("-10", -10),
        ("2147483647", 2147483647),
        ("-2147483648", -2147483648),
        ("2147483648", 0),
        ("+10", 0),
        ("008", 0),
        ("1_0", 0),
        (" 1", 0),
        ("much", 0),
        ("", 0),
    ],
)
def test_what_is_no_32_bit_number_in_plain_digits_costs_nothing(text: str, cost: int) -> None:
    assert deletion_cost({"metadata": {"annotations": {DELETION_COST: text}}}) == cost


def test_a_pod_without_it_costs_nothing() -> None:
    assert deletion_cost({"metadata": {}}) == 0
