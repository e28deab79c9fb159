"""The controller's settings: from the environment, or an error that says what is allowed."""

from __future__ import annotations

import pytest

from controller.settings import Settings
from swell.runtime.errors import SettingsError


def test_nothing_said_gives_the_stock_settings() -> None:
    assert Settings.parse({}) == Settings(admin_port=9090)


def test_the_front_door_lies_in_the_system_namespace_of_the_cluster() -> None:
    settings = Settings.parse({"SYSTEM_NAMESPACE": "sys", "CLUSTER_DOMAIN": "corp.local"})
    assert settings.front_door == "activator-local.sys.svc.corp.local"


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"SWELL_LEADER_ELECTION": "maybe"}, "SWELL_LEADER_ELECTION"),
        ({"SWELL_LEADER_ELECTION": "true"}, "POD_NAME"),
        ({"SWELL_WORKERS": "0"}, "SWELL_WORKERS"),
        ({"SWELL_WORKERS": "many"}, "SWELL_WORKERS"),
        ({"SWELL_WEBHOOK_PORT": "https"}, "SWELL_WEBHOOK_PORT"),
        ({"SWELL_WEBHOOK_PORT": "65536"}, "SWELL_WEBHOOK_PORT"),
        ({"SWELL_ADMIN_PORT": "65536"}, "SWELL_ADMIN_PORT"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environ: dict[str, str], key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        Settings.parse(environ)
