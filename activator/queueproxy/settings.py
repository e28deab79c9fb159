"""Settings of a queue-proxy: each with its unit, default and source. Only `parse` looks outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

from activator.queueproxy.drain import QUIET_S
from activator.queueproxy.probe import Probe, parse_probes
from swell.runtime import environ as env
from swell.runtime.environ import PORT_MAX
from swell.runtime.errors import SettingsError
from swell.wire.errors import WireError
from swell.wire.observability import Observability, decode

# Where requests come in for an app whose port is named h2c.
H2C_PORT: Final = 8013
ADMIN_PORT: Final = 8022
STATISTICS_PORT: Final = 9090
USER_METRICS_PORT: Final = 9091
TLS_PORT: Final = 8112
CERTIFICATES: Final = "/var/lib/knative/certs"
# 0 does not switch the timeout off, and does not fire at once as the reference's does (spec dataplane 6).
TIMEOUT_DEFAULT_S: Final = 300.0
# The names of the reference's logger, and ours.
LOG_LEVELS: Final = {"": "info", "debug": "debug", "info": "info", "warn": "warning", "error": "error"}

Address = tuple[str, int]


class TlsOptions(NamedTuple):
    """`QUEUE_PROXY_TLS_*` as they came: read only when there is a certificate."""

    min_version: str = ""
    max_version: str = ""
    cipher_suites: str = ""
    curve_preferences: str = ""


class Settings(NamedTuple):
    """All settings of one queue-proxy (spec dataplane 3.1).

    `container_concurrency` 0 is no limit; `response_start_timeout_s` and `idle_timeout_s` 0 are off.
    `probes` must all pass for the app to be ready; none: it always is. `certificates` is the folder that has
    tls.crt and tls.key; empty is no TLS. (No dataclass: making one takes a millisecond of each cold start.)
    """

    container_concurrency: int
    serving_port: int
    user_port: int
    namespace: str
    configuration: str
    revision: str
    pod: str
    pod_ip: str
    service: str = ""
    pod_uid: str = ""
    tls_port: int = TLS_PORT
    tls: TlsOptions = TlsOptions()
    certificates: str = ""
    observability: Observability = Observability()
    user_metrics_port: int = USER_METRICS_PORT
    timeout_s: float = TIMEOUT_DEFAULT_S
    response_start_timeout_s: float = 0.0
    idle_timeout_s: float = 0.0
    probes: tuple[Probe, ...] = ()
    # Ours: who is told that the pod can serve, and how long it must be quiet before a drain ends.
    announce_to: tuple[Address, ...] = ()
    drain_quiet_s: float = QUIET_S
    admin_port: int = ADMIN_PORT
    statistics_port: int = STATISTICS_PORT
    log_level: str = "info"

    @property
    def http2(self) -> bool:
        """The app speaks HTTP/2: its requests come in on another port than those of others (spec dataplane 1.1)."""
        return self.serving_port == H2C_PORT

    @property
    def user_address(self) -> Address:
        """Where the app listens; IPv4 loopback only."""
        return ("127.0.0.1", self.user_port)

    @property
    def uses_tls(self) -> bool:
        """Whether some connection will need it: one that comes in, or a probe's."""
        return bool(self.certificates) or any(probe.scheme == "https" for probe in self.probes)

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Settings:
        """From environment variables. Raises `SettingsError` naming key, value and what is allowed."""
        user_port = env.port(environ, "USER_PORT", least=1)
        timeout_s = env.seconds(environ, "REVISION_TIMEOUT_SECONDS") or TIMEOUT_DEFAULT_S
        announce_to = _addresses(environ, "SWELL_ANNOUNCE_TO")
        # Part of the contract, without effect: our log has one form, an exchange is always full duplex, and
        # several probes are known by their list.
        _present(environ, "SERVING_LOGGING_CONFIG")
        for key in ("ENABLE_HTTP_FULL_DUPLEX", "ENABLE_MULTI_CONTAINER_PROBES"):
            env.flag(environ, key)
        return cls(
            container_concurrency=env.integer(environ, "CONTAINER_CONCURRENCY"),
            serving_port=env.port(environ, "QUEUE_SERVING_PORT"),
            user_port=user_port,
            namespace=_present(environ, "SERVING_NAMESPACE"),
            configuration=_present(environ, "SERVING_CONFIGURATION"),
            revision=_present(environ, "SERVING_REVISION"),
            pod=_present(environ, "SERVING_POD"),
            pod_ip=env.required(environ, "SERVING_POD_IP", "the pod's IP address, by the downward API"),
            service=environ.get("SERVING_SERVICE", ""),
            pod_uid=env.required(environ, "SERVING_POD_UID", "the pod's uid") if announce_to else "",
            tls_port=env.port(environ, "QUEUE_SERVING_TLS_PORT"),
            tls=TlsOptions(*(environ.get(f"QUEUE_PROXY_TLS_{name.upper()}", "") for name in TlsOptions._fields)),
            certificates=_certificates(environ.get("SWELL_CERTIFICATES") or CERTIFICATES),
            observability=_observability(environ, "OBSERVABILITY_CONFIG"),
            user_metrics_port=env.port(environ, "METRICS_PROMETHEUS_PORT", USER_METRICS_PORT),
            timeout_s=timeout_s,
            response_start_timeout_s=env.seconds(environ, "REVISION_RESPONSE_START_TIMEOUT_SECONDS", 0.0),
            idle_timeout_s=env.seconds(environ, "REVISION_IDLE_TIMEOUT_SECONDS", 0.0),
            probes=parse_probes(
                environ.get("SERVING_READINESS_PROBE", ""), user_port, env.flag(environ, "ENABLE_HTTP2_AUTO_DETECTION")
            ),
            announce_to=announce_to,
            # Who does not set it knows of no more grace than the timeout: of a short one, half is left to the app.
            drain_quiet_s=env.seconds(environ, "SWELL_DRAIN_QUIET_S", min(QUIET_S, timeout_s / 2)),
            admin_port=env.port(environ, "SWELL_ADMIN_PORT", ADMIN_PORT),
            statistics_port=env.port(environ, "SWELL_STATISTICS_PORT", STATISTICS_PORT),
            log_level=_log_level(environ, "SERVING_LOGGING_LEVEL"),
        )


def _certificates(folder: str) -> str:
    """The folder if both files are there."""
    there = all(os.path.isfile(os.path.join(folder, name)) for name in ("tls.crt", "tls.key"))
    return folder if there else ""


def _present(environ: Mapping[str, str], key: str) -> str:
    if key not in environ:
        raise SettingsError(key, None, "it must be set, if only to an empty text")
    return environ[key]


def _observability(environ: Mapping[str, str], key: str) -> Observability:
    try:
        return decode(environ.get(key, ""))
    except WireError as error:
        raise SettingsError(key, environ[key], str(error)) from error


def _log_level(environ: Mapping[str, str], key: str) -> str:
    level = LOG_LEVELS.get(_present(environ, key))
    if level is None:
        raise SettingsError(key, environ[key], "debug, info, warn, error, or empty for info")
    return level


def _addresses(environ: Mapping[str, str], key: str) -> tuple[Address, ...]:
    """`host:port`, and more of them after commas; an IPv6 address stands in brackets."""
    found = []
    for word in environ.get(key, "").split(","):
        if not (word := word.strip()):
            continue
        host, _, port = word.rpartition(":")
        host = host.strip("[]")
        if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) <= PORT_MAX:
            raise SettingsError(key, word, "host:port, and more of them after commas")
        found.append((host, int(port)))
    return tuple(found)
