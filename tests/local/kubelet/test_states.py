"""A pod's status, made from the states of its containers."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.meta import Obj
from swell.local.kubelet.network import AppPorts, PodAddresses
from swell.local.kubelet.states import (
    ContainerView,
    Running,
    State,
    Terminated,
    Waiting,
    pod_status,
    terminated_from,
)
from swell.local.ports import APP_PORTS

GOOD, BAD = Terminated(0), Terminated(3)
PHASES: list[tuple[str, list[tuple[State, Terminated | None]], str]] = [
    ("Always", [(Waiting(), None), (Running(0.0), None)], "Pending"),
    ("Always", [(Running(0.0), None), (Running(0.0), None)], "Running"),
    ("Always", [(Waiting("CrashLoopBackOff"), BAD)], "Running"),
    ("Always", [(BAD, None)], "Running"),
    ("OnFailure", [(GOOD, None), (Running(0.0), None)], "Running"),
    ("OnFailure", [(GOOD, None), (BAD, None)], "Running"),
    ("OnFailure", [(GOOD, None), (GOOD, None)], "Succeeded"),
    ("Never", [(GOOD, None), (BAD, None)], "Failed"),
]


def _status(apps: list[ContainerView], policy: str = "Always", old: Obj | None = None, now_s: float = 0.0) -> Obj:
    pod: dict[str, Any] = {"spec": {"restartPolicy": policy}, "status": old or {}}
    return pod_status(pod, [], apps, ip="127.5.0.1", host_ip="127.0.0.1", now_s=now_s)


def _conditions(status: Obj) -> dict[str, str]:
    return {each["type"]: each["status"] for each in status["conditions"]}


@pytest.mark.parametrize(("policy", "states", "phase"), PHASES)
def test_phases(policy: str, states: list[tuple[State, Terminated | None]], phase: str) -> None:
    apps = [ContainerView(str(at), "x", state, last) for at, (state, last) in enumerate(states)]
    assert _status(apps, policy)["phase"] == phase


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    apps = [ContainerView("a", "x", Running(0.0), ready=True), ContainerView("b", "x", Running(0.0))]
    status = _status(apps, now_s=100.0)
    assert _conditions(status) == {
        "PodScheduled": "True",
        "Initialized": "True",
        "ContainersReady": "False",
        "Ready": "False",
    }
    assert status["conditions"][3]["message"] == "containers with unready status: [b]"
    apps[1] = ContainerView("b", "x", Running(0.0), ready=True)
    later = _status(apps, old=status, now_s=200.0)
    assert _conditions(later)["Ready"] == "True"
    assert later["startTime"] == status["startTime"]
    times = {each["type"]: each["lastTransitionTime"] for each in later["conditions"]}
    assert times["PodScheduled"] == "1970-01-01T00:01:40Z"
    assert times["Ready"] == "1970-01-01T00:03:20Z"


def test_the_same_states_make_the_same_status() -> None:
    apps = [ContainerView("a", "x", Running(0.0), ready=True)]
    first = _status(apps, now_s=100.0)
    assert _status(apps, old=first, now_s=200.0) == first


def test_a_gate_without_a_condition_stays_shut_and_breaks_nothing() -> None:
    pod: Obj = {"spec": {"readinessGates": [{}]}}
    app = ContainerView("a", "x", Running(0.0), ready=True)
    status = pod_status(pod, [], [app], ip="127.5.0.1", host_ip="127.0.0.1", now_s=0.0)
    assert _conditions(status) | {"Ready": "False", "ContainersReady": "True"} == _conditions(status)


def test_how_a_container_ended_survives_the_way_through_a_status() -> None:
    ended = Terminated(137, 9, 10.0, 20.0, "last words", "process://1-2")
    assert terminated_from(ended.to_obj()) == ended
    assert ended.to_obj()["terminated"]["reason"] == "Error"
    assert "signal" not in GOOD.to_obj()["terminated"]
    assert terminated_from({"running": {}}) is None


def test_addresses_and_ports_are_nobody_elses() -> None:
    addresses, ports = PodAddresses(), AppPorts()
    first = addresses.take([8012])
    assert addresses.take([8012], preferred=first) != first
    addresses.release(first)
    assert addresses.take([8012], preferred=first) == first
    taken = {ports.take() for _ in range(50)}
    assert len(taken) == 50 and taken < set(APP_PORTS)
