"""Server-side apply: what an apply takes away, and who disagrees with whom."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.meta import Obj
from swell.kube.errors import Conflict
from swell.local.apiserver.managed import merge_applied
from swell.local.apiserver.schema import compile_schema

SCHEMA = compile_schema(
    {
        "type": "object",
        "properties": {
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer"},
                    "free": {"type": "object", "additionalProperties": {"type": "string"}},
                    "whole": {"type": "array", "items": {"type": "string"}},
                    "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "parts": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "properties": {"name": {"type": "string"}, "a": {"type": "integer"}, "b": {}},
                        },
                    },
                },
            },
        },
    }
)
NEW: Obj = {"metadata": {}}


def wanted(**spec: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}


def applied(old: Obj, manager: str, want: Obj, *, force: bool = False, now: str = "t1") -> Obj:
    new, managed = merge_applied(SCHEMA, old, want, manager=manager, force=force, now=now)
    return {**new, "metadata": {**new["metadata"], "managedFields": managed}}


def test_what_a_manager_no_longer_wants_goes_unless_others_want_it() -> None:
    obj = applied(NEW, "me", wanted(size=1, free={"a": "1", "b": "2"}, set=["x", "y"], whole=["p"]))
    obj = applied(obj, "you", wanted(free={"b": "2"}))
    obj = applied(obj, "me", wanted(size=1, set=["y"]))
    assert obj["spec"] == {"size": 1, "free": {"b": "2"}, "set": ["y"]}


def test_what_nobody_applied_stays() -> None:
    obj = applied({"metadata": {}, "spec": {"size": 9, "whole": ["z"]}}, "me", wanted(free={"a": "1"}))
    obj = applied(obj, "me", wanted())
    assert obj["spec"] == {"size": 9, "whole": ["z"]}


def test_an_item_goes_whole_when_nobody_else_has_a_part_of_it() -> None:
    obj = applied(NEW, "me", wanted(parts=[{"name": "x", "a": 1}, {"name": "y", "a": 1}]))
    obj = applied(obj, "you", wanted(parts=[{"name": "y", "b": 2}]))
    obj = applied(obj, "me", wanted(parts=[]))
    assert obj["spec"]["parts"] == [{"name": "y", "b": 2}]


def test_a_part_of_an_item_goes_alone() -> None:
    obj = applied(NEW, "me", wanted(parts=[{"name": "x", "a": 1, "b": 2}]))
    obj = applied(obj, "me", wanted(parts=[{"name": "x", "b": 2}]))
    assert obj["spec"]["parts"] == [{"name": "x", "b": 2}]


def test_another_value_for_an_applied_field_is_a_conflict_that_names_it() -> None:
    obj = applied(NEW, "me", wanted(size=1, parts=[{"name": "x", "a": 1}]))
    with pytest.raises(Conflict) as caught:
        applied(obj, "you", wanted(size=2, parts=[{"name": "x", "a": 2}]))
    assert 'conflict with "me": .spec.size' in caught.value.message
    fields = [cause["field"] for cause in caught.value.details["causes"]]
    assert fields == ['.spec.parts[name="x"].a', ".spec.size"]


def test_the_same_value_is_shared() -> None:
    obj = applied(applied(NEW, "me", wanted(size=1)), "you", wanted(size=1))
    assert applied(obj, "me", wanted())["spec"] == {"size": 1}


def test_force_takes_the_field_over() -> None:
    obj = applied(applied(NEW, "me", wanted(size=1)), "you", wanted(size=2), force=True)
    assert obj["spec"] == {"size": 2}
    assert applied(obj, "you", wanted(size=3))["spec"] == {"size": 3}


def test_the_same_apply_again_changes_nothing() -> None:
    obj = applied(NEW, "me", wanted(size=1, parts=[{"name": "x", "a": 1}]), now="t1")
    assert applied(obj, "me", wanted(size=1, parts=[{"name": "x", "a": 1}]), now="t2") == obj


def test_the_owned_fields_are_written_as_clients_know_them() -> None:
    obj = applied(NEW, "me", wanted(size=1, parts=[{"name": "x"}], set=["v"]))
    (entry,) = obj["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["fieldsType"]) == ("me", "Apply", "FieldsV1")
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:parts": {'k:{"name":"x"}': {".": {}, "f:name": {}}},
            "f:set": {'v:"v"': {}},
            "f:size": {},
        }
    }


def test_a_map_that_was_applied_empty_does_not_take_along_what_others_put_into_it() -> None:
    obj = applied(NEW, "me", wanted(free={}))
    obj = applied(obj, "you", wanted(free={"a": "1"}))
    obj = applied(obj, "me", wanted(free={}))
    assert applied(obj, "me", wanted(size=1))["spec"] == {"free": {"a": "1"}, "size": 1}
