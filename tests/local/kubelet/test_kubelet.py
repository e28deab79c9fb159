"""Pods as real processes, from creation to the last trace."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP, NODE, POD
from swell.api.meta import Obj, condition_of
from swell.local.apiserver.podlogs import LogOptions
from swell.local.kubelet.actions import execute
from swell.local.kubelet.command import Command
from swell.local.kubelet.podspec import PodFacts
from swell.testing.processes import children, command_line
from swell.testing.waiting import until

APP = {"name": "user-container", "image": "app", "terminationMessagePolicy": "FallbackToLogsOnError"}


def status_of(pod: Obj, container: str = "user-container") -> Obj:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return next((status for status in statuses if status["name"] == container), {})


def waiting(pod: Obj, container: str = "user-container") -> Obj:
    return dict(status_of(pod, container).get("state", {}).get("waiting", {}))


def is_ready(pod: Obj) -> bool:
    return condition_of(pod).get("status") == "True"


def pid_of(pod: Obj, container: str = "user-container") -> int:
    return int(status_of(pod, container)["containerID"].rpartition("-")[2])


async def log_of(node: Any, pod: Obj, container: str = "user-container", **options: Any) -> str:
    pieces = [piece async for piece in node.kubelet.logs.read(pod, container, LogOptions(**options))]
    return b"".join(pieces).decode()


async def test_a_pod_becomes_two_processes_and_ready(node: Any, queue_proxy: Obj) -> None:
    await node.create("web", APP, queue_proxy)
    pod = await node.until("web", is_ready)
    status = pod["status"]
    assert pod["spec"]["nodeName"] == "local"
    assert status["phase"] == "Running"
    assert status["podIP"].startswith("127.") and status["podIP"] != "127.0.0.1"
    assert {each["type"]: each["status"] for each in status["conditions"]} == dict.fromkeys(
        ("PodScheduled", "Initialized", "ContainersReady", "Ready"), "True"
    )
    port = (await log_of(node, pod)).removeprefix("listening on ").strip()
    told = await log_of(node, pod, "queue-proxy")
    assert f"('USER_PORT', '{port}')" in told and port != "8080"
    assert f'\\"port\\":{port}' in told or f'"port":{port}' in told
    assert "k-network-probe: queue" in told and "kube-probe/" in told
    assert len(list(children(node.host.process.pid))) == 2


async def test_the_node_is_there_and_ready(node: Any) -> None:
    found = await node.kube.get(NODE, None, "local")
    assert is_ready(found)
    assert found["status"]["allocatable"]["cpu"] == str(os.cpu_count())


async def test_a_deleted_pod_ends_in_order_and_leaves_nothing(node: Any, queue_proxy: Obj) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"echo hook >> {node.state}/order"]}}}
    script = f"trap 'echo app >> {node.state}/order; exit 0' TERM; echo up; while :; do sleep 0.02; done"
    node.images.add("trap", command=f'sh -c "{script}"')
    await node.create("web", {**APP, "image": "trap", "lifecycle": hook}, {**queue_proxy, "readinessProbe": None})
    pod = await node.until("web", lambda pod: "running" in status_of(pod).get("state", {}))
    await until(lambda: node.host.text(f"logs/pods/default_web_{pod['metadata']['uid']}/user-container.0.log"))
    await node.delete("web")
    await node.until_gone("web")
    assert node.host.text("order").split() == ["hook", "app"]
    await until(lambda: not list((node.state / "logs" / "pods").glob("*")))
    assert list(children(node.host.process.pid)) == []


async def test_a_line_of_several_commands_is_stopped_as_gently_as_one(node: Any) -> None:
    script = f"trap 'echo app >> {node.state}/order; exit 0' TERM; echo up; while :; do sleep 0.02; done"
    node.images.add("two", command=f'echo first && sh -c "{script}" && echo last')
    await node.create("two", {**APP, "image": "two"})
    pod = await node.until("two", is_ready)
    path = f"logs/pods/default_two_{pod['metadata']['uid']}/user-container.0.log"
    await until(lambda: node.host.text(path) == "first\nup\n")
    await node.delete("two")
    await node.until_gone("two")
    assert node.host.text("order") == "app\n"


async def test_a_pod_that_ignores_sigterm_is_killed_after_its_grace(node: Any) -> None:
    node.images.add("deaf", command="sh -c \"trap '' TERM; echo up; while :; do sleep 0.05; done\"")
    await node.create("deaf", {**APP, "image": "deaf"}, terminationGracePeriodSeconds=1)
    pod = await node.until("deaf", is_ready)
    await node.delete("deaf")
    await node.until_gone("deaf")
    assert command_line(pid_of(pod)) == ""


async def test_a_second_delete_may_shorten_the_grace(node: Any) -> None:
    node.images.add("deaf", command="sh -c \"trap '' TERM; echo up; while :; do sleep 0.05; done\"")
    await node.create("deaf", {**APP, "image": "deaf"}, terminationGracePeriodSeconds=600)
    pod = await node.until("deaf", is_ready)
    await node.delete("deaf")
    await node.delete("deaf", grace_period_s=1)
    await node.until_gone("deaf")
    assert command_line(pid_of(pod)) == ""


async def test_a_pod_removed_by_force_leaves_no_process(node: Any) -> None:
    await node.create("web", APP)
    pod = await node.until("web", is_ready)
    await node.delete("web", grace_period_s=0)
    await until(lambda: command_line(pid_of(pod)) == "")


async def test_an_app_that_exits_is_restarted_with_back_off_and_shows_why(node: Any) -> None:
    node.images.add("exits", command="sh -c 'echo no database; exit 3'")
    await node.create("exits", {**APP, "image": "exits"})
    pod = await node.until("exits", lambda pod: waiting(pod).get("reason") == "CrashLoopBackOff")
    status = status_of(pod)
    assert status["restartCount"] == 1, "the first restart came at once"
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", "no database\n")
    assert "back-off 1s restarting failed container=user-container" in status["state"]["waiting"]["message"]
    assert pod["status"]["phase"] == "Running"
    assert await log_of(node, pod, previous=True) == "no database\n"


async def test_a_killed_app_is_restarted_at_once_and_a_killed_sidecar_too(node: Any, queue_proxy: Obj) -> None:
    await node.create("web", APP, queue_proxy)
    pod = await node.until("web", is_ready)
    for container in ("user-container", "queue-proxy"):
        os.kill(pid_of(pod, container), signal.SIGKILL)
        pod = await node.until(
            "web", lambda pod, name=container: status_of(pod, name)["restartCount"] == 1 and is_ready(pod)
        )
        ended = status_of(pod, container)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["signal"], ended["reason"]) == (137, 9, "Error")


async def test_an_unknown_image_says_what_to_do_and_starts_when_it_is_there(node: Any) -> None:
    await node.create("late", {**APP, "image": "dev.local/late:1"})
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        pod = await node.until("late", lambda pod, reason=reason: waiting(pod).get("reason") == reason)
        assert "swell image add late DIR" in waiting(pod)["message"]
        assert pod["status"]["phase"] == "Pending"
    node.images.add("late", command="sleep 60")
    await node.until("late", is_ready)


async def test_what_cannot_be_configured_says_why_and_heals(node: Any) -> None:
    reference = {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}}}
    node.images.add("word", command="sh -c 'echo the word is $WORD; sleep 60'")
    await node.create("word", {**APP, "image": "word", "env": [reference]})
    pod = await node.until("word", lambda pod: waiting(pod).get("reason") == "CreateContainerConfigError")
    assert waiting(pod)["message"] == "configmap 'words' not found"
    config_map = {"metadata": {"name": "words", "namespace": "default"}, "data": {"word": "warm"}}
    await node.kube.create(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", **config_map})
    pod = await node.until("word", is_ready)
    path = f"logs/pods/default_word_{pod['metadata']['uid']}/user-container.0.log"
    await until(lambda: node.host.text(path) == "the word is warm\n")


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ({"envFrom": [{"configMapRef": {}}]}, "envFrom.configMapRef.name is missing"),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "k"}}}]}, "secretKeyRef.name is missing"),
    ],
)
async def test_a_reference_to_nothing_says_so(node: Any, origin: Obj, told: str) -> None:
    await node.create("nothing", {**APP, **origin})
    pod = await node.until("nothing", lambda pod: waiting(pod).get("reason") == "CreateContainerConfigError")
    assert told in waiting(pod)["message"]


async def test_a_fault_that_nobody_foresaw_is_shown_and_heals(node: Any) -> None:
    pods = node.state / "logs" / "pods"
    pods.parent.mkdir(exist_ok=True)
    pods.write_text("in the way of the folder for logs")
    await node.create("blocked", APP)
    pod = await node.until("blocked", lambda pod: waiting(pod).get("reason") == "CreateContainerError")
    assert str(pods) in waiting(pod)["message"]
    pods.unlink()
    await node.until("blocked", is_ready)


async def test_a_pod_with_the_longest_name_runs_and_its_log_is_read(node: Any) -> None:
    name = "n" * 253
    await node.create(name, APP)
    pod = await node.until(name, is_ready)
    while not (await log_of(node, pod)).startswith("listening on "):
        await node.kubelet._runtime.clock.sleep(0.02)
    await node.delete(name)
    await node.until_gone(name)
    await until(lambda: not list((node.state / "logs" / "pods").glob("*")))


async def test_volume_mounts_are_refused_with_the_reason(node: Any) -> None:
    mounted = {**APP, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    await node.create("mounted", mounted, volumes=[{"name": "data", "emptyDir": {}}])
    pod = await node.until("mounted", lambda pod: waiting(pod).get("reason") == "CreateContainerConfigError")
    assert "volumeMounts are not supported" in waiting(pod)["message"]


async def test_a_new_kubelet_takes_running_pods_over_as_they_are(node: Any, queue_proxy: Obj) -> None:
    await node.create("web", APP, queue_proxy)
    before = await node.until("web", is_ready)
    version = (await node.kube.list(POD)).resource_version
    await node.restart()
    pod = await node.until("web", is_ready)
    assert [pid_of(pod), pid_of(pod, "queue-proxy")] == [pid_of(before), pid_of(before, "queue-proxy")]
    assert pod["status"]["podIP"] == before["status"]["podIP"]
    assert status_of(pod)["restartCount"] == 0
    os.kill(pid_of(pod), signal.SIGKILL)
    events = node.kube.watch(POD, "default", resource_version=version)
    first = (await anext(events)).object
    await events.aclose()
    # The end and the next start may come in one write; anything else was written by the takeover itself.
    shown = status_of(first)
    assert "terminated" in shown["state"] or shown["restartCount"] == 1, "a takeover writes nothing"
    await node.until("web", lambda pod: status_of(pod)["restartCount"] == 1 and is_ready(pod))
    await node.delete("web")
    await node.until_gone("web")


async def test_what_happened_while_no_kubelet_watched_is_made_up_for(node: Any) -> None:
    for name in ("dies", "deleted", "removed"):
        await node.create(name, APP)
    pods = {name: await node.until(name, is_ready) for name in ("dies", "deleted", "removed")}
    await node.kubelet.close()
    os.kill(pid_of(pods["dies"]), signal.SIGKILL)
    await node.delete("deleted")
    await node.delete("removed", grace_period_s=0)
    await node.client.close()
    await node.begin()
    pod = await node.until("dies", lambda pod: status_of(pod)["restartCount"] == 1 and is_ready(pod))
    assert status_of(pod)["lastState"]["terminated"]["exitCode"] == 137
    await node.until_gone("deleted")
    await until(lambda: command_line(pid_of(pods["removed"])) == "")


async def test_a_pod_whose_processes_are_all_gone_is_started_anew(node: Any, queue_proxy: Obj) -> None:
    await node.create("web", APP, queue_proxy)
    await node.until("web", is_ready)
    await node.kubelet.close()
    for child in await node.client.processes():
        await node.client.signal(child, signal.SIGKILL)
        await child.wait()
        await node.client.forget(child)
    await node.client.close()
    await node.begin()
    pod = await node.kube.get(POD, "default", "web")
    assert not is_ready(pod) or status_of(pod)["restartCount"] == 1, "what died is still called ready"
    pod = await node.until("web", lambda pod: status_of(pod)["restartCount"] == 1 and is_ready(pod))
    assert status_of(pod)["lastState"]["terminated"]["message"] == "the process was gone when its pod was taken over"


async def _lose_processes(node: Any) -> None:
    """As when the host was killed and started again: nothing runs, and nothing is known of what ran."""
    await node.kubelet.close()
    for child in await node.client.processes():
        await node.client.signal(child, signal.SIGKILL, group=True)
        await child.wait()
        await node.client.forget(child)
    await node.client.close()
    await node.begin()


async def test_a_pod_that_is_never_restarted_is_not_run_again_after_its_processes_are_gone(node: Any) -> None:
    inits = [{"name": "first", "image": "app", "command": ["sh", "-c", f"echo init >> {node.state}/runs"]}]
    script = f"echo app >> {node.state}/runs; sleep 60"
    job = {**APP, "command": ["sh", "-c", script]}
    await node.create("job", job, restartPolicy="Never", initContainers=inits)
    await node.until("job", is_ready)
    await until(lambda: node.host.text("runs").split() == ["init", "app"])
    await _lose_processes(node)
    pod = await node.until("job", lambda pod: pod["status"]["phase"] == "Failed")
    ended = status_of(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["signal"]) == (137, 9)
    assert status_of(pod)["restartCount"] == 0
    assert node.host.text("runs").split() == ["init", "app"]
    await node.delete("job")
    await node.until_gone("job")


async def test_what_failed_for_loss_of_its_process_is_run_again_and_what_was_done_is_not(node: Any) -> None:
    done = {**APP, "name": "done", "command": ["sh", "-c", f"echo done >> {node.state}/runs"]}
    works = {**APP, "command": ["sh", "-c", f"echo works >> {node.state}/runs; sleep 60"]}
    await node.create("job", works, done, restartPolicy="OnFailure")
    await node.until("job", lambda pod: "terminated" in status_of(pod, "done").get("state", {}) and status_of(pod))
    await node.until("job", lambda pod: "running" in status_of(pod).get("state", {}))
    await until(lambda: sorted(node.host.text("runs").split()) == ["done", "works"])
    await _lose_processes(node)
    pod = await node.until(
        "job", lambda pod: status_of(pod)["restartCount"] == 1 and "running" in status_of(pod)["state"]
    )
    assert status_of(pod, "done")["state"]["terminated"]["exitCode"] == 0
    await until(lambda: sorted(node.host.text("runs").split()) == ["done", "works", "works"])


async def test_a_probe_that_is_called_off_while_it_starts_leaves_no_process(node: Any) -> None:
    facts = PodFacts("default", "web", "1234", "127.0.0.2", "local", {})
    command = Command((), {"PATH": os.environ["PATH"]}, "/")
    probing = asyncio.create_task(execute(("sleep", "64"), command, facts, node.kubelet._runtime, 60.0))
    while not node.client._waiting:
        await asyncio.sleep(0)
    probing.cancel()
    await asyncio.wait((probing,))
    assert probing.cancelled()
    assert await node.client.processes() == []


async def test_liveness_restarts_what_no_longer_answers(node: Any) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", f"{node.state}/sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    await node.create("sick", {**APP, "livenessProbe": probe}, terminationGracePeriodSeconds=1)
    await node.until("sick", is_ready)
    (node.state / "sick").touch()
    pod = await node.until("sick", lambda pod: status_of(pod).get("restartCount", 0) >= 1)
    (node.state / "sick").unlink()
    assert status_of(pod)["lastState"]["terminated"]["exitCode"] == 143
    await node.until("sick", is_ready)


async def test_a_startup_probe_holds_readiness_back(node: Any) -> None:
    probe = {"exec": {"command": ["test", "-e", f"{node.state}/started"]}, "periodSeconds": 1, "failureThreshold": 60}
    await node.create("slow", {**APP, "startupProbe": probe})
    pod = await node.until("slow", lambda pod: "running" in status_of(pod).get("state", {}))
    assert (status_of(pod)["started"], status_of(pod)["ready"]) == (False, False)
    (node.state / "started").touch()
    pod = await node.until("slow", is_ready)
    assert status_of(pod)["started"]


async def test_init_containers_run_first_one_by_one(node: Any) -> None:
    inits = [
        {"name": name, "image": "app", "command": ["sh", "-c", f"echo {name} >> {node.state}/inits"]}
        for name in ("one", "two")
    ]
    await node.create("init", APP, initContainers=inits)
    pod = await node.until("init", is_ready)
    assert node.host.text("inits").split() == ["one", "two"]
    assert [each["state"]["terminated"]["reason"] for each in pod["status"]["initContainerStatuses"]] == [
        "Completed",
        "Completed",
    ]


@pytest.mark.parametrize(("command", "phase"), [("true", "Succeeded"), ("false", "Failed")])
async def test_a_pod_that_is_not_restarted_comes_to_an_end(node: Any, command: str, phase: str) -> None:
    await node.create("job", {**APP, "command": [command]}, restartPolicy="Never")
    pod = await node.until("job", lambda pod: pod.get("status", {}).get("phase") == phase)
    assert status_of(pod)["restartCount"] == 0
    await node.delete("job")
    await node.until_gone("job")


async def test_events_tell_what_happened(node: Any) -> None:
    await node.create("web", APP)
    await node.until("web", is_ready)
    told: set[str] = set()
    while not {"Scheduled", "Started"} <= told:
        told = await node.events("web")
        await node.kubelet._runtime.clock.sleep(0.02)


async def test_each_pod_has_an_address_and_a_port_of_its_own(node: Any, queue_proxy: Obj) -> None:
    for number in range(5):
        await node.create(f"web-{number}", APP, queue_proxy)
    pods = [await node.until(f"web-{number}", is_ready) for number in range(5)]
    assert len({pod["status"]["podIP"] for pod in pods}) == 5
    assert len({await log_of(node, pod) for pod in pods}) == 5
    assert len((await node.kube.list(POD)).items) == 5
