"""Paths of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from swell.local.apiserver.jsonpath import BadPath, compile_path

OBJ = {
    "metadata": {"name": "x", "labels": {"a.b/c": "label"}},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
        "list": [1, 2, 3],
    },
}


@pytest.mark.parametrize(
    ("path", "want"),
    [
        (".metadata.name", ["x"]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Never')].status", []),
        (".status.conditions[*].type", ["Ready", "Other"]),
        (".status.list[1]", [2]),
        (".status.list[9]", []),
        (".metadata.labels['a\\.b/c']", ["label"]),
        (".nothing.at.all", []),
    ],
)
def test_a_path_finds(path: str, want: list[Any]) -> None:
    assert compile_path(path)(OBJ) == want


@pytest.mark.parametrize("path", [".a[", ".a[?(@.b)]x", "..", ".a[?(@.b=1"])
def test_a_path_that_is_not_understood_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        compile_path(path)
