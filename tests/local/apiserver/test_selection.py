"""Label and field selectors as clients write them."""

from __future__ import annotations

import pytest

from swell.kube.errors import Invalid
from swell.local.apiserver.selection import exact_name, selector

POD = {"metadata": {"name": "one", "namespace": "n", "labels": {"a": "b", "n": "5"}}, "status": {"phase": "Running"}}
FIELDS = {"status.phase": ("status", "phase"), "spec.nodeName": ("spec", "nodeName")}
LABELS = [
    ("", True),
    ("a=b", True),
    ("a==b", True),
    ("a = b", True),
    ("a=c", False),
    ("a!=c", True),
    ("x!=c", True),
    ("a", True),
    ("x", False),
    ("!x", True),
    ("!a", False),
    ("a in (b, c)", True),
    ("a in (c)", False),
    ("a notin (c)", True),
    ("x notin (c)", True),
    ("x in (c)", False),
    ("a=b,n", True),
    ("a=b,x", False),
    ("a in (b,c),n in (5)", True),
    ("n>4", True),
    ("n<5", False),
    ("a>4", False),
    ("a=", False),
    ("swell.dev/x notin (1)", True),
]
FIELD_CASES = [
    ("metadata.name=one", True),
    ("metadata.name!=one", False),
    ("status.phase=Running", True),
    ("status.phase!=Running", False),
    ("spec.nodeName=", True),
    ("metadata.namespace=n,status.phase=Running", True),
    ("metadata.namespace=m,status.phase=Running", False),
]


@pytest.mark.parametrize(("text", "want"), LABELS)
def test_label_selector(text: str, want: bool) -> None:
    assert selector(text, "", FIELDS)(POD) is want


@pytest.mark.parametrize(("text", "want"), FIELD_CASES)
def test_field_selector(text: str, want: bool) -> None:
    assert selector("", text, FIELDS)(POD) is want


@pytest.mark.parametrize("text", ["a=b=c", "a in b", "=x", "a in (b", "a~b", "-a"])
def test_a_label_selector_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="unable to parse requirement"):
        selector(text, "", FIELDS)


@pytest.mark.parametrize("text", ["spec.other=1", "metadata.name"])
def test_a_field_selector_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        selector("", text, FIELDS)


def test_one_exact_name_is_a_look_up() -> None:
    assert exact_name("metadata.name=one") == "one"
    assert exact_name("metadata.name!=one") is None
    assert exact_name("metadata.name=one,status.phase=x") is None
