"""What all pods of the node share, and how one container is started with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from swell.api.meta import Obj
from swell.kube.client import KubeClient
from swell.kube.errors import KubeError, NotFound
from swell.local.host.client import Child, HostClient, HostError, HostLost
from swell.local.images import Image, ImageError, Images, unknown_image
from swell.local.kubelet.announcements import Announcements
from swell.local.kubelet.command import Command, command_of
from swell.local.kubelet.environment import ConfigError, Source, sources_of
from swell.local.kubelet.logs import PodLogs
from swell.local.kubelet.network import AppPorts, PodAddresses
from swell.local.kubelet.podspec import QUEUE_PROXY_MODULE, PodFacts, is_queue_proxy
from swell.runtime.clock import Clock

POD_LABEL: Final = "pod"
CONTAINER_LABEL: Final = "container"
LOG_LABEL: Final = "log"


class CannotStart(Exception):
    """A container cannot be started now: the reason and message of its waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class NoImage(CannotStart):
    """Its image is not registered."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The node's means: whom to ask, what to give."""

    kube: KubeClient
    host: HostClient
    images: Images
    clock: Clock
    events: Announcements
    logs: PodLogs
    node: str
    inherited: Mapping[str, str]
    addresses: PodAddresses = field(default_factory=PodAddresses)
    ports: AppPorts = field(default_factory=AppPorts)

    async def command(self, container: Mapping[str, Any], pod: Obj, facts: PodFacts) -> Command:
        """What to run for the container. Asks the API only where its environment needs it. Raises `CannotStart`."""
        try:
            sources = {source: await self._source(source, facts) for source in sources_of(container)}
            image = None if is_queue_proxy(container) else self._image(container)
            return command_of(container, pod, facts, sources, image, self.inherited)
        except (ConfigError, KubeError) as exc:
            raise CannotStart("CreateContainerConfigError", str(exc)) from exc
        except ImageError as exc:
            raise CannotStart("CreateContainerError", str(exc)) from exc

    async def run(self, command: Command, log_path: str, labels: Mapping[str, str]) -> Child:
        """Start it on the host. Raises `CannotStart`, and `HostLost`."""
        try:
            if not command.argv:
                return await self.host.fork(QUEUE_PROXY_MODULE, env=command.env, log_path=log_path, labels=labels)
            return await self.host.spawn(
                command.argv, env=command.env, cwd=command.cwd, log_path=log_path, labels=labels
            )
        except HostLost:
            raise
        except HostError as exc:
            raise CannotStart("CreateContainerError", str(exc)) from exc

    def _image(self, container: Mapping[str, Any]) -> Image:
        image = self.images.find(container["image"])
        if image is None:
            raise NoImage("ErrImagePull", unknown_image(container["image"]))
        return image

    async def _source(self, source: Source, facts: PodFacts) -> Obj | None:
        kind, name = source
        try:
            return await self.kube.get(kind, facts.namespace, name)
        except NotFound:
            return None
