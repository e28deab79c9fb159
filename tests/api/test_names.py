"""Legal names, and names of children."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.api.names import (
    child_name,
    dns1035_faults,
    dns1035_prefix_faults,
    dns1123_label_faults,
    is_dns1035,
    is_dns1123_label,
    is_dns1123_subdomain,
)


def test_case_20_long_names_are_shortened_by_a_hash() -> None:
    assert child_name("a" * 60, "-00001") == "a" * 25 + "cc7ed669cf88f201c3297c6a91e1d18d-00001"
    assert child_name("b" * 55, "-deployment") == "b" * 20 + "73979428bc0de15c39d14ae331b35295-deployment"


def test_autoscaling_case_90_private_names() -> None:
    assert child_name("foo", "-private") == "foo-private"
    assert child_name("f" * 55, "-private") == "f" * 55 + "-private"
    assert child_name("f" * 63, "-private") == "f" * 23 + "105d7597f637e83cc711605ac3ea4957-private"


@given(
    st.from_regex(r"[a-z][-a-z0-9]{0,80}[a-z0-9]", fullmatch=True), st.from_regex(r"-[a-z0-9]{1,60}", fullmatch=True)
)
def test_a_childs_name_fits_a_label_and_ends_well(parent: str, suffix: str) -> None:
    name = child_name(parent, suffix)
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert name == parent + suffix or len(parent) + len(suffix) > 63


@pytest.mark.parametrize("name", ["a", "hello-1", "a" * 63])
def test_labels_that_services_may_have(name: str) -> None:
    assert is_dns1035(name)
    assert is_dns1123_label(name)


@pytest.mark.parametrize("name", ["", "1a", "-a", "a-", "A", "a.b", "a_b", "ä", "a\n"])
def test_labels_that_they_may_not(name: str) -> None:
    assert not is_dns1035(name)


def test_every_reason_is_given() -> None:
    faults = dns1035_faults("A" * 64)
    assert faults[0] == "must be no more than 63 characters"
    assert faults[1].startswith("a DNS-1035 label must consist of")


def test_a_prefix_may_end_with_a_dash_and_a_label_with_dots_is_told_so() -> None:
    assert dns1035_prefix_faults("svc-") == []
    assert dns1035_prefix_faults("Svc-") != []
    assert dns1123_label_faults("a.b") == ["must not contain dots"]
    assert is_dns1123_subdomain("a.b-c.1")
    assert not is_dns1123_subdomain("a..b")
