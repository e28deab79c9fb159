"""Keys of ConfigMaps and Secrets, as a real API server takes them."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP, SECRET, Kind
from swell.kube.errors import Invalid
from swell.local.apiserver.checks import key_faults


@pytest.mark.parametrize("kind", [CONFIG_MAP, SECRET], ids=str)
def test_a_key_with_a_slash_is_refused(api: Any, kind: Kind) -> None:
    wrong = {"metadata": {"name": "m", "namespace": "default"}, "data": {"example.com/key": "eA=="}}
    with pytest.raises(Invalid, match=r"data\[example\.com/key\]: Invalid value.*a valid config key must consist of"):
        api.create(kind, wrong)
    api.create(kind, {**wrong, "data": {"example.com_key.1": "eA=="}})


def test_a_key_that_was_stored_before_does_not_block_other_changes() -> None:
    old = {"data": {"example.com/key": "x"}}
    assert key_faults({"data": {"example.com/key": "y", "other": "z"}}, old) == []
