"""What the patch says is what an API server makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.webhook.jsonpatch import difference
from swell.local.apiserver.patches import json_patch

PLAIN = st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab~/0", max_size=3)
DOCUMENT = st.dictionaries(
    st.text("ab~/01", max_size=3),
    st.recursive(PLAIN, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text("a~/1", max_size=2), each)),
    max_size=4,
)


def is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


@given(DOCUMENT, DOCUMENT)
def test_applied_to_the_old_it_gives_the_new(old: Any, new: Any) -> None:
    patch = difference(old, new)
    assert is_same(json_patch(old, patch), new)
    assert (patch == []) is is_same(old, new)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ({"a": 1}, {"a": 1, "x/y~z": 2}, [{"op": "add", "path": "/x~1y~0z", "value": 2}]),
        ({"~1": 1}, {}, [{"op": "remove", "path": "/~01"}]),
        ({"a": [{"b": 1}, 2]}, {"a": [{"b": 3}, 2]}, [{"op": "replace", "path": "/a/0/b", "value": 3}]),
        ({"a": [1]}, {"a": [1, 2]}, [{"op": "replace", "path": "/a", "value": [1, 2]}]),
        ({"a": 1}, {"a": True}, [{"op": "replace", "path": "/a", "value": True}]),
    ],
)
def test_it_names_only_what_differs(old: Any, new: Any, wanted: Any) -> None:
    assert difference(old, new) == wanted
