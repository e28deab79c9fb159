"""Questions about the pod spec of a revision, which is kept as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from swell.api.meta import Obj

DEFAULT_USER_PORT: Final = 8080
PROTOCOL_HTTP1: Final = "http1"
PROTOCOL_H2C: Final = "h2c"


def serving_index(pod_spec: Mapping[str, Any]) -> int | None:
    """The index of the container that serves: the only one, or the first with ports. None if there is none."""
    containers = pod_spec.get("containers") or []
    if len(containers) == 1:
        return 0
    return next((index for index, container in enumerate(containers) if container.get("ports")), None)


def serving_container(pod_spec: Mapping[str, Any]) -> Obj:
    """The container that serves. Raises LookupError when no container does (validation refuses that)."""
    index = serving_index(pod_spec)
    if index is None:
        raise LookupError("no container serves: one of several containers must have ports")
    found: Obj = pod_spec["containers"][index]
    return found


def user_port(pod_spec: Mapping[str, Any]) -> int:
    """The port that the app listens on (8080 unless said)."""
    ports = serving_container(pod_spec).get("ports") or [{}]
    return int(ports[0].get("containerPort") or DEFAULT_USER_PORT)


def protocol(pod_spec: Mapping[str, Any]) -> str:
    """What the app speaks: "h2c" iff its port has that name, else "http1"."""
    ports = serving_container(pod_spec).get("ports") or [{}]
    return PROTOCOL_H2C if ports[0].get("name") == PROTOCOL_H2C else PROTOCOL_HTTP1
