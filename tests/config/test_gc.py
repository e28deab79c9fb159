"""ConfigMap config-gc."""

from __future__ import annotations

import pytest

from swell.config.gc import GcConfig, parse
from swell.runtime.errors import SettingsError


def test_stock_values() -> None:
    assert parse({"_example": "anything"}) == GcConfig(48 * 3600.0, 15 * 3600.0, 20, 1000)


def test_limits_may_be_set_or_turned_off() -> None:
    data = {
        "retain-since-create-time": "disabled",
        "retain-since-last-active-time": "90m",
        "min-non-active-revisions": "0",
        "max-non-active-revisions": "Disabled",
    }
    assert parse(data) == GcConfig(None, 5400.0, 0, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retain-since-create-time", "2 days"),
        ("retain-since-last-active-time", "-1h"),
        ("min-non-active-revisions", "-1"),
        ("max-non-active-revisions", "19"),
    ],
)
def test_a_bad_value_is_refused_by_its_key(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"config-gc: {key}"):
        parse({key: value})
