"""Settings of the autoscaler: each with its unit, default and source. Only `parse` reads a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.runtime.errors import SettingsError

PORT_MAX: Final = 65535
SYSTEM_NAMESPACE: Final = "swell-system"
AUTOSCALER_PORT: Final = 8080


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one autoscaler.

    `port` takes the activators' reports and answers people; 0: a free one. `leader_election`: several
    autoscalers run and the one that holds the Lease works; `pod_name` tells them apart. What decides how
    to scale is in ConfigMap config-autoscaler of the system namespace.
    """

    system_namespace: str = SYSTEM_NAMESPACE
    listen_ip: str = "0.0.0.0"
    port: int = AUTOSCALER_PORT
    leader_election: bool = False
    pod_name: str = "autoscaler"

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Settings:
        """From environment variables. Raises `SettingsError` naming key, value and what is allowed."""
        default = cls()
        election = _flag(environ, "SWELL_LEADER_ELECTION")
        pod_name = environ.get("POD_NAME", "")
        if election and not pod_name:
            raise SettingsError("POD_NAME", pod_name, "the name of this pod, because SWELL_LEADER_ELECTION is on")
        return cls(
            system_namespace=environ.get("SYSTEM_NAMESPACE") or default.system_namespace,
            listen_ip=environ.get("SWELL_LISTEN_IP") or default.listen_ip,
            port=_port(environ, "SWELL_AUTOSCALER_PORT", default.port),
            leader_election=election,
            pod_name=pod_name or default.pod_name,
        )


def _port(environ: Mapping[str, str], key: str, default: int) -> int:
    text = environ.get(key) or str(default)
    if not (text.isascii() and text.isdecimal()) or int(text) > PORT_MAX:
        raise SettingsError(key, text, f"a port number 0..{PORT_MAX}, 0 for a free one")
    return int(text)


def _flag(environ: Mapping[str, str], key: str) -> bool:
    text = (environ.get(key) or "false").lower()
    if text not in ("true", "false"):
        raise SettingsError(key, text, "true or false")
    return text == "true"
