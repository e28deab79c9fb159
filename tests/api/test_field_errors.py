"""How faults read: messages, paths, several at once (spec api 4.1)."""

from __future__ import annotations

import pytest

from swell.api import fields
from swell.api.field_errors import (
    FieldError,
    disallowed,
    invalid_key,
    invalid_value,
    join,
    merge,
    missing,
    neither,
    out_of_bounds,
    render,
    several,
)
from swell.api.naming_template import TemplateError, render_name
from swell.api.naming_template import render as render_template


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (missing("a", "b"), "missing field(s): a, b"),
        (disallowed("a"), "must not set the field(s): a"),
        (invalid_value("x", "a"), "invalid value: x: a"),
        (invalid_value("x", "a", "because"), "invalid value: x: a\nbecause"),
        (out_of_bounds(601, 0, 600, "a"), "expected 0 <= 601 <= 600: a"),
        (neither("a", "b"), "expected exactly one, got neither: a, b"),
        (several("a", "b"), "expected exactly one, got both: a, b"),
        (invalid_key("k", "a"), 'invalid key name "k": a'),
        (
            FieldError("multi-container is off, but found 2 containers"),
            "multi-container is off, but found 2 containers: ",
        ),
    ],
)
def test_each_kind_of_fault_reads_as_the_reference_says_it(error: FieldError, text: str) -> None:
    assert render([error]) == text


def test_faults_alike_merge_their_paths_and_all_are_sorted() -> None:
    errors = [
        missing("z"),
        disallowed("b"),
        missing("a", "z"),
        invalid_value("x", "p", "2"),
        invalid_value("x", "p", "1"),
    ]
    assert render(errors) == (
        "invalid value: x: p\n1\ninvalid value: x: p\n2\nmissing field(s): a, z\nmust not set the field(s): b"
    )


def test_a_warning_stays_apart_from_a_refusal() -> None:
    kinds = [error.warning for error in merge([FieldError("m", ("a",)), FieldError("m", ("b",), warning=True)])]
    assert kinds == [False, True]


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("spec", "a"), "spec.a"),
        (("spec", "", "a"), "spec.a"),
        (("containers", "[0]", "image"), "containers[0].image"),
        (("annotations", "[key]"), "annotations[key]"),
        (("metadata.annotations", "[a.b/c]"), "metadata.annotations.[a.b/c]"),
    ],
)
def test_paths_join(parts: tuple[str, ...], path: str) -> None:
    assert join(*parts) == path


@pytest.mark.parametrize(
    ("read", "value", "allowed"),
    [
        (fields.text, 1, "a string"),
        (fields.integer, "1", "a whole number"),
        (fields.integer, True, "a whole number"),
        (fields.integer, 1.5, "a whole number"),
        (fields.boolean, "true", "true or false"),
        (fields.mapping, [], "an object"),
        (fields.strings, {"k": 1}, "a string"),
        (fields.array, {}, "an array"),
        (fields.objects, [1], "an object"),
    ],
)
def test_a_field_of_the_wrong_type_names_path_found_and_allowed(read: object, value: object, allowed: str) -> None:
    with pytest.raises(fields.Malformed) as caught:
        read({"key": value}, "key", "spec")  # type: ignore[operator]
    assert caught.value.path.startswith("spec.key")
    assert caught.value.allowed == allowed
    assert fields.json_type(caught.value.found) in str(caught.value)


def test_absent_and_null_fields_are_empty() -> None:
    for obj in ({}, {"key": None}):
        assert fields.text(obj, "key") == ""
        assert fields.integer(obj, "key") is None
        assert fields.boolean(obj, "key") is None
        assert fields.mapping(obj, "key") == {}
        assert fields.objects(obj, "key") == []
    assert fields.integer({"key": 2.0}, "key") == 2


def test_name_templates() -> None:
    metadata = {"name": "hello", "namespace": "ns", "uid": "u", "labels": {"app": "x", "a.b/c": "y"}}
    assert render_name("{{.Name}}-{{ .Namespace }}", metadata) == "hello-ns"
    assert render_name('{{.Labels.app}}{{index .Labels "a.b/c"}}{{.Labels.none}}', metadata) == "xy"
    assert render_name("user-container{{.UID}}", {}) == "user-container"


@pytest.mark.parametrize("template", ["{{.Nope}}", "{{.Name.x}}", "{{.Labels}}", "{{if .Name}}", '{{index .Name "a"}}'])
def test_a_template_that_cannot_be_rendered_says_what_can(template: str) -> None:
    with pytest.raises(TemplateError, match="found"):
        render_template(template, {"Name": "n", "Labels": {}})
