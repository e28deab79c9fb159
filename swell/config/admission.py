"""The settings of admission, out of the ConfigMaps that hold them."""

from __future__ import annotations

from collections.abc import Mapping

from swell.api.settings import ApiSettings
from swell.config import autoscaler, defaults, features


def parse(maps: Mapping[str, Mapping[str, str]]) -> ApiSettings:
    """From the data of ConfigMaps by name; absent maps give stock values. Raises `SettingsError`."""
    return ApiSettings(
        defaults=defaults.parse(maps.get(defaults.NAME, {})),
        autoscaler=autoscaler.parse(maps.get(autoscaler.NAME, {})).limits,
        features=features.parse(maps.get(features.NAME, {})),
    )
