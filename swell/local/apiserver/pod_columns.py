"""What `kubectl get pods` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from swell.api.meta import Obj, condition_of
from swell.local.apiserver.ages import age_of
from swell.local.apiserver.resource import Column


def container_names(pod_spec: Obj) -> str:
    return ",".join(each["name"] for each in pod_spec.get("containers") or ())


def images(pod_spec: Obj) -> str:
    return ",".join(each.get("image", "") for each in pod_spec.get("containers") or ())


def shown_status(pod: Obj) -> str:
    """The STATUS column: the most telling reason among phase, containers and deletion."""
    status = pod.get("status", {})
    reason = _init_reason(pod) or _container_reason(pod) or status.get("reason") or status.get("phase", "Unknown")
    if pod["metadata"].get("deletionTimestamp") and status.get("phase") not in ("Succeeded", "Failed"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _init_reason(pod: Obj) -> str:
    """Why init containers hold the pod up; "" if they do not."""
    statuses = pod.get("status", {}).get("initContainerStatuses") or ()
    total = len(pod["spec"].get("initContainers") or ())
    for index, container in enumerate(statuses):
        state = container.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if ended is not None:
            return f"Init:{_ended_reason(ended)}"
        waiting = (state.get("waiting") or {}).get("reason", "")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{index}/{total}"
    return ""


def _container_reason(pod: Obj) -> str:
    """The reason of the first container that waits or has ended; "" if all run."""
    containers = list(_containers(pod.get("status", {})))
    reasons = [_state_reason(each) for each in containers]
    told = next((reason for reason in reasons if reason), "")
    running = any(each.get("ready") and "running" in (each.get("state") or {}) for each in containers)
    if told == "Completed" and running:
        return "Running" if condition_of(pod).get("status") == "True" else "NotReady"
    return told


def _containers(status: Obj) -> Iterator[Obj]:
    yield from status.get("containerStatuses") or ()


def _state_reason(container: Obj) -> str:
    state = container.get("state") or {}
    if state.get("waiting") and state["waiting"].get("reason"):
        return str(state["waiting"]["reason"])
    if state.get("terminated") is not None:
        return _ended_reason(state["terminated"])
    return ""


def _ended_reason(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _ready(pod: Obj, _: float) -> str:
    ready = sum(bool(each.get("ready")) for each in _containers(pod.get("status", {})))
    return f"{ready}/{len(pod['spec'].get('containers') or ())}"


def _restarts(pod: Obj, now_s: float) -> str:
    statuses = list(_containers(pod.get("status", {})))
    restarts = sum(each.get("restartCount", 0) for each in statuses)
    ends = [((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt", "") for each in statuses]
    last = max(ends, default="")
    return f"{restarts} ({age_of(last, now_s)} ago)" if restarts and last else str(restarts)


def _gates(pod: Obj, _: float) -> str:
    gates = [gate.get("conditionType") for gate in pod["spec"].get("readinessGates") or ()]
    if not gates:
        return "<none>"
    conditions = pod.get("status", {}).get("conditions") or ()
    true = {each.get("type") for each in conditions if each.get("status") == "True"}
    return f"{sum(gate in true for gate in gates)}/{len(gates)}"


def _age(pod: Obj, now_s: float) -> str:
    return age_of(pod["metadata"].get("creationTimestamp"), now_s)


def _text(part: str, key: str) -> Any:
    return lambda pod, _: pod.get(part, {}).get(key) or "<none>"


POD_COLUMNS: Final = (
    Column("Ready", _ready, description="How many containers are ready, of how many."),
    Column("Status", lambda pod, _: shown_status(pod)),
    Column("Restarts", _restarts),
    Column("Age", _age),
    Column("IP", _text("status", "podIP"), priority=1),
    Column("Node", _text("spec", "nodeName"), priority=1),
    Column("Nominated Node", _text("status", "nominatedNodeName"), priority=1),
    Column("Readiness Gates", _gates, priority=1),
)
"""After the name."""
