"""Settings of the front door: each with its unit, default and source. Only `parse` reads a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from activator.admission.buffer import LINE_BYTES_MAX, LINE_MAX, ROOM_BYTES_MAX, ROOM_MAX
from activator.proxy.server import HEAD_BYTES_MAX, HEAD_TIMEOUT_S
from activator.proxy.trust import Network, Trust
from swell.runtime import environ as env
from swell.runtime.errors import SettingsError

SYSTEM_NAMESPACE: Final = "swell-system"
CLUSTER_DOMAIN: Final = "cluster.local"
AUTOSCALER_PORT: Final = 8080
TRUSTED_PROXIES: Final = "SWELL_TRUSTED_PROXIES"
PROXY_PROTOCOL: Final = "SWELL_PROXY_PROTOCOL"
# Less would turn ordinary requests away.
HEAD_BYTES_LEAST: Final = 4096
HEADERS_LEAST: Final = 32
URL_BYTES_LEAST: Final = 1024
MEBIBYTE: Final = 1024 * 1024
OF_POD: Final = "the name and IP of this pod; on Kubernetes by the downward API"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one front door.

    `trust_revision_headers`: this is an activator behind another ingress, so that requests may name their
    revision in Knative-Serving-{Namespace,Revision} or by host, and probes are answered on every host.
    Off by default: callers from outside could address any revision.
    `local_port`: where callers from inside the cluster come in. `gateway_port` is then for those from outside, who
    cannot ask for a name inside the cluster. 0: there is one port for all.
    `trust`: whose word about a caller's address counts. None: everybody's, as in the reference (docs/ingress.md).
    """

    pod_name: str = "activator"
    pod_ip: str = "127.0.0.1"
    system_namespace: str = SYSTEM_NAMESPACE
    listen_ip: str = "0.0.0.0"
    gateway_port: int = 8080
    local_port: int = 0
    admin_port: int = 9090
    autoscaler_url: str = f"ws://autoscaler.{SYSTEM_NAMESPACE}.svc.{CLUSTER_DOMAIN}:{AUTOSCALER_PORT}"
    cluster_domain: str = CLUSTER_DOMAIN
    trust_revision_headers: bool = False
    trust: Trust | None = None
    # What a request may be: beyond it 431, 431, 414 and 413 are answered. The reference has the first only (spec
    # dataplane 1.5). `body_bytes_max` 0: no limit but what the annotation of a revision says.
    head_bytes_max: int = HEAD_BYTES_MAX
    headers_max: int = 256
    target_bytes_max: int = 64 * 1024
    body_bytes_max: int = 0
    # Slow callers: a head has to be whole in the first time (spec dataplane 1.5), and a connection without a request
    # is closed after the second, which is more than load balancers keep one (60 to 600 s). 0: never.
    head_timeout_s: float = HEAD_TIMEOUT_S
    idle_timeout_s: float = 900.0
    # How long a front door that has just started looks for the autoscaler before it is ready without it.
    autoscaler_patience_s: float = 5.0
    # After SIGTERM: readiness fails and requests are still taken for this long, so that whoever balances
    # over us has heard of it; then what is in flight may take until the deadline.
    shutdown_grace_s: float = 0.0
    drain_deadline_s: float = 600.0
    # Tunnels (WebSockets) may last for ever: they are cut so long after the drain has begun (spec dataplane C24).
    drain_tunnels_s: float = 5.0
    # The waiting room of cold starts (spec dataplane 6: the documented limit is enforced). A line is one revision's.
    # `wait_max_s` 0: a request waits as long as its revision's timeouts let it.
    line_max: int = LINE_MAX
    line_bytes_max: int = LINE_BYTES_MAX
    room_max: int = ROOM_MAX
    room_bytes_max: int = ROOM_BYTES_MAX
    wait_max_s: float = 0.0
    # Of the traces that begin here, the share that is marked as sampled.
    trace_sampling_rate: float = 0.0
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
            pod_name=env.required(environ, "POD_NAME", OF_POD),
            pod_ip=env.required(environ, "POD_IP", OF_POD),
            system_namespace=namespace,
            listen_ip=environ.get("SWELL_LISTEN_IP") or default.listen_ip,
            gateway_port=env.port(environ, "SWELL_GATEWAY_PORT", default.gateway_port),
            local_port=env.port(environ, "SWELL_LOCAL_PORT", default.local_port),
            admin_port=env.port(environ, "SWELL_ADMIN_PORT", default.admin_port),
            autoscaler_url=_websocket_url(environ, "AUTOSCALER_URL", autoscaler),
            cluster_domain=domain,
            trust=_trust(environ),
            trust_revision_headers=env.flag(environ, "SWELL_TRUST_REVISION_HEADERS"),
            head_bytes_max=env.integer(environ, "SWELL_HEAD_BYTES_MAX", default.head_bytes_max, least=HEAD_BYTES_LEAST),
            headers_max=env.integer(environ, "SWELL_HEADERS_MAX", default.headers_max, least=HEADERS_LEAST),
            target_bytes_max=env.integer(
                environ, "SWELL_URL_BYTES_MAX", default.target_bytes_max, least=URL_BYTES_LEAST
            ),
            body_bytes_max=env.integer(environ, "SWELL_BODY_BYTES_MAX", default.body_bytes_max),
            head_timeout_s=_some_seconds(environ, "SWELL_HEAD_TIMEOUT_S", default.head_timeout_s),
            idle_timeout_s=env.seconds(environ, "SWELL_IDLE_TIMEOUT_S", default.idle_timeout_s),
            line_max=env.integer(environ, "SWELL_WAITING_MAX", default.line_max, least=1),
            line_bytes_max=env.integer(environ, "SWELL_WAITING_BYTES_MAX", default.line_bytes_max, least=MEBIBYTE),
            room_max=env.integer(environ, "SWELL_WAITING_ALL_MAX", default.room_max, least=1),
            room_bytes_max=env.integer(environ, "SWELL_WAITING_ALL_BYTES_MAX", default.room_bytes_max, least=MEBIBYTE),
            wait_max_s=env.seconds(environ, "SWELL_WAITING_TIME_MAX_S", default.wait_max_s),
            trace_sampling_rate=_share(environ, "SWELL_TRACE_SAMPLING_RATE", default.trace_sampling_rate),
            shutdown_grace_s=env.seconds(environ, "SWELL_SHUTDOWN_GRACE_S", default.shutdown_grace_s),
            drain_deadline_s=env.seconds(environ, "SWELL_DRAIN_DEADLINE_S", default.drain_deadline_s),
        )


