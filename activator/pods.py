"""Pods as the front door sees them: what Kubernetes says of one, and what we found out ourselves. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activator.admission.throttler import Address, Backend
from activator.gateway import Target
from swell.api.meta import condition_of

if TYPE_CHECKING:
    from swell.runtime.clock import Cancellable

REVISION_LABEL: Final = "serving.knative.dev/revision"
QUEUE_PROXY: Final = "queue-proxy"
QUEUE_PORT_NAME: Final = "queue-port"
QUEUE_PORT_DEFAULT: Final = 8012
# Waiting reasons of a container that a start waits for in vain, until somebody repairs something.
HOPELESS: Final = frozenset(
    {
        "CrashLoopBackOff",
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod of a revision. `ip` is "" until it has one; `trouble` says why it cannot start, or "".

    `unplaced`: no node has room for it. Whether one will, only its Revision knows: nodes may be added on demand.
    """

    uid: str
    name: str
    revision: Target
    ip: str
    port: int
    ready: bool
    leaving: bool
    trouble: str
    unplaced: bool


def read_pod(pod: Mapping[str, Any]) -> PodFacts | None:
    """The facts of a Pod object; None if it belongs to no revision."""
    meta = pod["metadata"]
    revision = (meta.get("labels") or {}).get(REVISION_LABEL)
    if not revision:
        return None
    status = pod.get("status") or {}
    return PodFacts(
        uid=str(meta.get("uid") or ""),
        name=str(meta["name"]),
        revision=Target(meta["namespace"], revision),
        ip=str(status.get("podIP") or ""),
        port=_queue_port(pod),
        ready=is_ready(pod),
        leaving=is_leaving(pod),
        trouble=_trouble(status),
        unplaced=condition_of(pod, "PodScheduled").get("status") == "False",
    )


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Kubernetes calls it ready."""
    return condition_of(pod).get("status") == "True"


def is_leaving(pod: Mapping[str, Any]) -> bool:
    """It is being deleted, or has ended."""
    phase = (pod.get("status") or {}).get("phase")
    return "deletionTimestamp" in pod["metadata"] or phase in ("Succeeded", "Failed")


def _queue_port(pod: Mapping[str, Any]) -> int:
    for container in (pod.get("spec") or {}).get("containers") or []:
        if container.get("name") != QUEUE_PROXY:
            continue
        for port in container.get("ports") or []:
            if port.get("name") == QUEUE_PORT_NAME:
                return int(port["containerPort"])
    return QUEUE_PORT_DEFAULT


def _trouble(status: Mapping[str, Any]) -> str:
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in HOPELESS:
            ended = (container.get("lastState") or {}).get("terminated") or {}
            message = _ending(ended) or waiting.get("message")
            return _sentence(waiting["reason"], message, container.get("name"))
    return ""


def _ending(terminated: Mapping[str, Any]) -> str:
    """How the container's last run ended, which says more than that it is being restarted."""
    if "exitCode" not in terminated:
        return ""
    message = str(terminated.get("message") or "").strip()
    ended = f"exit code {terminated['exitCode']}"
    return f"{ended}, {message}" if message else ended


def _sentence(reason: object, message: object, container: object) -> str:
    where = f"{reason} (container {container})"
    return f"{where}: {message}" if message else where


class Pod:
    """One pod: what Kubernetes says (`facts`) and what we have found out ourselves.

    `proven`: it passed our probe since Kubernetes last took its readiness away. `suspect`: it refused a
    connection, and has not passed a probe since.
    """

    __slots__ = ("announced", "backend", "facts", "probing", "proven", "suspect")

    def __init__(self, facts: PodFacts) -> None:
        self.facts = facts
        self.announced: Address | None = None
        self.backend: Backend | None = None
        self.proven = False
        self.suspect = False
        self.probing = False

    @property
    def address(self) -> Address | None:
        """Where its queue-proxy listens. Kubernetes' word on the IP counts, once it has one."""
        told = self.announced
        if told is not None and self.facts.ip in ("", told[0]):
            return told
        return (self.facts.ip, self.facts.port) if self.facts.ip else None

    def take_announcement(self, address: Address) -> bool:
        """Its queue-proxy says it listens there; False if Kubernetes says it has another IP or port."""
        if self.facts.ip not in ("", address[0]) or self.facts.port != address[1]:
            return False
        self.announced = address
        return True

    def usable(self, kubernetes_decides: bool) -> bool:
        if self.facts.leaving or self.suspect or self.address is None:
            return False
        return self.facts.ready or (self.proven and not kubernetes_decides)

    def settle(self) -> None:
        """Bring `backend` in line with the address; what was found out of another address is void."""
        address = self.address
        if address is None:
            self.backend = None
        elif self.backend is None or self.backend.address != address:
            if self.backend is not None:
                self.proven = self.suspect = False
            self.backend = Backend(address, self.facts.name, self)


class Group:
    """The pods of one revision, by uid. `known`: the Revision itself exists, not only pods of it.

    `waiting`: requests wait for a pod. `published` is what the revision may use, replaced when it changes.
    """

    __slots__ = (
        "delay_s",
        "due_s",
        "known",
        "kubernetes_decides",
        "last_round_s",
        "pods",
        "published",
        "revision",
        "timer",
        "waiting",
    )

    def __init__(self, revision: Target) -> None:
        self.revision = revision
        self.pods: dict[str, Pod] = {}
        self.published: list[Backend] = []
        self.known = False
        self.kubernetes_decides = False
        self.waiting = False
        self.timer: Cancellable | None = None
        self.last_round_s = -math.inf
        self.due_s = math.inf
        self.delay_s = 0.0

    def usable(self) -> list[Backend]:
        return [
            pod.backend for pod in self.pods.values() if pod.backend is not None and pod.usable(self.kubernetes_decides)
        ]

    def to_probe(self) -> list[Pod]:
        """Pods that a probe could make usable: all such while requests wait, else only suspects."""
        return [pod for pod in self.pods.values() if self.may_probe(pod) and (self.waiting or pod.suspect)]

    def may_probe(self, pod: Pod) -> bool:
        """It is not usable, and passing a probe would change that."""
        if pod.facts.leaving or pod.address is None:
            return False
        return pod.suspect or not (pod.facts.ready or pod.proven or self.kubernetes_decides)
