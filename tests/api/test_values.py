"""What counts as the same value, and how a difference is shown."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.values import DIFFERENCES_MAX, clone, diff, quantity, same


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"a": None}),
        ({}, {"a": ""}),
        ({}, {"a": []}),
        ({}, {"resources": {}}),
        ({}, {"resources": {"limits": {}}}),
        ({}, {"readOnly": False}),
        ({"readinessProbe": {}}, {"readinessProbe": {"initialDelaySeconds": 0}}),
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": 1}}),
        ({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1024Mi"}}),
    ],
)
def test_values_that_mean_the_same(old: Any, new: Any) -> None:
    assert same(old, new)
    assert same(new, old)
    assert diff(old, new) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"emptyDir": {}}),
        ({}, {"enableServiceLinks": False}),
        ({}, {"percent": 0}),
        ({"percent": 0}, {"percent": False}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}),
        ({"args": ["a"]}, {"args": ["a", "b"]}),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}),
        ({"env": [{"name": "A"}]}, {"env": [{"name": "A", "value": "1"}]}),
    ],
)
def test_values_that_differ(old: Any, new: Any) -> None:
    assert not same(old, new)
    assert not same(new, old)


def test_a_difference_is_shown_with_its_path() -> None:
    old = {"containers": [{"image": "a", "env": [{"name": "A"}]}]}
    new = {"containers": [{"image": "b", "env": [{"name": "A", "value": "1"}]}]}
    assert diff(old, new) == (
        'containers[0].image:\n\t-: "a"\n\t+: "b"\ncontainers[0].env[0].value:\n\t-: (absent)\n\t+: "1"'
    )


def test_only_the_first_differences_are_shown() -> None:
    old = {f"k{number:02}": 1 for number in range(30)}
    lines = diff(old, dict.fromkeys(old, 2)).splitlines()
    assert len(lines) == 3 * DIFFERENCES_MAX + 1
    assert lines[-1] == "..."


def test_a_clone_shares_nothing() -> None:
    value = {"a": [{"b": 1}]}
    copy = clone(value)
    copy["a"][0]["b"] = 2
    assert value == {"a": [{"b": 1}]}


@pytest.mark.parametrize(
    ("text", "number"), [("250m", "0.25"), ("1k", "1000"), ("1Ki", "1024"), ("1e3", "1000"), ("1E", "1e18"), (2, "2")]
)
def test_quantities(text: str | int, number: str) -> None:
    assert quantity(text) == quantity(number)


@pytest.mark.parametrize("text", ["", "m", "five", "5GB"])
def test_what_is_no_quantity(text: str) -> None:
    assert quantity(text) is None
