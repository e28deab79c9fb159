"""Settings from the environment."""

from __future__ import annotations

import pytest

from activator.settings import Settings
from swell.runtime.errors import SettingsError

POD = {"POD_NAME": "activator-1", "POD_IP": "10.0.0.1"}


def test_the_defaults_need_only_the_pods_name_and_ip() -> None:
    settings = Settings.parse(POD)
    assert (settings.pod_name, settings.gateway_port, settings.admin_port) == ("activator-1", 8080, 9090)
    assert settings.autoscaler_url == "ws://autoscaler.swell-system.svc.cluster.local:8080"
    assert not settings.trust_revision_headers


def test_the_autoscaler_is_sought_in_the_system_namespace() -> None:
    settings = Settings.parse({**POD, "SYSTEM_NAMESPACE": "knative", "CLUSTER_DOMAIN": "corp"})
    assert settings.autoscaler_url == "ws://autoscaler.knative.svc.corp:8080"


def test_what_is_set_is_taken() -> None:
    settings = Settings.parse(
        {
            **POD,
            "SWELL_LISTEN_IP": "127.0.0.1",
            "SWELL_GATEWAY_PORT": "0",
            "SWELL_ADMIN_PORT": "9191",
            "AUTOSCALER_URL": "ws://127.0.0.1:1",
            "SWELL_TRUST_REVISION_HEADERS": "true",
            "SWELL_SHUTDOWN_GRACE_S": "2.5",
        }
    )
    assert (settings.listen_ip, settings.gateway_port, settings.admin_port) == ("127.0.0.1", 0, 9191)
    assert (settings.trust_revision_headers, settings.shutdown_grace_s) == (True, 2.5)


def test_limits_are_settings() -> None:
    settings = Settings.parse(
        {
            **POD,
            "SWELL_HEAD_BYTES_MAX": "16384",
            "SWELL_HEADERS_MAX": "64",
            "SWELL_URL_BYTES_MAX": "8192",
            "SWELL_BODY_BYTES_MAX": "1048576",
            "SWELL_HEAD_TIMEOUT_S": "10",
            "SWELL_IDLE_TIMEOUT_S": "0",
            "SWELL_WAITING_MAX": "100",
            "SWELL_WAITING_TIME_MAX_S": "30",
            "SWELL_TRACE_SAMPLING_RATE": "0.5",
        }
    )
    assert (settings.head_bytes_max, settings.headers_max, settings.target_bytes_max) == (16384, 64, 8192)
    assert (settings.body_bytes_max, settings.head_timeout_s, settings.idle_timeout_s) == (1 << 20, 10, 0)
    assert (settings.line_max, settings.wait_max_s, settings.trace_sampling_rate) == (100, 30, 0.5)


def test_proxies_are_trusted_by_ranges_of_addresses() -> None:
    assert Settings.parse(POD).trust is None
    trust = Settings.parse({**POD, "SWELL_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7,fd00::/8"}).trust
    assert trust is not None and not trust.announced
    assert [trust.covers(ip) for ip in ("10.1.2.3", "192.0.2.7", "fd00::1")] == [True] * 3
    assert not any(trust.covers(ip) for ip in ("11.0.0.1", "192.0.2.8", "::1", ""))


def test_proxy_headers_are_taken_from_trusted_proxies_only() -> None:
    trust = Settings.parse({**POD, "SWELL_TRUSTED_PROXIES": "10.0.0.0/8", "SWELL_PROXY_PROTOCOL": "true"}).trust
    assert trust is not None
    assert trust.may_announce("10.0.0.1") and not trust.may_announce("11.0.0.1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("POD_NAME", ""),
        ("SWELL_GATEWAY_PORT", "http"),
        ("SWELL_ADMIN_PORT", "70000"),
        ("AUTOSCALER_URL", "localhost:8080"),
        ("SWELL_TRUST_REVISION_HEADERS", "perhaps"),
        ("SWELL_SHUTDOWN_GRACE_S", "-1"),
        ("SWELL_DRAIN_DEADLINE_S", "nan"),
        ("SWELL_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("SWELL_TRUSTED_PROXIES", "10.0.0.0/8,lb.example.com"),
        ("SWELL_PROXY_PROTOCOL", "true"),
        ("SWELL_HEAD_BYTES_MAX", "100"),
        ("SWELL_HEADERS_MAX", "3"),
        ("SWELL_URL_BYTES_MAX", "1k"),
        ("SWELL_BODY_BYTES_MAX", "-1"),
        ("SWELL_HEAD_TIMEOUT_S", "0"),
        ("SWELL_IDLE_TIMEOUT_S", "never"),
        ("SWELL_WAITING_MAX", "0"),
        ("SWELL_WAITING_BYTES_MAX", "10"),
        ("SWELL_WAITING_ALL_MAX", "0"),
        ("SWELL_WAITING_ALL_BYTES_MAX", "64Mi"),
        ("SWELL_WAITING_TIME_MAX_S", "-1"),
        ("SWELL_TRACE_SAMPLING_RATE", "2"),
        ("SWELL_TRACE_SAMPLING_RATE", "half"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=key) as raised:
        Settings.parse({**POD, key: value})
    assert repr(value) in str(raised.value)
