"""Settings of the autoscaler: each with its unit, default and source. Only `parse` reads a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.runtime import environ as env

SYSTEM_NAMESPACE: Final = "swell-system"
AUTOSCALER_PORT: Final = 8080
ADMIN_PORT: Final = 9090


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one autoscaler.

    `port` takes the activators' reports and answers people; 0: a free one; the owner of a further bucket listens on
    one after it. `leader_election`: several autoscalers run and the holder of a bucket's Lease works for it; `pod_name`
    tells them apart, and `pod_ip`, if there is one, is written where activators look for it. `admin_port` 0: none.
    `pace_starts`: no more pods are started at once than the nodes have processors for. `ledger` is kept over a restart
    in this file, in a ConfigMap if it says `configmap`, or nowhere (""). What decides how to scale is in ConfigMap
    config-autoscaler of the system namespace.
    """

    system_namespace: str = SYSTEM_NAMESPACE
    listen_ip: str = "0.0.0.0"
    port: int = AUTOSCALER_PORT
    leader_election: bool = False
    pod_name: str = "autoscaler"
    pod_ip: str = ""
    admin_port: int = 0
    pace_starts: bool = False
    ledger: str = ""

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Settings:
        """From environment variables. Raises `SettingsError` naming key, value and what is allowed."""
        default = cls()
        election = env.flag(environ, "SWELL_LEADER_ELECTION")
        if election:
            env.required(environ, "POD_NAME", "the name of this pod, because SWELL_LEADER_ELECTION is on")
        return cls(
            system_namespace=environ.get("SYSTEM_NAMESPACE") or default.system_namespace,
            listen_ip=environ.get("SWELL_LISTEN_IP") or default.listen_ip,
            port=env.port(environ, "SWELL_AUTOSCALER_PORT", default.port),
            leader_election=election,
            pod_name=environ.get("POD_NAME") or default.pod_name,
            pod_ip=environ.get("POD_IP") or default.pod_ip,
            admin_port=env.integer(environ, "SWELL_ADMIN_PORT", ADMIN_PORT, most=env.PORT_MAX),
            pace_starts=env.flag(environ, "SWELL_PACE_STARTS"),
            ledger=environ.get("SWELL_LEDGER") or default.ledger,
        )
