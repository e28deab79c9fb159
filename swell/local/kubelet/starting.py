"""Getting an instance of a container started, however long it takes: images and configuration may be missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from swell.api.meta import Obj
from swell.local.host.client import Child
from swell.local.kubelet.backoff import image_delay_s
from swell.local.kubelet.command import Command
from swell.local.kubelet.podspec import PodFacts
from swell.local.kubelet.runtime import CONTAINER_LABEL, LOG_LABEL, CannotStart, NoImage, Runtime
from swell.runtime import log

ERR_IMAGE_LOOKS: Final = 2
IMAGES_LOOK_S: Final = 0.5
CONFIG_RETRY_S: Final = 2.0

logger = log.get(__name__)


class Starter:
    """Starts instances of one container. `wait(reason, message)` is told why one has to wait.

    `launching`: the host was asked and has not answered; whoever cancels then loses sight of a process.
    """

    def __init__(self, spec: Obj, facts: PodFacts, runtime: Runtime, wait: Callable[[str, str], object]) -> None:
        self._spec = spec
        self._facts = facts
        self._runtime = runtime
        self._wait = wait
        self._command: Command | None = None
        self.launching = False

    @property
    def compound(self) -> bool:
        """Whether signals must go to the whole group of what was started last."""
        return self._command is not None and self._command.compound

    async def start(self, pod: Obj, instance: int, labels: Mapping[str, str]) -> Child:
        """Start an instance; tries again until it can be started. Raises `HostLost`."""
        attempts = 0
        while True:
            try:
                return await self._launch(pod, instance, labels)
            except NoImage as exc:
                attempts += 1
                await self._wait_for_image(exc, attempts)
            except CannotStart as exc:
                self._wait(exc.reason, exc.message)
                await self._runtime.clock.sleep(CONFIG_RETRY_S)

    async def command(self, pod: Obj) -> Command:
        """What was started: its environment and folder are those of its probes and hooks."""
        if self._command is None:
            self._command = await self._command_again(pod)
        return self._command

    async def _launch(self, pod: Obj, instance: int, labels: Mapping[str, str]) -> Child:
        name = self._spec["name"]
        self._command = await self._runtime.command(self._spec, pod, self._facts)
        path = self._runtime.logs.begin(pod, name, instance)
        self.launching = True
        try:
            return await self._runtime.run(self._command, path, {**labels, CONTAINER_LABEL: name, LOG_LABEL: path})
        finally:
            self.launching = False

    async def _wait_for_image(self, missing: NoImage, attempts: int) -> None:
        """Returns when the images have changed, or after the back-off."""
        version = self._runtime.images.version()
        self._wait("ErrImagePull", missing.message)
        looks = ERR_IMAGE_LOOKS + round(image_delay_s(attempts) / IMAGES_LOOK_S)
        for look in range(looks):
            if look == ERR_IMAGE_LOOKS:
                self._wait("ImagePullBackOff", f'Back-off pulling image "{self._spec["image"]}": {missing.message}')
            await self._runtime.clock.sleep(IMAGES_LOOK_S)
            if self._runtime.images.version() != version:
                return

    async def _command_again(self, pod: Obj) -> Command:
        """For a container that was taken over from an earlier kubelet."""
        try:
            return await self._runtime.command(self._spec, pod, self._facts)
        except CannotStart as exc:
            name = self._spec["name"]
            logger.warning("a container runs on, but would not start again", container=name, error=exc.message)
            return Command((), self._runtime.inherited, "/")
