"""The keys of ConfigMap config-autoscaler that are about policies (docs/policy.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from swell.api.policies import NONE
from swell.config.reading import Reader

POLICIES_MAX: Final = 8
TIMEOUT_MIN_S: Final = 0.01
TIMEOUT_MAX_S: Final = 10.0

_POLICIES: Final = "swell.policies"
_POLICY: Final = "swell.policy"
_MODE: Final = "swell.policy-mode"
_TIMEOUT: Final = "swell.policy-timeout"
_ENTRY = re.compile(r"(?P<name>[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)(?:=(?P<where>/[^\s,:]+\.py:[A-Za-z_]\w*))?", re.A)


class PolicyMode(Enum):
    """What becomes of a policy's answers."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """`loaded`: by name, `FILE:CLASS`, or "" for the entry point of that name. `default`: the policy of revisions that
    name none, "" for none. `timeout_s`: how long a policy may take for all that it is asked about at a time.
    """

    loaded: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    mode: PolicyMode = PolicyMode.OFF
    timeout_s: float = 0.5


def read_policies(reader: Reader) -> PolicyConfig:
    """What the map says. Raises `SettingsError` at the first bad value."""
    loaded: dict[str, str] = {}
    for entry in filter(None, re.split(r"[\s,]+", reader.text(_POLICIES, ""))):
        found = _ENTRY.fullmatch(entry)
        if found is None or found["name"] == NONE or found["name"] in loaded:
            allowed = "names, each once, of entry points in group swell.policies, or NAME=/FOLDER/FILE.py:CLASS"
            reader.refuse(_POLICIES, f"{allowed}; commas or spaces between", entry)
        loaded[found["name"]] = found["where"] or ""
    reader.check(len(loaded) <= POLICIES_MAX, _POLICIES, f"at most {POLICIES_MAX} policies", len(loaded))
    default = reader.text(_POLICY, "")
    reader.check(default in ("", *loaded), _POLICY, f"one of {_POLICIES}, or nothing: {', '.join(loaded) or 'none'}")
    timeout_s = reader.duration_s(_TIMEOUT, 0.5)
    reader.check(TIMEOUT_MIN_S <= timeout_s <= TIMEOUT_MAX_S, _TIMEOUT, "10ms to 10s")
    mode = PolicyMode(reader.choice(_MODE, PolicyMode.OFF.value, tuple(each.value for each in PolicyMode)))
    return PolicyConfig(loaded, default, mode, timeout_s)
