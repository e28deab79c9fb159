"""One container of a pod through all its instances: start, watch, start again, stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from swell.api.meta import Obj
from swell.kube.events import EventKind
from swell.local.host.client import Child, HostLost
from swell.local.host.wire import ProcessInfo
from swell.local.kubelet.actions import attempt_of
from swell.local.kubelet.backoff import CrashBackoff
from swell.local.kubelet.checks import Checks
from swell.local.kubelet.podspec import PodFacts, hook_of
from swell.local.kubelet.runtime import LOG_LABEL, Runtime
from swell.local.kubelet.starting import CONFIG_RETRY_S, Starter
from swell.local.kubelet.states import (
    CREATING,
    INITIALIZING,
    ContainerView,
    Running,
    State,
    Terminated,
    Waiting,
    terminated_from,
)
from swell.runtime import log

logger = log.get(__name__)

LOST: Final = "the process was gone when its pod was taken over"


class Owner(Protocol):
    """The pod, as its containers see it."""

    facts: PodFacts
    runtime: Runtime

    @property
    def pod(self) -> Obj: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    def changed(self) -> None: ...
    def tell(self, kind: EventKind, reason: str, message: str) -> None: ...


class Container:
    """`spec` is the container's; `policy` the pod's restartPolicy. `start` first, `stop` or `kill` to end it."""

    def __init__(self, spec: Obj, owner: Owner, policy: str, *, is_init: bool = False) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self._owner = owner
        self._runtime = owner.runtime
        self._policy = policy
        self._is_init = is_init
        self._child: Child | None = None
        self._state: State = Waiting(INITIALIZING if owner.pod["spec"].get("initContainers") else CREATING)
        self._last: Terminated | None = None
        self._restarts = 0
        self._id = ""
        self._backoff = CrashBackoff()
        self._stopping = False
        self._restarting: asyncio.Task[None] | None = None
        self._starter = Starter(spec, owner.facts, owner.runtime, self._wait)
        self._checks = Checks(owner.runtime.clock, self._on_checked)
        self._task: asyncio.Task[None] | None = None

    def recall(self, seen: Mapping[str, Any], child: Child | None) -> None:
        """Take over from an earlier kubelet: what the pod's status says of it, and its process if it has one.

        Without a process it has ended, and the policy says whether it is run again.
        """
        state = seen.get("state") or {}
        self._last = terminated_from(seen.get("lastState") or {})
        self._restarts = int(seen.get("restartCount") or 0)
        self._child = child
        if child is not None:
            if child.ended is None:
                self._state = Running(child.info.started_s)
                self._checks.recall(started=bool(seen.get("started")), ready=bool(seen.get("ready")))
            return
        if "running" in state:
            now_s = self._runtime.clock.wall()
            started = terminated_from({"terminated": state["running"]})
            ended: Terminated | None = Terminated(137, 9, started.started_s if started else now_s, now_s, LOST)
        else:
            ended = terminated_from(state)
        if ended is not None and not self._restarts_after(ended):
            self._state = ended
            self._stopping = True
            return
        self._last = ended or self._last
        if self._last is not None:
            self._restarts += 1

    def recall_done(self, seen: Mapping[str, Any]) -> None:
        """It did its work before an earlier kubelet ended; it is not run again."""
        self._stopping = True
        self._restarts = int(seen.get("restartCount") or 0)
        self._state = terminated_from(seen.get("state") or {}) or Terminated(0)

    @property
    def process(self) -> ProcessInfo | None:
        """Its first process, which leads a session of its own; None while it does not run."""
        return self._child.info if self._child is not None and self._child.ended is None else None

    @property
    def view(self) -> ContainerView:
        running = isinstance(self._state, Running)
        done = self._is_init and isinstance(self._state, Terminated) and self._state.exit_code == 0
        return ContainerView(
            self.name,
            self.spec["image"],
            self._state,
            self._last,
            ready=done or (running and self._checks.ready),
            started=running and self._checks.started,
            restarts=self._restarts,
            container_id=self._id,
        )

    def start(self) -> asyncio.Task[None]:
        """The task that runs it, until it is over for good."""
        self._task = self._background(self._run)
        return self._task

    def abandon(self) -> None:
        """Watch it no longer; its process runs on."""
        self._checks.stop()
        if self._task is not None:
            self._task.cancel()

    async def stop(self, grace_s: float) -> None:
        """preStop, SIGTERM, and after `grace_s` SIGKILL; returns when it has ended. It is not started again."""
        self._stopping = True
        if self._child is not None:
            self._owner.tell("Normal", "Killing", f"Stopping container {self.name}")
            await self._end(self._child, grace_s)
        await self._over()

    async def kill(self) -> None:
        """SIGKILL, now; returns when it has ended. It is not started again."""
        self._stopping = True
        if self._child is not None:
            await self._kill(self._child)
        await self._over()

    async def _over(self) -> None:
        if self._task is None:
            return
        if self._child is None and not self._starter.launching:
            self._task.cancel()
        await asyncio.wait((self._task,))

    async def _run(self) -> None:
        if self._stopping:
            self._owner.changed()  # it was over when it was taken over
        while not self._stopping:
            try:
                if await self._run_instance():
                    return
            except HostLost:
                raise
            except Exception as exc:  # noqa: BLE001 - it is logged there, unless it only came again
                await self._wait_after_fault(exc)

    async def _run_instance(self) -> bool:
        """Start an instance unless one runs, and see it through; True if it was the last."""
        if self._child is None:
            self._child = await self._starter.start(self._owner.pod, self._restarts, self._owner.labels)
            self._owner.tell("Normal", "Pulled", f'Container image "{self.spec["image"]}" is on this machine')
            if self._stopping:  # while it was being started
                await self._kill(self._child)
        ended = await self._watched(self._child)
        self._child = None
        self._set(ended)
        if self._stopping or not self._restarts_after(ended):
            return True
        self._backoff = self._backoff.after_end(ended.finished_s - ended.started_s)
        await self._wait_to_restart(ended)
        return False

    async def _wait_after_fault(self, fault: Exception) -> None:
        """What nobody foresaw is shown to the user too, and may heal. Returns when it is time to try again."""
        text = f"{type(fault).__name__}: {fault}"
        if not (isinstance(self._state, Waiting) and self._state.message == text):
            logger.exception("a container's task failed", pod=self._owner.facts.name, container=self.name)
        self._wait("CreateContainerError", text)
        await self._runtime.clock.sleep(CONFIG_RETRY_S)

    def _restarts_after(self, ended: Terminated) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and ended.exit_code != 0)

    async def _wait_to_restart(self, ended: Terminated) -> None:
        self._last = ended
        delay_s = self._backoff.delay_s
        if delay_s:
            facts = self._owner.facts
            where = f"container={self.name} pod={facts.name}_{facts.namespace}({facts.uid})"
            message = f"back-off {delay_s:g}s restarting failed {where}"
            self._owner.tell("Warning", "BackOff", message)
            self._set(Waiting("CrashLoopBackOff", message))
            await self._runtime.clock.sleep(delay_s)
        self._restarts += 1

    def _wait(self, reason: str, message: str) -> None:
        self._owner.tell("Warning", "Failed", f"{reason}: {message}")
        self._set(Waiting(reason, message))

    async def _watched(self, child: Child) -> Terminated:
        """Run its probes until it has ended; returns how."""
        path = child.info.labels.get(LOG_LABEL, os.devnull)
        self._id = f"process://{child.info.id}-{child.info.pid}"
        if child.ended is None:
            await self._begin_checks()
            if not isinstance(self._state, Running):
                self._owner.tell("Normal", "Started", f"Started container {self.name}")
            self._set(Running(child.info.started_s))
        ended = await child.wait()
        self._checks.stop()
        self._runtime.logs.end(path)
        self._background(self._runtime.host.forget, child)
        message = self._last_words(path, ended.code)
        return Terminated(ended.code, ended.signal, child.info.started_s, ended.at_s, message, self._id)

    async def _begin_checks(self) -> None:
        facts, runtime = self._owner.facts, self._runtime
        command = await self._starter.command(self._owner.pod)
        try:
            self._checks.begin(self.spec, lambda action: attempt_of(action, self.spec, facts, runtime, command))
        except ValueError as exc:
            self._owner.tell("Warning", "Unhealthy", str(exc))

    def _on_checked(self, kind: str, passed: bool, message: str) -> None:
        """A probe has come to a verdict."""
        if not passed:
            self._owner.tell("Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {message}")
            if kind != "readiness":
                self._restart(f"Container {self.name} failed {kind} probe, will be restarted")
        self._owner.changed()

    def _restart(self, why: str) -> None:
        """End the instance; the policy starts the next."""
        child = self._child
        if child is None or self._stopping or (self._restarting is not None and not self._restarting.done()):
            return
        self._owner.tell("Normal", "Killing", why)
        grace_s = float(self._owner.pod["spec"].get("terminationGracePeriodSeconds", 30))
        self._restarting = self._background(self._end, child, grace_s)

    async def _end(self, child: Child, grace_s: float) -> None:
        kill_later = self._runtime.clock.call_later(grace_s, lambda: self._background(self._kill, child))
        try:
            await self._before_stop(child, grace_s)
            await self._runtime.host.signal(child, signal.SIGTERM, group=self._starter.compound)
            await child.wait()
        finally:
            kill_later.cancel()

    async def _kill(self, child: Child) -> None:
        await self._runtime.host.signal(child, signal.SIGKILL, group=True)

    async def _before_stop(self, child: Child, grace_s: float) -> None:
        """The preStop hook, for as long as the container lives."""
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if not hook or grace_s <= 0:
            return
        done = self._background(self._run_hook, hook, grace_s)
        ended = asyncio.ensure_future(child.wait())
        await asyncio.wait((done, ended), return_when=asyncio.FIRST_COMPLETED)
        done.cancel()
        ended.cancel()

    async def _run_hook(self, hook: Obj, grace_s: float) -> None:
        try:
            command = await self._starter.command(self._owner.pod)
            facts = self._owner.facts
            attempt = attempt_of(hook_of(hook, facts), self.spec, facts, self._runtime, command)
            message = await attempt(grace_s)
        except ValueError as exc:
            message = str(exc)
        if message:
            self._owner.tell("Warning", "FailedPreStopHook", f"PreStopHook failed: {message}")

    def _last_words(self, path: str, code: int) -> str:
        if code == 0 or self.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        return self._runtime.logs.last_words(path)

    def _set(self, state: State) -> None:
        self._state = state
        self._owner.changed()

    def _background(self, work: Callable[..., Awaitable[None]], *args: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(_until_lost(work, *args), name=f"{self._owner.facts.name}/{self.name}")
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return task


# The loop itself keeps no hold on tasks.
_tasks: set[asyncio.Task[None]] = set()


async def _until_lost(work: Callable[..., Awaitable[None]], *args: Any) -> None:
    try:
        await work(*args)
    except HostLost:
        return  # the kubelet ends with it; whoever starts next takes over
    except Exception:
        task = asyncio.current_task()
        logger.exception("a container's task failed", task=task.get_name() if task is not None else "")
