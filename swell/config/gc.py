"""ConfigMap config-gc: how long revisions without traffic are kept (spec api 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.config.reading import Reader

NAME: Final = "config-gc"
DISABLED: Final = "disabled"


@dataclass(frozen=True, slots=True)
class GcConfig:
    """Which revisions may go. `_s` are seconds; None means that the limit is off.

    `min` and `max` count revisions of one Configuration that get no traffic.
    """

    retain_since_create_s: float | None = 48 * 3600.0
    retain_since_last_active_s: float | None = 15 * 3600.0
    non_active_min: int = 20
    non_active_max: int | None = 1000


def parse(data: Mapping[str, str]) -> GcConfig:
    """Read the map; unknown keys are ignored. Raises `SettingsError` at the first bad value."""
    reader = Reader(NAME, data)
    stock = GcConfig()
    most = None if _off(reader, "max-non-active-revisions") else reader.integer("max-non-active-revisions", 1000)
    config = GcConfig(
        retain_since_create_s=_duration_s(reader, "retain-since-create-time", stock.retain_since_create_s),
        retain_since_last_active_s=_duration_s(
            reader, "retain-since-last-active-time", stock.retain_since_last_active_s
        ),
        non_active_min=reader.integer("min-non-active-revisions", stock.non_active_min),
        non_active_max=most,
    )
    least = config.non_active_min
    reader.check(least >= 0, "min-non-active-revisions", "0 or more")
    allowed = f"{DISABLED}, or at least min-non-active-revisions, which is {least}"
    reader.check(most is None or most >= least, "max-non-active-revisions", allowed, most)
    return config


def _off(reader: Reader, key: str) -> bool:
    return reader.text(key, "").lower() == DISABLED


def _duration_s(reader: Reader, key: str, default_s: float | None) -> float | None:
    if _off(reader, key):
        return None
    found_s = reader.duration_s(key, default_s or 0.0)
    reader.check(found_s >= 0, key, f"{DISABLED}, or a duration of 0s or more such as 48h")
    return found_s
