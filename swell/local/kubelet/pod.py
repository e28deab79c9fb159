"""One pod from the moment it is seen until nothing is left of it: its containers, its status, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from swell.api.kinds import POD
from swell.api.meta import Obj, condition_of
from swell.kube.apply import write_status
from swell.kube.errors import Conflict, KubeError, NotFound
from swell.kube.events import EventKind
from swell.local.host.client import Child, HostLost
from swell.local.host.wire import ProcessInfo
from swell.local.kubelet.container import Container
from swell.local.kubelet.podspec import PodFacts, app_ports, grace_s, own_ports
from swell.local.kubelet.runtime import POD_LABEL, Runtime
from swell.local.kubelet.states import Terminated, pod_status
from swell.runtime import log
from swell.runtime.clock import Cancellable

GATHER_S: Final = 0.02
"""Changes that come this close together are written as one."""
RETRY_S: Final = 0.5
CORRECT_S: Final = 2.0
"""A store that cannot be written must not keep the node from starting."""
_IP_LABEL: Final = "ip"
_PORTS_LABEL: Final = "ports"

logger = log.get(__name__)


class PodRunner:
    """Runs one pod. `children`: its processes that run already, by container, when a kubelet takes over."""

    def __init__(self, pod: Obj, runtime: Runtime, children: Mapping[str, Child]) -> None:
        self.pod = pod
        self.runtime = runtime
        self.facts = _facts(pod, runtime, children)
        self._stored = pod
        spec, policy = pod["spec"], pod["spec"].get("restartPolicy", "Always")
        init_policy = "Never" if policy == "Never" else "OnFailure"
        self._inits = [Container(each, self, init_policy, is_init=True) for each in spec.get("initContainers") or ()]
        self._apps = [Container(each, self, policy) for each in spec["containers"]]
        self._recall(children)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.Task[None] | None = None
        self._again = False
        self._ending = False
        self._over = False
        self._killer: Cancellable | None = None
        self._closed = False

    @property
    def labels(self) -> Mapping[str, str]:
        """What the host remembers of each of its processes, for whoever takes over."""
        ports = ",".join(f"{asked}={real}" for asked, real in self.facts.ports.items())
        return {POD_LABEL: self.facts.uid, _IP_LABEL: self.facts.ip, _PORTS_LABEL: ports}

    @property
    def processes(self) -> dict[str, ProcessInfo]:
        """The first process of each of its containers that runs now, by name."""
        return {each.name: process for each in self._apps if (process := each.process) is not None}

    def start(self) -> None:
        """Run its containers; one that is being deleted, or is over, only ends."""
        if "deletionTimestamp" in self.pod["metadata"]:
            self._end_soon()
        elif (self.pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            if not self.pod["spec"].get("nodeName"):
                where = f"{self.facts.namespace}/{self.facts.name} to {self.facts.node}"
                self.tell("Normal", "Scheduled", f"Successfully assigned {where}")
            self._spawn(self._run)

    async def correct(self) -> None:
        """Have the status say that the pod is not ready, if it was before its processes died; returns once it does."""
        if condition_of(self._stored).get("status") == "True" and not all(app.view.ready for app in self._apps):
            self.changed()
            if self._writer is not None:
                await asyncio.wait((self._writer,), timeout=CORRECT_S)

    def update(self, pod: Obj) -> None:
        """The pod's object has changed."""
        shorter = self._ending and grace_s(pod) < grace_s(self.pod)
        self.pod = pod
        if _version(pod) > _version(self._stored):
            self._stored = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._end_soon()
            if shorter:
                self._kill_in(grace_s(pod))

    def gone(self) -> None:
        """The object is deleted: nothing may be left."""
        self._over = True
        self._spawn(self._clean_up)

    def abandon(self) -> None:
        """Stop caring; its processes run on."""
        self._closed = True
        if self._killer is not None:
            self._killer.cancel()
        for container in self._all:
            container.abandon()
        for task in self._tasks:
            task.cancel()

    def changed(self) -> None:
        """A container has; the status follows."""
        if self._over or self._closed:
            return
        if self._writer is None or self._writer.done():
            self._writer = self._spawn(self._write)
        else:
            self._again = True

    def tell(self, kind: EventKind, reason: str, message: str) -> None:
        self.runtime.events.tell(self.pod, kind, reason, message)

    @property
    def _all(self) -> list[Container]:
        return [*self._inits, *self._apps]

    def _recall(self, children: Mapping[str, Child]) -> None:
        status = self.pod.get("status") or {}
        shown = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
        seen = {each["name"]: each for each in shown}
        for app in self._apps:
            if app.name in seen or app.name in children:
                app.recall(seen.get(app.name, {}), children.get(app.name))
        over = all(isinstance(app.view.state, Terminated) for app in self._apps)
        apps_began = over or any(app.name in children for app in self._apps)
        for init in self._inits:
            if apps_began:
                init.recall_done(seen.get(init.name, {}))
            elif init.name in children:
                init.recall(seen.get(init.name, {}), children[init.name])

    async def _run(self) -> None:
        for init in self._inits:
            if not await self._initialized(init):
                return
        for app in self._apps:
            app.start()
        if self._stored.get("status", {}).get("podIP") not in (None, self.facts.ip):
            self.changed()  # who asks its old address must soon hear of the new one

    async def _initialized(self, init: Container) -> bool:
        await asyncio.wait((init.start(),))
        state = init.view.state
        self.changed()
        return isinstance(state, Terminated) and state.exit_code == 0

    # --- status

    async def _write(self) -> None:
        while True:
            await self.runtime.clock.sleep(GATHER_S)
            self._again = False
            try:
                await self._write_once()
            except (NotFound, Conflict) as exc:
                logger.debug("a pod went before its status was written", pod=self.facts.name, error=exc.message)
            except KubeError as exc:
                logger.warning("a pod's status was not written", pod=self.facts.name, error=exc.message)
                await self.runtime.clock.sleep(RETRY_S)
                continue
            if not self._again or self._over:
                return

    async def _write_once(self) -> None:
        kube, facts = self.runtime.kube, self.facts
        if not self._stored["spec"].get("nodeName"):
            binding = {"metadata": {"uid": facts.uid}, "spec": {"nodeName": facts.node}}
            self._stored = await kube.patch(POD, facts.namespace, facts.name, binding)
        status = pod_status(
            self._stored,
            [init.view for init in self._inits],
            [app.view for app in self._apps],
            ip=facts.ip,
            host_ip=facts.host_ip,
            now_s=self.runtime.clock.wall(),
        )
        self._stored = await write_status(kube, POD, self._stored, status)

    # --- the end

    def _end_soon(self) -> None:
        if not self._ending:
            self._ending = True
            self._spawn(self._end)

    async def _end(self) -> None:
        grace = grace_s(self.pod)
        await asyncio.gather(*(container.stop(grace) for container in self._all))
        while not self._over:
            try:
                facts = self.facts
                await self.runtime.kube.delete(POD, facts.namespace, facts.name, uid=facts.uid, grace_period_s=0)
                return
            except (NotFound, Conflict):
                return
            except KubeError as exc:
                logger.warning("a pod that ended was not deleted", pod=self.facts.name, error=exc.message)
                await self.runtime.clock.sleep(RETRY_S)

    def _kill_in(self, delay_s: float) -> None:
        if self._killer is not None:
            self._killer.cancel()
        self._killer = self.runtime.clock.call_later(delay_s, lambda: self._spawn(self._kill))

    async def _kill(self) -> None:
        await asyncio.gather(*(container.kill() for container in self._all))

    async def _clean_up(self) -> None:
        await self._kill()
        if self._killer is not None:
            self._killer.cancel()
        self.runtime.logs.remove(self.pod)
        self.runtime.addresses.release(self.facts.ip)
        self.runtime.ports.release(self.facts.ports.values())

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work), name=f"pod {self.facts.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except HostLost:
            return  # the kubelet ends with it; whoever starts next takes over
        except Exception:
            logger.exception("a pod's task failed", pod=self.facts.name)


def _facts(pod: Obj, runtime: Runtime, children: Mapping[str, Child]) -> PodFacts:
    """What its processes know already, or addresses and ports of its own."""
    meta, spec = pod["metadata"], pod["spec"]
    known = next((child.info.labels for child in children.values()), None)
    if known is not None:
        ip = known[_IP_LABEL]
        pairs = (pair.split("=") for pair in known[_PORTS_LABEL].split(",") if pair)
        ports = {int(asked): int(real) for asked, real in pairs}
        runtime.addresses.hold(ip)
        runtime.ports.hold(ports.values())
    else:
        before = (pod.get("status") or {}).get("podIP", "")
        ip = runtime.addresses.take(own_ports(spec), preferred=before)
        ports = {asked: runtime.ports.take() for asked in app_ports(spec)}
    return PodFacts(meta.get("namespace", ""), meta["name"], meta["uid"], ip, runtime.node, ports)


def _version(obj: Obj) -> int:
    text = str(obj["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdecimal() else 0
