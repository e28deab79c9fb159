"""Annotation swell.dev/policy: which of the operator's policies a revision is under (docs/policy.md). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from swell.api import labels
from swell.api.field_errors import FieldError, invalid_value, join

NONE: Final = "none"
"""The revision is under no policy, whatever the cluster's is."""


def policy_faults(annotations: Mapping[str, str], path: str, policies: Collection[str]) -> list[FieldError]:
    """The fault of a name that is none of `policies`; `path` is where the annotations are."""
    name = annotations.get(labels.POLICY, NONE)
    if name == NONE or name in policies:
        return []
    details = f"policies that the operator has loaded: {', '.join(policies) or 'none'}; {NONE} for no policy"
    return [invalid_value(name, join(path, labels.POLICY), details)]
