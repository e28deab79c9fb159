"""What a pod's spec says, as the process runtime understands it: its containers and their ports. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.api.meta import Obj
from swell.config.deployment import DeploymentConfig

QUEUE_PROXY_IMAGE: Final = DeploymentConfig().queue_sidecar_image
QUEUE_PROXY_MODULE: Final = "activator.queueproxy.__main__"
APP_PORT: Final = 8080
GRACE_S: Final = 30
# Containers share the machine's file system, and nothing can be mounted into a process.
UNSUPPORTED: Final[Mapping[str, str]] = {
    "volumeMounts": "pods are processes on this machine's own file system, and nothing can be mounted there",
    "volumeDevices": "pods are processes on this machine's own file system",
}


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What is decided for a pod before it starts.

    `ports`: the port of 127.0.0.1 that an app really has, by the containerPort that was asked for.
    """

    namespace: str
    name: str
    uid: str
    ip: str
    node: str
    ports: Mapping[int, int]
    host_ip: str = "127.0.0.1"


def is_queue_proxy(container: Mapping[str, Any]) -> bool:
    """Whether it is forked from the host's warm process; everything else is a local image."""
    return bool(container.get("image") == QUEUE_PROXY_IMAGE)


def app_ports(spec: Mapping[str, Any]) -> list[int]:
    """The ports that apps of the pod ask for: each gets a real one. Without any, the first app gets 8080."""
    apps = [container for container in spec["containers"] if not is_queue_proxy(container)]
    asked = [port["containerPort"] for container in apps for port in container.get("ports") or ()]
    return list(dict.fromkeys(asked)) or ([APP_PORT] if apps else [])


def own_ports(spec: Mapping[str, Any]) -> list[int]:
    """The ports at which the pod's own address is listened on, by its queue-proxy."""
    sidecars = [container for container in spec["containers"] if is_queue_proxy(container)]
    return [port["containerPort"] for container in sidecars for port in container.get("ports") or ()]


def port_variable(container: Mapping[str, Any], spec: Mapping[str, Any]) -> int | None:
    """The port that the container should learn by PORT; None for one that serves nothing."""
    declared = container.get("ports") or ()
    if declared:
        return int(declared[0]["containerPort"])
    apps = [each for each in spec["containers"] if not is_queue_proxy(each)]
    nobody = not any(each.get("ports") for each in apps)
    return APP_PORT if nobody and apps and apps[0]["name"] == container["name"] else None


def named_port(container: Mapping[str, Any], port: int | str) -> int:
    """The number of a port that may be given by name; raises ValueError for an unknown name."""
    if isinstance(port, int):
        return port
    for declared in container.get("ports") or ():
        if declared.get("name") == port:
            return int(declared["containerPort"])
    if port.isdecimal():
        return int(port)
    raise ValueError(f"container {container['name']!r} has no port named {port!r}")


def address_of(container: Mapping[str, Any], facts: PodFacts, port: int | str, host: str = "") -> tuple[str, int]:
    """Where a port of the container really is. Raises ValueError."""
    number = named_port(container, port)
    if is_queue_proxy(container):
        return host or facts.ip, number
    return host or facts.host_ip, facts.ports.get(number, number)


def hook_of(hook: Mapping[str, Any], facts: PodFacts) -> Mapping[str, Any]:
    """A hook as it is tried: a port that no app asked for is at the pod's own address, where its queue-proxy is."""
    get = hook.get("httpGet")
    if not get or get.get("host") or not isinstance(get["port"], int) or get["port"] in facts.ports:
        return hook
    return {"httpGet": {**get, "host": facts.ip}}


def grace_s(pod: Obj) -> float:
    """How long the pod may take to end."""
    meta = pod["metadata"]
    default = pod["spec"].get("terminationGracePeriodSeconds", GRACE_S)
    return float(meta.get("deletionGracePeriodSeconds", default))
