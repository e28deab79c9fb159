"""Apps that misbehave, images that do not exist: the cause is shown, and what can heal heals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from swell.api.kinds import SERVICE
from swell.local.images import Images
from swell.local.launch import RunningCluster
from swell.testing.home import Objects, condition, pod_is_ready, unique


def _container(pod: dict[str, object], name: str = "user-container") -> dict[str, object]:
    statuses = pod.get("status", {}).get("containerStatuses", [])  # type: ignore[attr-defined]
    return next((status for status in statuses if status["name"] == name), {})


async def test_an_unknown_image_names_the_command_and_heals_when_it_is_added(
    running: RunningCluster, objects: Objects
) -> None:
    name = unique("noimage")
    await objects.apply(objects.service(name, image=name))

    def waits(pods: list[dict[str, object]]) -> bool:
        return any(
            _container(pod).get("state", {}).get("waiting", {}).get("reason")  # type: ignore[attr-defined]
            in ("ErrImagePull", "ImagePullBackOff")
            for pod in pods
        )

    pod = (await objects.until_pods(name, waits))[0]
    assert "swell image add" in _container(pod)["state"]["waiting"]["message"]  # type: ignore[index]
    service = await objects.until(SERVICE, name, lambda s: "swell image add" in condition(s).get("message", ""))
    assert condition(service)["status"] != "True"

    app = Path(__file__).with_name("app.py")
    Images(Path(running.config.state)).add(name, command=f"{sys.executable} {app}")
    await objects.ready(name)
    assert (await objects.get(name)).status == 200


async def test_an_app_that_exits_shows_its_exit_code_and_crash_loop(objects: Objects, running: RunningCluster) -> None:
    name = unique("exits")
    Images(Path(running.config.state)).add(name, command="sh -c 'echo no database; exit 3'")
    await objects.apply(objects.service(name, image=name))

    def loops(pods: list[dict[str, object]]) -> bool:
        return any(
            _container(pod).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"  # type: ignore[attr-defined]
            for pod in pods
        )

    pod = (await objects.until_pods(name, loops))[0]
    assert _container(pod)["lastState"]["terminated"]["exitCode"] == 3  # type: ignore[index]
    service = await objects.until(SERVICE, name, lambda s: condition(s).get("status") == "False")
    assert "no database" in condition(service, "ConfigurationsReady")["message"]
    answer = await objects.get(name)
    assert answer.status in (404, 503)


async def test_an_app_that_listens_late_is_waited_for(objects: Objects) -> None:
    name = unique("late")
    late = {"START_DELAY_MS": "3000"}
    await objects.deploy(objects.service(name, env=late, annotations={"window": "6s"}))
    await objects.gone(name)
    assert (await objects.get(name)).status == 200


async def test_an_app_that_never_listens_is_answered_for_within_its_timeout(
    objects: Objects, running: RunningCluster
) -> None:
    name = unique("deaf")
    await objects.deploy(objects.service(name, annotations={"window": "6s"}, timeoutSeconds=4))
    await objects.gone(name)
    # The image loses its ears after the revision was ready: a cold start that cannot succeed.
    broken = objects.service(name, image=f"{name}-deaf", annotations={"window": "6s"}, timeoutSeconds=4)
    Images(Path(running.config.state)).add(f"{name}-deaf", command="sleep 1000")
    await objects.apply(broken)
    assert (await objects.get(name)).json()["revision"] == f"{name}-00001", "traffic stays with what works"
    await objects.kube.delete(SERVICE, objects.home.namespace, name)
    await objects.gone(name)


async def test_a_killed_app_is_restarted_and_answers_again(objects: Objects) -> None:
    name = unique("kill")
    await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
    first = (await objects.get(name)).json()["pid"]
    os.kill(first, signal.SIGKILL)
    await objects.until_pods(
        name, lambda pods: any(_container(pod).get("restartCount") == 1 and pod_is_ready(pod) for pod in pods)
    )
    second = await objects.get(name)
    assert second.status == 200
    assert second.json()["pid"] != first


async def test_requests_not_yet_handed_over_survive_the_death_of_the_app(objects: Objects) -> None:
    name = unique("survive")
    await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
    pid = (await objects.get(name)).json()["pid"]
    os.kill(pid, signal.SIGKILL)
    answers = await asyncio.gather(*(objects.get(name) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
