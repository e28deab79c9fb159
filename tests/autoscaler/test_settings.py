"""Settings from the environment."""

from __future__ import annotations

import pytest

from autoscaler.settings import Settings
from swell.runtime.errors import SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.parse({}) == Settings(admin_port=9090)
    assert (Settings().port, Settings().system_namespace, Settings().leader_election) == (8080, "swell-system", False)


def test_all_settings_can_be_given() -> None:
    environ = {
        "SYSTEM_NAMESPACE": "knative",
        "SWELL_LISTEN_IP": "127.0.0.1",
        "SWELL_AUTOSCALER_PORT": "0",
        "SWELL_LEADER_ELECTION": "True",
        "POD_NAME": "autoscaler-1",
        "POD_IP": "10.0.0.1",
        "SWELL_ADMIN_PORT": "0",
        "SWELL_PACE_STARTS": "true",
    }
    assert Settings.parse(environ) == Settings("knative", "127.0.0.1", 0, True, "autoscaler-1", "10.0.0.1", 0, True)


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"SWELL_AUTOSCALER_PORT": "65536"}, "SWELL_AUTOSCALER_PORT"),
        ({"SWELL_AUTOSCALER_PORT": "http"}, "SWELL_AUTOSCALER_PORT"),
        ({"SWELL_ADMIN_PORT": "health"}, "SWELL_ADMIN_PORT"),
        ({"SWELL_LEADER_ELECTION": "maybe", "POD_NAME": "a"}, "SWELL_LEADER_ELECTION"),
        ({"SWELL_LEADER_ELECTION": "true"}, "POD_NAME"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environ: dict[str, str], key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        Settings.parse(environ)
