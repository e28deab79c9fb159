"""Structural schemas: pruning, defaults, faults; and the built-in types."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.kinds import CUSTOM_RESOURCE_DEFINITION
from swell.local.apiserver.builtins import ROWS
from swell.local.apiserver.schema import FAULTS_MAX, compile_schema, faults_of, fill_defaults, prune
from swell.local.apiserver.types import REFERENCE, Types

TYPES = Types()
SCHEMA = compile_schema(
    {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
            "count": {"type": "integer", "default": 3, "maximum": 9},
            "ratio": {"type": "number"},
            "port": {"x-kubernetes-int-or-string": True},
            "maybe": {"type": "string", "nullable": True},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "list": {
                "type": "array",
                "maxItems": 2,
                "items": {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}},
            },
            "nested": {"type": "object", "properties": {"b": {"type": "boolean", "default": True}}},
            "template": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"spec": {"type": "object"}},
            },
        },
    }
)


@pytest.mark.parametrize(
    ("value", "want", "unknown"),
    [
        ({"name": "ab", "x": 1}, {"name": "ab"}, ["x"]),
        ({"labels": {"any": "thing"}}, {"labels": {"any": "thing"}}, []),
        ({"free": {"a": {"b": [1]}}}, {"free": {"a": {"b": [1]}}}, []),
        ({"list": [{"a": 1}, {"b": 2}]}, {"list": [{"a": 1}, {}]}, ["list[1].b"]),
        ({"nested": {"c": {"d": 1}}}, {"nested": {}}, ["nested.c"]),
        ({"count": None, "maybe": None}, {"maybe": None}, []),
        (
            {"template": {"kind": "X", "apiVersion": "v1", "what": 1}},
            {"template": {"kind": "X", "apiVersion": "v1"}},
            ["template.what"],
        ),
    ],
)
def test_fields_that_are_not_known_go_and_are_named(value: Any, want: Any, unknown: list[str]) -> None:
    assert prune(SCHEMA, value) == unknown
    assert value == want


def test_defaults_fill_in_where_their_parent_is_there() -> None:
    value: Any = {"list": [{}, {"a": 5}], "nested": {}}
    fill_defaults(SCHEMA, value)
    assert value == {"list": [{"a": 1}, {"a": 5}], "nested": {"b": True}, "count": 3}
    other: Any = {}
    fill_defaults(SCHEMA, other)
    assert other == {"count": 3}


@pytest.mark.parametrize(
    ("value", "path", "told"),
    [
        ({}, "name", "Required value"),
        ({"name": 1}, "name", "must be of type string"),
        ({"name": "a"}, "name", "at least 2 chars long"),
        ({"name": "abcde"}, "name", "at most 4 chars long"),
        ({"name": "AB"}, "name", "should match"),
        ({"name": "ab", "count": True}, "count", "must be of type integer"),
        ({"name": "ab", "count": 1.5}, "count", "must be of type integer"),
        ({"name": "ab", "count": 10}, "count", "less than or equal to 9"),
        ({"name": "ab", "port": 1.5}, "port", "must be of type integer,string"),
        ({"name": "ab", "labels": {"x": 1}}, "labels.x", "must be of type string"),
        ({"name": "ab", "list": {}}, "list", "must be of type array"),
        ({"name": "ab", "list": [{}, {}, {}]}, "list", "at most 2 items"),
        ({"name": "ab", "list": [{"a": "x"}]}, "list[0].a", "must be of type integer"),
    ],
)
def test_a_fault_names_the_field_and_the_reason(value: Any, path: str, told: str) -> None:
    (fault,) = faults_of(SCHEMA, value, "")
    assert fault.path == path
    assert told in fault.message


@pytest.mark.parametrize(
    "value", [{"name": "ab", "port": 1}, {"name": "ab", "port": "http"}, {"name": "ab", "ratio": 1}]
)
def test_values_that_fit(value: Any) -> None:
    assert faults_of(SCHEMA, value, "") == []


def test_only_the_first_faults_are_told() -> None:
    labels = {f"k{number}": number for number in range(FAULTS_MAX + 5)}
    assert len(faults_of(SCHEMA, {"name": "ab", "labels": labels}, "")) == FAULTS_MAX


def test_what_has_not_changed_is_not_looked_at_again() -> None:
    seen = {"b": "wrong"}
    assert faults_of(SCHEMA, {"name": "ab", "nested": seen}, "", {"nested": seen}) == []
    assert prune(SCHEMA, {"nested": seen}, "", {"nested": seen}) == []


@pytest.mark.parametrize("kind", ROWS, ids=str)
def test_every_built_in_kind_has_a_type_whose_parts_are_all_there(kind: Any) -> None:
    for name in TYPES.closure(kind.kind):
        component = TYPES.component(name)
        references = str(component).split(REFERENCE)[1:]
        assert all(TYPES.has(reference.split("'")[0]) for reference in references)
    if kind != CUSTOM_RESOURCE_DEFINITION:
        assert TYPES.schema(kind.kind).properties
