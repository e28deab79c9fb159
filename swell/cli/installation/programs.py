"""How the three programs are: Deployments and pods -> replicas, and in plain words what keeps them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from swell.api.meta import Obj, condition_of
from swell.cli.installation.render import PROGRAMS, SYSTEM_NAMESPACE

# A pod that only just begins: not a trouble.
_ON_ITS_WAY: Final = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True, slots=True)
class Program:
    """One program: replicas wanted, updated and ready, and what its pods or its Deployment complain of."""

    name: str
    wanted: int
    updated: int
    ready: int
    troubles: tuple[str, ...] = ()
    rolled_out: bool = False

    def __str__(self) -> str:
        trouble = f": {'; '.join(self.troubles)}" if self.troubles else ""
        return f"{self.name} {self.ready}/{self.wanted}{trouble}"


def programs(deployments: Iterable[Obj], pods: Iterable[Obj]) -> list[Program]:
    """All three, those too that are not there."""
    by_name = {each["metadata"]["name"]: each for each in deployments}
    all_pods = list(pods)
    return [_program(name, by_name.get(name), all_pods) for name in PROGRAMS]


def _program(name: str, deployment: Obj | None, pods: list[Obj]) -> Program:
    if deployment is None:
        return Program(name, 1, 0, 0, (f"the Deployment {name} is not there",))
    status = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
    own = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get("app") == name]
    troubles = (*_deployment_troubles(deployment), *(trouble for pod in own for trouble in _pod_troubles(pod)))
    # As long as there are more than the updated ones, those that are available may be the old ones.
    renewed = seen and updated >= wanted > 0 and status.get("replicas", 0) <= updated
    done = renewed and status.get("availableReplicas", 0) >= wanted
    return Program(name, wanted, updated, ready, tuple(dict.fromkeys(troubles)), rolled_out=done)


def _deployment_troubles(deployment: Obj) -> Iterator[str]:
    """What keeps pods from being made at all, such as a quota."""
    if deployment["spec"].get("replicas", 1) == 0:
        yield "scaled to 0 by somebody"
    failure = condition_of(deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        yield f"no pod can be made: {failure.get('message', failure.get('reason', ''))}"


def _pod_troubles(pod: Obj) -> Iterator[str]:
    if pod["metadata"].get("deletionTimestamp"):
        return
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"pod {name} has no node: {scheduled.get('message', scheduled.get('reason', ''))}"
    if status.get("phase") == "Failed":
        yield f"pod {name} failed: {status.get('message') or status.get('reason') or 'it says no more'}"
    for container in status.get("containerStatuses") or ():
        yield from _container_troubles(name, container)


def _container_troubles(pod: str, container: Obj) -> Iterator[str]:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if not reason or reason in _ON_ITS_WAY:
        return
    message = f": {waiting['message']}" if waiting.get("message") else ""
    ended = (container.get("lastState") or {}).get("terminated") or {}
    if ended:
        message = (
            f", its last run ended with {ended.get('reason', 'an error')} (exit code {ended.get('exitCode')}): "
            f"kubectl --namespace {SYSTEM_NAMESPACE} logs {pod} --previous"
        )
    yield f"pod {pod} cannot start: {reason}{message}"
