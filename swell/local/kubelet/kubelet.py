"""The kubelet of the embedded cluster's only node: Pods in, processes out. It schedules too: there is no choice."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from swell.api.kinds import POD
from swell.api.meta import Obj
from swell.kube.client import KubeClient
from swell.kube.informer import Informer
from swell.local.host.client import Child, HostClient, HostLost
from swell.local.images import Images
from swell.local.kubelet.announcements import Announcements
from swell.local.kubelet.command import inherited_from
from swell.local.kubelet.logs import PodLogs
from swell.local.kubelet.network import NoneFree, require_loopback_network
from swell.local.kubelet.node import register
from swell.local.kubelet.pod import PodRunner
from swell.local.kubelet.runtime import CONTAINER_LABEL, LOG_LABEL, POD_LABEL, Runtime
from swell.local.kubelet.usage import Usage
from swell.runtime import log
from swell.runtime.clock import Clock

logger = log.get(__name__)


class Kubelet:
    """Runs the Pods of the node `node`, which it makes; `host` must be connected. What they write is in `logs`.

    Pods without a node become this node's. Whoever runs already when it starts is taken over as it is.
    """

    def __init__(
        self,
        kube: KubeClient,
        host: HostClient,
        images: Images,
        clock: Clock,
        *,
        state: Path,
        node: str = "local",
        logs: PodLogs | None = None,
    ) -> None:
        # Whoever reads logs must hold the same object: it knows what is still being written.
        self.logs = logs or PodLogs(state, clock)
        self._events = Announcements(kube, clock)
        self._runtime = Runtime(kube, host, images, clock, self._events, self.logs, node, inherited_from(os.environ))
        self._informer = Informer(kube, POD, clock=clock)
        self._informer.add_handler(self._on_pod)
        self._runners: dict[str, PodRunner] = {}
        self._usage = Usage(clock)
        self._found: dict[str, dict[str, Child]] = {}

    async def start(self) -> None:
        """Returns once it follows Pods and has taken over those that run; none that has died is called ready then.

        Raises `NoLoopbackAddresses`, `HostError`.
        """
        require_loopback_network()
        await register(self._runtime.kube, self._runtime.node, self._runtime.clock.wall())
        self._found = await self._find_running()
        await self._informer.start()
        await self._end_strangers()
        await asyncio.gather(*(runner.correct() for runner in tuple(self._runners.values())))
        self.logs.keep_only(self._informer.items())

    async def close(self) -> None:
        """Stop following; Pods run on, and the next kubelet takes them over."""
        await self._informer.close()
        for runner in self._runners.values():
            runner.abandon()
        await self._events.close()
        self.logs.close()

    def usage(self) -> list[Obj]:
        """What the pods that run use of processor and memory: PodMetrics of `metrics.k8s.io`; none without /proc."""
        return self._usage.read([(runner.pod, runner.processes) for runner in self._runners.values()])

    async def wait_failed(self) -> BaseException:
        """Returns when it cannot go on, with the reason: end this process, the next one takes over."""
        await self._runtime.host.wait_lost()
        return HostLost("the connection to the host was lost")

    def _on_pod(self, old: Obj | None, new: Obj | None) -> None:
        if new is None:
            runner = self._runners.pop(old["metadata"]["uid"], None) if old is not None else None
            if runner is not None:
                runner.gone()
        elif (known := self._runners.get(new["metadata"]["uid"])) is not None:
            known.update(new)
        elif new["spec"].get("nodeName", "") in ("", self._runtime.node):
            self._add(new)

    def _add(self, pod: Obj) -> None:
        uid = pod["metadata"]["uid"]
        try:
            runner = PodRunner(pod, self._runtime, self._found.pop(uid, {}))
        except NoneFree as exc:
            logger.error("a pod cannot run", pod=pod["metadata"]["name"], error=str(exc))
            self._events.tell(pod, "Warning", "FailedScheduling", str(exc))
            return
        self._runners[uid] = runner
        runner.start()

    async def _find_running(self) -> dict[str, dict[str, Child]]:
        """The latest process of each container, by pod; others are of no interest any more."""
        found: dict[str, dict[str, Child]] = {}
        for child in sorted(await self._runtime.host.processes(), key=lambda child: child.info.id):
            labels = child.info.labels
            containers = found.setdefault(labels.get(POD_LABEL, ""), {})
            earlier = containers.get(labels.get(CONTAINER_LABEL, ""))
            if earlier is not None:
                await self._drop(earlier)
            containers[labels.get(CONTAINER_LABEL, "")] = child
            if child.ended is None:
                self.logs.resume(labels.get(LOG_LABEL, os.devnull))
        for containers in found.values():
            # What a probe had started.
            probing = containers.pop("", None)
            if probing is not None:
                await self._drop(probing)
        return found

    async def _end_strangers(self) -> None:
        """Processes whose pod is gone."""
        for containers in self._found.values():
            await asyncio.gather(*(self._drop(child) for child in containers.values()))
        self._found.clear()

    async def _drop(self, child: Child) -> None:
        await self._runtime.host.signal(child, signal.SIGKILL, group=True)
        await child.wait()
        await self._runtime.host.forget(child)
