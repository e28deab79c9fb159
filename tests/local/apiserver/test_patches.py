"""Merge patch and JSON patch, by the examples of RFC 7386 and RFC 6902."""

from __future__ import annotations

from typing import Any

import pytest

from swell.kube.errors import Invalid
from swell.local.apiserver.patches import json_patch, merge

MERGES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
]
OPERATIONS = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
    ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"a/b": 1}, [{"op": "replace", "path": "/a~1b", "value": 2}], {"a/b": 2}),
]
REFUSED = [
    [{"op": "remove", "path": "/nothing"}],
    [{"op": "replace", "path": "/nothing", "value": 1}],
    [{"op": "test", "path": "/a", "value": 2}],
    [{"op": "add", "path": "/a/b/c", "value": 1}],
    [{"op": "add", "path": "no-slash", "value": 1}],
    [{"op": "what", "path": "/a"}],
    [{"path": "/a"}],
    {"op": "add"},
]


@pytest.mark.parametrize(("target", "patch", "want"), MERGES)
def test_merge_patch(target: Any, patch: Any, want: Any) -> None:
    assert merge(target, patch) == want


@pytest.mark.parametrize(("target", "operations", "want"), OPERATIONS)
def test_json_patch(target: Any, operations: Any, want: Any) -> None:
    assert json_patch(target, operations) == want


@pytest.mark.parametrize("operations", REFUSED)
def test_a_json_patch_that_does_not_fit_is_refused_and_changes_nothing(operations: Any) -> None:
    target = {"a": 1}
    with pytest.raises(Invalid):
        json_patch(target, operations)
    assert target == {"a": 1}
