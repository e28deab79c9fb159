"""ConfigMap config-features (spec api 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from swell.api.settings import Features, Flag, SecurePodDefaults

NAME: Final = "config-features"
SECURE_POD_DEFAULTS: Final = "secure-pod-defaults"


def parse(data: Mapping[str, str]) -> Features:
    """Read the map. Values compare whatever their case; one that is no state keeps the flag's default."""
    states = {state.value.lower(): state for state in Flag}
    flags = {}
    for key, text in data.items():
        state = states.get(text.strip().lower())
        if state is not None and key not in (SECURE_POD_DEFAULTS, "_example"):
            flags[key] = state
    levels = {level.value.lower(): level for level in SecurePodDefaults}
    wanted = data.get(SECURE_POD_DEFAULTS, "").strip().lower()
    return Features(flags, levels.get(wanted, SecurePodDefaults.DISABLED))
