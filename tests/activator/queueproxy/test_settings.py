"""The environment of a queue-proxy: spec dataplane 3.1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activator.queueproxy.probe import Probe
from activator.queueproxy.settings import Settings, TlsOptions
from swell.runtime.errors import SettingsError
from swell.wire.observability import Observability, encode

REQUIRED = {
    "CONTAINER_CONCURRENCY": "7",
    "QUEUE_SERVING_PORT": "8012",
    "QUEUE_SERVING_TLS_PORT": "8112",
    "USER_PORT": "8080",
    "REVISION_TIMEOUT_SECONDS": "60",
    "SERVING_NAMESPACE": "default",
    "SERVING_CONFIGURATION": "",
    "SERVING_REVISION": "hello-00001",
    "SERVING_POD": "hello-1",
    "SERVING_POD_IP": "10.0.0.7",
    "SERVING_LOGGING_CONFIG": "",
    "SERVING_LOGGING_LEVEL": "",
}


def test_what_is_required_is_enough() -> None:
    settings = Settings.parse(REQUIRED)
    assert settings == Settings(
        container_concurrency=7,
        serving_port=8012,
        user_port=8080,
        namespace="default",
        configuration="",
        revision="hello-00001",
        pod="hello-1",
        pod_ip="10.0.0.7",
        timeout_s=60,
    )
    assert settings.user_address == ("127.0.0.1", 8080)
    assert (settings.admin_port, settings.statistics_port, settings.drain_quiet_s) == (8022, 9090, 30)


def test_the_port_says_what_the_app_speaks() -> None:
    assert not Settings.parse(REQUIRED).http2
    assert Settings.parse(REQUIRED | {"QUEUE_SERVING_PORT": "8013"}).http2


def test_all_that_is_optional_is_read(tmp_path: Path) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).touch()
    settings = Settings.parse(
        REQUIRED
        | {
            "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "10",
            "REVISION_IDLE_TIMEOUT_SECONDS": "20",
            "SERVING_SERVICE": "hello",
            "SERVING_POD_UID": "u-1",
            "SERVING_READINESS_PROBE": '{"tcpSocket": {"port": 0}}',
            "SERVING_LOGGING_LEVEL": "warn",
            "SWELL_ANNOUNCE_TO": "activator.swell-system.svc:9090, [::1]:81,",
            "SWELL_DRAIN_QUIET_S": "1.5",
            "SWELL_ADMIN_PORT": "18022",
            "SWELL_STATISTICS_PORT": "19090",
            "QUEUE_SERVING_TLS_PORT": "18112",
            "QUEUE_PROXY_TLS_MIN_VERSION": "1.2",
            "SWELL_CERTIFICATES": str(tmp_path),
            "METRICS_PROMETHEUS_PORT": "19091",
            "OBSERVABILITY_CONFIG": encode(Observability(True, "{{.TraceID}}", True, "prometheus")),
            "ENABLE_HTTP_FULL_DUPLEX": "true",
            "ENABLE_MULTI_CONTAINER_PROBES": "False",
            "ENABLE_HTTP2_AUTO_DETECTION": "true",
        }
    )
    assert (settings.tls_port, settings.tls, settings.certificates) == (18112, TlsOptions("1.2"), str(tmp_path))
    assert settings.observability == Observability(True, "{{.TraceID}}", True, "prometheus")
    assert settings.user_metrics_port == 19091
    assert (settings.response_start_timeout_s, settings.idle_timeout_s) == (10, 20)
    assert (settings.service, settings.pod_uid, settings.log_level) == ("hello", "u-1", "warning")
    assert settings.probes == (Probe("tcpSocket", 8080),)
    assert settings.announce_to == (("activator.swell-system.svc", 9090), ("::1", 81))
    assert (settings.drain_quiet_s, settings.admin_port, settings.statistics_port) == (1.5, 18022, 19090)


def test_tls_is_for_who_has_both_files_or_a_probe_that_wants_it(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").touch()
    half = REQUIRED | {"SWELL_CERTIFICATES": str(tmp_path)}
    assert (Settings.parse(half).certificates, Settings.parse(half).uses_tls) == ("", False)
    for scheme, wanted in (("HTTP", False), ("HTTPS", True)):
        probe = json.dumps([{"tcpSocket": {"port": 0}}, {"httpGet": {"scheme": scheme}}])
        assert Settings.parse(half | {"SERVING_READINESS_PROBE": probe}).uses_tls == wanted
    (tmp_path / "tls.key").touch()
    assert Settings.parse(half).uses_tls


@pytest.mark.parametrize(("timeout_s", "quiet_s"), [("10", 5), ("0", 30), ("600", 30)])
def test_a_short_grace_is_not_all_waited_for_more_requests(timeout_s: str, quiet_s: float) -> None:
    assert Settings.parse(REQUIRED | {"REVISION_TIMEOUT_SECONDS": timeout_s}).drain_quiet_s == quiet_s


def test_a_timeout_of_zero_is_the_default_and_does_not_fire_at_once() -> None:
    assert Settings.parse(REQUIRED | {"REVISION_TIMEOUT_SECONDS": "0"}).timeout_s == 300


@pytest.mark.parametrize("key", REQUIRED)
def test_case_72_what_is_required_is_missed_by_name(key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        Settings.parse({name: value for name, value in REQUIRED.items() if name != key})


WRONG = [
    ("CONTAINER_CONCURRENCY", "many"),
    ("CONTAINER_CONCURRENCY", "-1"),
    ("QUEUE_SERVING_PORT", "70000"),
    ("USER_PORT", "0"),
    ("REVISION_TIMEOUT_SECONDS", "soon"),
    ("REVISION_IDLE_TIMEOUT_SECONDS", "-1"),
    ("SERVING_POD_IP", ""),
    ("SERVING_LOGGING_LEVEL", "loud"),
    ("SERVING_READINESS_PROBE", "{"),
    ("SERVING_READINESS_PROBE", "{}"),
    ("SERVING_READINESS_PROBE", '{"exec": {"command": ["true"]}}'),
    ("SERVING_READINESS_PROBE", '{"httpGet": {"scheme": "FTP"}}'),
    ("SERVING_READINESS_PROBE", '{"httpGet": {"httpHeaders": [{"name": "a"}]}}'),
    ("QUEUE_SERVING_TLS_PORT", "https"),
    ("METRICS_PROMETHEUS_PORT", "https"),
    ("ENABLE_HTTP_FULL_DUPLEX", "Enabled"),
    ("ENABLE_HTTP2_AUTO_DETECTION", "yes"),
    ("ENABLE_MULTI_CONTAINER_PROBES", "1"),
    ("OBSERVABILITY_CONFIG", "{"),
    ("OBSERVABILITY_CONFIG", "[]"),
    ("OBSERVABILITY_CONFIG", '{"enableRequestLog": "yes"}'),
    ("OBSERVABILITY_CONFIG", '{"requestMetrics": {"protocol": 1}}'),
    ("SWELL_ANNOUNCE_TO", "activator"),
    ("SWELL_DRAIN_QUIET_S", "inf"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_told_with_its_key(key: str, value: str) -> None:
    with pytest.raises(SettingsError) as found:
        Settings.parse(REQUIRED | {key: value})
    assert found.value.key == key
    assert str(found.value).startswith(f"{key}={value!r} is not usable: ")


def test_a_pod_that_announces_itself_needs_its_uid() -> None:
    with pytest.raises(SettingsError, match="SERVING_POD_UID"):
        Settings.parse(REQUIRED | {"SWELL_ANNOUNCE_TO": "127.0.0.1:9090"})