def _some_seconds(environ: Mapping[str, str], key: str, default: float) -> float:
    value = env.seconds(environ, key, default)
    if not value:
        raise SettingsError(key, environ.get(key), "a number of seconds, more than 0")
    return value


def _share(environ: Mapping[str, str], key: str, default: float) -> float:
    try:
        value = float(environ.get(key) or default)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise SettingsError(key, environ.get(key), "a number, 0 to 1")
    return value


def _trust(environ: Mapping[str, str]) -> Trust | None:
    announced = env.flag(environ, PROXY_PROTOCOL)
    networks = _networks(environ, TRUSTED_PROXIES)
    if announced and not networks:
        raise SettingsError(PROXY_PROTOCOL, "true", f"false, unless {TRUSTED_PROXIES} names who may send PROXY headers")
    return Trust(networks, announced) if networks else None


def _networks(environ: Mapping[str, str], key: str) -> tuple[Network, ...]:
    text = environ.get(key, "")
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        allowed = f"ranges of addresses, such as 10.0.0.0/8,fd00::/8 ({error})"
        raise SettingsError(key, text, allowed) from error


def _websocket_url(environ: Mapping[str, str], key: str, default: str) -> str:
    url = environ.get(key) or default
    if not url.startswith(("ws://", "wss://")):
        raise SettingsError(key, url, "a websocket URL, ws://HOST:PORT")
    return url
