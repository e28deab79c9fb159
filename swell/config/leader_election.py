"""ConfigMap config-leader-election (spec autoscaling 7.1): among how many owners the revisions are divided.

The durations of elections, which the reference reads here too, are fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.api.buckets import BUCKETS_MAX
from swell.config.reading import Reader

NAME: Final = "config-leader-election"


@dataclass(frozen=True, slots=True)
class LeaderElectionConfig:
    """`buckets`: each has a Lease of its own, and an autoscaler that holds it."""

    buckets: int = 1


def parse(data: Mapping[str, str]) -> LeaderElectionConfig:
    """Read the map; unknown keys are ignored. Raises `SettingsError` at the first bad value."""
    reader = Reader(NAME, data)
    buckets = reader.integer("buckets", 1)
    reader.check(1 <= buckets <= BUCKETS_MAX, "buckets", f"1 to {BUCKETS_MAX}")
    return LeaderElectionConfig(buckets)
