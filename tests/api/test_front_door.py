"""Annotations that the front door acts on: what is read, what is refused, and with which words."""

from __future__ import annotations

import pytest

from swell.api import labels
from swell.api.field_errors import render
from swell.api.front_door import PATHS_MAX, FrontDoorRules, front_door_faults, misplaced_faults, read_rules


def test_rules_are_read_from_annotations() -> None:
    assert read_rules({}) == FrontDoorRules(False, (), 0)
    annotations = {
        labels.COLD_START_PAGE: "true",
        labels.NO_WAKE_PATHS: "/favicon.ico, /probes/*,/a%20b",
        labels.BODY_BYTES_MAX: "1.5Ki",
    }
    assert front_door_faults(annotations, "metadata.annotations") == []
    assert read_rules(annotations) == FrontDoorRules(True, ("/favicon.ico", "/probes/*", "/a%20b"), 1536)
    assert not read_rules({labels.COLD_START_PAGE: "false"}).cold_start_page


BAD = {
    labels.COLD_START_PAGE: ("yes", ""),
    labels.NO_WAKE_PATHS: (
        *("", "favicon.ico", "/a,,/b", "/*/b", "/a?b", "/a b", "/ä", "/a#b", "/a\0", "/a\nb", "/a**"),
        "/" + "x" * 256,
        ",".join(["/a"] * (PATHS_MAX + 1)),
    ),
    labels.BODY_BYTES_MAX: ("", "0", "-1", "10 MB", "0.5", "100m", "1e400x"),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_what_cannot_be_read_is_refused_and_where_it_is_not_counts_as_absent(key: str, value: str) -> None:
    told = render(front_door_faults({key: value}, "spec.template.metadata.annotations"))
    assert told.startswith(f"invalid value: {value}: spec.template.metadata.annotations.{key}\n")
    assert read_rules({key: value}) == FrontDoorRules()


def test_the_fault_says_what_is_allowed() -> None:
    told = render(front_door_faults({labels.NO_WAKE_PATHS: "/ok,health"}, "metadata.annotations"))
    assert told.splitlines()[1].startswith('"health" must be a path as requests have it, such as /favicon.ico')
    assert "true or false" in render(front_door_faults({labels.COLD_START_PAGE: "on"}, ""))
    assert "such as 1048576 or 1Mi" in render(front_door_faults({labels.BODY_BYTES_MAX: "many"}, ""))


def test_outside_the_template_they_are_refused_as_they_would_do_nothing() -> None:
    told = render(misplaced_faults({labels.COLD_START_PAGE: "true", "other": "x"}, "metadata.annotations"))
    assert told == (
        'invalid key name "swell.dev/cold-start-page": metadata.annotations\n'
        'annotations for the front door must be put under "spec.template.metadata.annotations" to work'
    )
