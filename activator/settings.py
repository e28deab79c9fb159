"""Settings of the front door: each with its unit, default and source. Only `parse` reads a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from activator.admission.buffer import LINE_MAX, ROOM_BYTES_MAX, ROOM_MAX
from swell.runtime.errors import SettingsError

PORT_MAX: Final = 65535
SYSTEM_NAMESPACE: Final = "swell-system"
CLUSTER_DOMAIN: Final = "cluster.local"
AUTOSCALER_PORT: Final = 8080


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one front door.

    `trust_revision_headers`: this is an activator behind another ingress, so that requests may name their
    revision in Knative-Serving-{Namespace,Revision} or by host, and probes are answered on every host.
    Off by default: callers from outside could address any revision.
    """

    pod_name: str = "activator"
    pod_ip: str = "127.0.0.1"
    system_namespace: str = SYSTEM_NAMESPACE
    listen_ip: str = "0.0.0.0"
    gateway_port: int = 8080
    admin_port: int = 9090
    autoscaler_url: str = f"ws://autoscaler.{SYSTEM_NAMESPACE}.svc.{CLUSTER_DOMAIN}:{AUTOSCALER_PORT}"
    cluster_domain: str = CLUSTER_DOMAIN
    trust_revision_headers: bool = False
    # After SIGTERM: readiness fails and requests are still taken for this long, so that whoever balances
    # over us has heard of it; then what is in flight may take until the deadline.
    shutdown_grace_s: float = 0.0
    drain_deadline_s: float = 600.0
    # The waiting room of cold starts (spec dataplane 6: the documented limit is enforced).
    line_max: int = LINE_MAX
    room_max: int = ROOM_MAX
    room_bytes_max: int = ROOM_BYTES_MAX
    # How long a request waits for a revision that is known to have failed, before it is told so.
    failed_patience_s: float = 2.0
    # Probing pods that Kubernetes does not call ready yet (spec dataplane 2.6; ours begins faster).
    probe_timeout_s: float = 0.3
    probe_first_s: float = 0.05
    probe_last_s: float = 0.2

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Settings:
        """From environment variables. Raises `SettingsError` naming key, value and what is allowed."""
        namespace = environ.get("SYSTEM_NAMESPACE") or SYSTEM_NAMESPACE
        domain = environ.get("CLUSTER_DOMAIN") or CLUSTER_DOMAIN
        autoscaler = f"ws://autoscaler.{namespace}.svc.{domain}:{AUTOSCALER_PORT}"
        default = cls()
        return cls(
            pod_name=_required(environ, "POD_NAME"),
            pod_ip=_required(environ, "POD_IP"),
            system_namespace=namespace,
            listen_ip=environ.get("SWELL_LISTEN_IP") or default.listen_ip,
            gateway_port=_port(environ, "SWELL_GATEWAY_PORT", default.gateway_port),
            admin_port=_port(environ, "SWELL_ADMIN_PORT", default.admin_port),
            autoscaler_url=_websocket_url(environ, "AUTOSCALER_URL", autoscaler),
            cluster_domain=domain,
            trust_revision_headers=_flag(environ, "SWELL_TRUST_REVISION_HEADERS"),
            shutdown_grace_s=_seconds(environ, "SWELL_SHUTDOWN_GRACE_S", default.shutdown_grace_s),
            drain_deadline_s=_seconds(environ, "SWELL_DRAIN_DEADLINE_S", default.drain_deadline_s),
        )


def _required(environ: Mapping[str, str], key: str) -> str:
    value = environ.get(key, "")
    if not value:
        raise SettingsError(key, value, "the name and IP of this pod; on Kubernetes by the downward API")
    return value


def _port(environ: Mapping[str, str], key: str, default: int) -> int:
    text = environ.get(key) or str(default)
    if not text.isdecimal() or int(text) > PORT_MAX:
        raise SettingsError(key, text, f"a port number 0..{PORT_MAX}, 0 for a free one")
    return int(text)


def _seconds(environ: Mapping[str, str], key: str, default: float) -> float:
    text = environ.get(key) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise SettingsError(key, text, "a number of seconds, 0 or more")
    return value


def _flag(environ: Mapping[str, str], key: str) -> bool:
    text = (environ.get(key) or "false").lower()
    if text not in ("true", "false"):
        raise SettingsError(key, text, "true or false")
    return text == "true"


def _websocket_url(environ: Mapping[str, str], key: str, default: str) -> str:
    url = environ.get(key) or default
    if not url.startswith(("ws://", "wss://")):
        raise SettingsError(key, url, "a websocket URL, ws://HOST:PORT")
    return url
