"""ConfigMap config-leader-election."""

from __future__ import annotations

import pytest

from swell.config.admission import PARSERS
from swell.config.leader_election import NAME, LeaderElectionConfig, parse
from swell.runtime.errors import SettingsError


def test_one_bucket_unless_said_otherwise() -> None:
    assert parse({"_example": "anything", "lease-duration": "60s"}) == LeaderElectionConfig(1)
    assert parse({"buckets": "10"}) == LeaderElectionConfig(10)


@pytest.mark.parametrize("value", ["0", "11", "-1", "2.5", "two", ""])
def test_a_bad_number_of_buckets_is_refused_by_its_key(value: str) -> None:
    with pytest.raises(SettingsError, match="config-leader-election: buckets"):
        parse({"buckets": value})


def test_admission_looks_at_it() -> None:
    assert PARSERS[NAME] is parse
