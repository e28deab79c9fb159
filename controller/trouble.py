"""What Deployments and pods say about a start that does not succeed (spec api 5.4). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.resources.queue_container import NAME as QUEUE_PROXY
from controller.status_rules import CONTAINER_HEALTHY, RESOURCES_AVAILABLE
from swell.api.conditions import Condition
from swell.api.meta import Obj, condition_of

DEADLINE_EXCEEDED: Final = "ProgressDeadlineExceeded"
# What every container waits for at first: no trouble yet.
_USUAL_WAITS: Final = frozenset(("", "ContainerCreating", "PodInitializing"))


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of a pod, and the condition that it belongs to. One that is not `fatal` may pass by itself."""

    condition: str
    reason: str
    message: str
    fatal: bool = True
    unscheduled: bool = False


def progress_of(deployment: Obj) -> Condition:
    """What the Deployment's conditions come to: True while it gets on."""
    failure = condition_of(deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        return Condition("Progressing", "False", failure.get("reason") or "", failure.get("message") or "")
    progressing = condition_of(deployment, "Progressing")
    if not progressing:
        return Condition("Progressing", "Unknown", "Deploying")
    return Condition(
        "Progressing", progressing["status"], progressing.get("reason") or "", progressing.get("message") or ""
    )


def is_overdue(progress: Condition) -> bool:
    """Whether the Deployment's progress deadline has passed."""
    return progress.is_false and progress.reason == DEADLINE_EXCEEDED


def of_pod(pod: Obj | None, *, deadline_passed: bool) -> Iterator[Trouble]:
    """What keeps this pod from serving, in the order in which it is to be told.

    A container that waits for its image, say, is told of at once, and is fatal only when the Deployment's
    deadline has passed: until then somebody may mend it.
    """
    if pod is None:
        return
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        reason, message = scheduled.get("reason") or "", scheduled.get("message") or ""
        yield Trouble(RESOURCES_AVAILABLE, reason, message, unscheduled=True)
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container.get("name") == QUEUE_PROXY:
            continue
        if found := _of_container(container, deadline_passed):
            yield found
            return


def summary(pod: Obj | None) -> tuple[Trouble, ...]:
    """What of a pod matters here: a change that leaves this equal needs no look at the revision."""
    return tuple(of_pod(pod, deadline_passed=False))


def _of_container(container: Mapping[str, Any], deadline_passed: bool) -> Trouble | None:
    ended = (container.get("lastState") or {}).get("terminated")
    if ended:
        code, message = ended.get("exitCode", 0), str(ended.get("message") or "").rstrip()
        if not code and not message:
            message = "container exited with no error"
        return Trouble(CONTAINER_HEALTHY, f"ExitCode{code}", f"Container failed with: {message}")
    waiting = (container.get("state") or {}).get("waiting") or {}
    if (reason := waiting.get("reason") or "") in _USUAL_WAITS:
        return None
    return Trouble(RESOURCES_AVAILABLE, reason, waiting.get("message") or "", fatal=deadline_passed)
