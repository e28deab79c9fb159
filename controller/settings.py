"""Settings of the controller: each with its unit, default and source. Only `parse` reads a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.runtime import environ as env

SYSTEM_NAMESPACE: Final = "swell-system"
CLUSTER_DOMAIN: Final = "cluster.local"
WORKERS_MAX: Final = 64
ADMIN_PORT: Final = 9090


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one controller.

    `front_door` is the DNS name that the Kubernetes Services of Routes point at.
    `leader_election`: several controllers run, and only the holder of the Lease works; `pod_name` tells them apart.
    `workers` is per kind. `webhook_port`: where admission is served to the API server; 0: not at all.
    `admin_port`: health and metrics; 0: not at all.
    """

    system_namespace: str = SYSTEM_NAMESPACE
    cluster_domain: str = CLUSTER_DOMAIN
    front_door: str = f"activator-local.{SYSTEM_NAMESPACE}.svc.{CLUSTER_DOMAIN}"
    leader_election: bool = False
    pod_name: str = "controller"
    workers: int = 2
    webhook_port: int = 0
    listen_ip: str = "0.0.0.0"
    admin_port: int = 0

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Settings:
        """From environment variables. Raises `SettingsError` naming key, value and what is allowed."""
        default = cls()
        namespace = environ.get("SYSTEM_NAMESPACE") or SYSTEM_NAMESPACE
        domain = environ.get("CLUSTER_DOMAIN") or CLUSTER_DOMAIN
        election = env.flag(environ, "SWELL_LEADER_ELECTION")
        if election:
            env.required(environ, "POD_NAME", "the name of this pod, because SWELL_LEADER_ELECTION is on")
        return cls(
            system_namespace=namespace,
            cluster_domain=domain,
            front_door=environ.get("SWELL_FRONT_DOOR") or f"activator-local.{namespace}.svc.{domain}",
            leader_election=election,
            pod_name=environ.get("POD_NAME") or default.pod_name,
            workers=env.integer(environ, "SWELL_WORKERS", default.workers, least=1, most=WORKERS_MAX),
            webhook_port=env.integer(environ, "SWELL_WEBHOOK_PORT", default.webhook_port, most=env.PORT_MAX),
            listen_ip=environ.get("SWELL_LISTEN_IP") or default.listen_ip,
            admin_port=env.integer(environ, "SWELL_ADMIN_PORT", ADMIN_PORT, most=env.PORT_MAX),
        )
