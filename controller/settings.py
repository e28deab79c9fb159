"""Settings of the controller: each with its unit, default and source. Only `parse` reads a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.runtime.errors import SettingsError

SYSTEM_NAMESPACE: Final = "swell-system"
CLUSTER_DOMAIN: Final = "cluster.local"
WORKERS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one controller.

    `front_door` is the DNS name that the Kubernetes Services of Routes point at. `elect`: several controllers
    run, and only the holder of the Lease works; `identity` is this one's name in it. `workers` per kind.
    """

    system_namespace: str = SYSTEM_NAMESPACE
    cluster_domain: str = CLUSTER_DOMAIN
    front_door: str = f"activator.{SYSTEM_NAMESPACE}.svc.{CLUSTER_DOMAIN}"
    elect: bool = False
    identity: str = "controller"
    workers: int = 2

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Settings:
        """From environment variables. Raises `SettingsError` naming key, value and what is allowed."""
        namespace = environ.get("SYSTEM_NAMESPACE") or SYSTEM_NAMESPACE
        domain = environ.get("CLUSTER_DOMAIN") or CLUSTER_DOMAIN
        elect = _flag(environ, "SWELL_LEADER_ELECTION")
        return cls(
            system_namespace=namespace,
            cluster_domain=domain,
            front_door=environ.get("SWELL_FRONT_DOOR") or f"activator.{namespace}.svc.{domain}",
            elect=elect,
            identity=_identity(environ, elect),
            workers=_workers(environ),
        )


def _identity(environ: Mapping[str, str], elect: bool) -> str:
    name = environ.get("POD_NAME", "")
    if elect and not name:
        raise SettingsError("POD_NAME", name, "the name of this pod, by which candidates for the Lease differ")
    return name or "controller"


def _flag(environ: Mapping[str, str], key: str) -> bool:
    text = (environ.get(key) or "false").lower()
    if text not in ("true", "false"):
        raise SettingsError(key, text, "true or false")
    return text == "true"


def _workers(environ: Mapping[str, str]) -> int:
    text = environ.get("SWELL_WORKERS") or "2"
    if not text.isdecimal() or not 1 <= int(text) <= WORKERS_MAX:
        raise SettingsError("SWELL_WORKERS", text, f"1 to {WORKERS_MAX} reconciles at a time, per kind")
    return int(text)
