"""Durations, numbers, timestamps and images as people and machines spell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.api.durations import format_duration, parse_duration, parse_nanoseconds
from swell.api.image_reference import is_image_reference
from swell.api.meta import parse_rfc3339, rfc3339
from swell.api.numbers import boolean, duration_ns, float64, int32, is_quantity, show_float, whole


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0.0), ("90s", 90.0), ("1h0m0s", 3600.0), ("1.5h", 5400.0), ("2m33.5s", 153.5), ("250ms", 0.25)),
        *(("-5s", -5.0), ("+5s", 5.0), ("10us", 1e-5), ("10µs", 1e-5), ("1ns", 1e-9), (".5s", 0.5), ("1.s", 1.0)),
    ],
)
def test_durations_that_are_understood(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "1d", "1h-5m", "--5s", "1e3s", "٣s", "9999999999h"])
def test_durations_that_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write it like 90s"):
        parse_duration(text)
    assert duration_ns(text) is None


@given(st.integers(0, 10**15))
def test_a_duration_reads_back_as_it_was_written(ns: int) -> None:
    microseconds = ns // 1000 * 1000
    assert parse_nanoseconds(format_duration(microseconds / 1e9)) == microseconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (3600, "1h0m0s"), (1.5, "1.5s"), (0.25, "250ms"), (-61, "-1m1s"), (1e-6, "1µs")]
)
def test_durations_print_as_go_prints_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_numbers_follow_gos_syntax() -> None:
    assert [whole(text) for text in ("5", "+5", "-5", " 5", "5.0", "٣", "")] == [5, 5, -5, None, None, None, None]
    assert [int32(text) for text in ("2147483647", "2147483648", "-2147483648")] == [2147483647, None, -2147483648]
    assert [float64(text) for text in ("1.5", ".5", "1e3", "1e999", "inf", "nan", "1_0")] == [
        *(1.5, 0.5, 1000.0),
        *(None, None, None, None),
    ]
    assert [boolean(text) for text in ("true", "T", "1", "false", "F", "0", "yes", "")] == [
        *(True, True, True, False, False, False),
        *(None, None),
    ]
    assert [is_quantity(text) for text in ("250m", "1.5Gi", "1e3", "5", "5GB", "Gi", "")] == [
        *(True, True, True, True),
        *(False, False, False),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(100.0, "100"), (0.05, "0.05"), (1234567.0, "1.234567e+06"), (0.00001, "1e-05"), (-2.5, "-2.5"), (0.0, "0")],
)
def test_floats_print_as_go_prints_them(value: float, text: str) -> None:
    assert show_float(value) == text


def test_timestamps() -> None:
    assert rfc3339(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert parse_rfc3339("2023-11-14T22:13:20Z") == 1_700_000_000.0
    assert parse_rfc3339("2023-11-15T00:13:20.5+02:00") == 1_700_000_000.5
    with pytest.raises(ValueError, match="such as 2026-08-21T09:30:00Z"):
        parse_rfc3339("2023-11-14")


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hello",
            "e2e-app",
            "library/hello:1.0",
            "Registry.io/hello",
            "localhost:5000/hello",
            "localhost:5000/hello:v1",
            "r.io/a/b_c.d:T-1",
        ),
        *(f"hello@{DIGEST}", f"r.io:443/hello:v1@{DIGEST}"),
    ],
)
def test_images_that_can_be_named(text: str) -> None:
    assert is_image_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "Hello", "Library/hello", "hello:", "a:b:c", "hello world", "hello:v 1", "r.io/", f"@{DIGEST}"),
        *("hello@sha256:00", f"hello@md5:{'0' * 32}", f"hello@{DIGEST}@{DIGEST}", "hello:" + "v" * 128),
    ],
)
def test_images_that_cannot(text: str) -> None:
    assert not is_image_reference(text)
