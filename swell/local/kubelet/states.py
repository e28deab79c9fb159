"""The states of a container, and a pod's status made from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from swell.api.meta import Obj, parse_rfc3339, rfc3339

CREATING: Final = "ContainerCreating"
INITIALIZING: Final = "PodInitializing"


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str = CREATING
    message: str = ""

    def to_obj(self) -> Obj:
        return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}


@dataclass(frozen=True, slots=True)
class Running:
    started_s: float

    def to_obj(self) -> Obj:
        return {"running": {"startedAt": rfc3339(self.started_s)}}


@dataclass(frozen=True, slots=True)
class Terminated:
    """`exit_code` is 128 + `signal` for a process that a signal ended. Times are unix seconds."""

    exit_code: int
    signal: int = 0
    started_s: float = 0.0
    finished_s: float = 0.0
    message: str = ""
    container_id: str = ""

    def to_obj(self) -> Obj:
        ended: Obj = {
            "exitCode": self.exit_code,
            "signal": self.signal,
            "reason": "Error" if self.exit_code else "Completed",
            "message": self.message,
            "startedAt": rfc3339(self.started_s),
            "finishedAt": rfc3339(self.finished_s),
            "containerID": self.container_id,
        }
        return {
            "terminated": {key: value for key, value in ended.items() if value != "" and (key, value) != ("signal", 0)}
        }


State = Waiting | Running | Terminated


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container as its pod's status shows it. `started`: its startup probe has passed, or it has none."""

    name: str
    image: str
    state: State
    last: Terminated | None = None
    ready: bool = False
    started: bool = False
    restarts: int = 0
    container_id: str = ""

    def to_obj(self) -> Obj:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "state": self.state.to_obj(),
            "lastState": self.last.to_obj() if self.last is not None else {},
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            **({"containerID": self.container_id} if self.container_id else {}),
        }


def terminated_from(status: Mapping[str, Any]) -> Terminated | None:
    """The `terminated` of a container state in a status, or None."""
    found = status.get("terminated")
    if not found:
        return None
    return Terminated(
        found.get("exitCode", 0),
        found.get("signal", 0),
        _unix_s(found.get("startedAt")),
        _unix_s(found.get("finishedAt")),
        found.get("message", ""),
        found.get("containerID", ""),
    )


def pod_status(
    pod: Obj, inits: Sequence[ContainerView], apps: Sequence[ContainerView], *, ip: str, host_ip: str, now_s: float
) -> Obj:
    """The whole status of a pod that is on this node. Times of what has not changed stay."""
    old: Obj = pod.get("status") or {}
    policy = pod["spec"].get("restartPolicy", "Always")
    initialized = all(_is_done(init) for init in inits)
    phase = _phase(inits, apps, policy)
    unready = [app.name for app in apps if not app.ready]
    finished = phase in ("Succeeded", "Failed")
    reason = "PodCompleted" if phase == "Succeeded" else "ContainersNotReady" if unready else ""
    message = f"containers with unready status: [{' '.join(unready)}]" if unready and not finished else ""
    gates = _gates_open(pod, old)
    gate_reason = reason or ("" if gates else "ReadinessGatesNotReady")
    conditions = [
        ("PodScheduled", True, "", ""),
        ("Initialized", initialized, "" if initialized else "ContainersNotInitialized", ""),
        ("ContainersReady", not unready, reason, message),
        ("Ready", not unready and gates, gate_reason, message),
    ]
    status: Obj = {
        "phase": phase,
        "qosClass": old.get("qosClass", "BestEffort"),
        "conditions": _conditions(conditions, old, now_s),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": old.get("startTime") or rfc3339(now_s),
        "containerStatuses": [app.to_obj() for app in apps],
    }
    if inits:
        status["initContainerStatuses"] = [init.to_obj() for init in inits]
    return status


def _conditions(wanted: Sequence[tuple[str, bool, str, str]], old: Obj, now_s: float) -> list[Obj]:
    before = {each["type"]: each for each in old.get("conditions") or ()}
    ours = {kind for kind, _, _, _ in wanted}
    foreign = [each for each in before.values() if each["type"] not in ours]
    return [_condition(before.get(kind[0]), *kind, now_s) for kind in wanted] + foreign


def _condition(before: Obj | None, kind: str, met: bool, reason: str, message: str, now_s: float) -> Obj:
    status = "True" if met else "False"
    same = before is not None and before["status"] == status
    changed = before["lastTransitionTime"] if same and before is not None else rfc3339(now_s)
    told = {"reason": reason, "message": message}
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": changed,
        **{key: value for key, value in told.items() if value},
    }


def _gates_open(pod: Obj, old: Obj) -> bool:
    true = {each["type"] for each in old.get("conditions") or () if each["status"] == "True"}
    return all(gate.get("conditionType") in true for gate in pod["spec"].get("readinessGates") or ())


def _is_done(init: ContainerView) -> bool:
    return isinstance(init.state, Terminated) and init.state.exit_code == 0


def _phase(inits: Sequence[ContainerView], apps: Sequence[ContainerView], policy: str) -> str:
    if policy == "Never" and any(isinstance(init.state, Terminated) and init.state.exit_code for init in inits):
        return "Failed"
    if any(isinstance(app.state, Waiting) and app.last is None for app in apps):
        return "Pending"
    ends = [app.state for app in apps if isinstance(app.state, Terminated)]
    if len(ends) < len(apps) or policy == "Always":
        return "Running"
    if all(end.exit_code == 0 for end in ends):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _unix_s(text: str | None) -> float:
    return parse_rfc3339(text) if text else 0.0
