"""Apps that misbehave, images that do not exist: the cause is shown, and what can heal heals."""

from __future__ import annotations

import asyncio

from swell.api.kinds import SERVICE
from swell.api.meta import condition_of
from swell.testing.home import Objects, pod_is_ready, unique


def _container(pod: dict[str, object], name: str = "user-container") -> dict[str, object]:
    statuses = pod.get("status", {}).get("containerStatuses", [])  # type: ignore[attr-defined]
    return next((status for status in statuses if status["name"] == name), {})


async def test_an_unknown_image_names_the_command_and_heals_when_it_is_added(
    objects: Objects,
) -> None:
    name = unique("noimage")
    images = objects.home.images
    image = images.named(name)
    await objects.apply(objects.service(name, image=image))

    def waits(pods: list[dict[str, object]]) -> bool:
        return any(
            _container(pod).get("state", {}).get("waiting", {}).get("reason")  # type: ignore[attr-defined]
            in ("ErrImagePull", "ImagePullBackOff")
            for pod in pods
        )

    pod = (await objects.until_pods(name, waits))[0]
    assert images.complaint in _container(pod)["state"]["waiting"]["message"]  # type: ignore[index]
    service = await objects.until(SERVICE, name, lambda s: images.complaint in condition_of(s).get("message", ""))
    assert condition_of(service)["status"] != "True"

    images.provide(image)
    await objects.ready(name)
    assert (await objects.get(name)).status == 200


async def test_an_app_that_exits_shows_its_exit_code_and_crash_loop(objects: Objects) -> None:
    name = unique("exits")
    command = ("python3", "-c", "print('no database'); raise SystemExit(3)")
    await objects.apply(objects.service(name, command=command))

    def loops(pods: list[dict[str, object]]) -> bool:
        return any(
            _container(pod).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"  # type: ignore[attr-defined]
            for pod in pods
        )

    pod = (await objects.until_pods(name, loops))[0]
    assert _container(pod)["lastState"]["terminated"]["exitCode"] == 3  # type: ignore[index]
    service = await objects.until(SERVICE, name, lambda s: condition_of(s).get("status") == "False")
    assert "no database" in condition_of(service, "ConfigurationsReady")["message"]
    answer = await objects.get(name)
    assert answer.status in (404, 503)


async def test_an_app_that_listens_late_is_waited_for(objects: Objects) -> None:
    name = unique("late")
    late = {"START_DELAY_MS": "3000"}
    await objects.deploy(objects.service(name, env=late, annotations={"window": "6s"}))
    await objects.gone(name)
    assert (await objects.get(name)).status == 200


async def test_an_app_that_never_listens_is_answered_for_within_its_timeout(
    objects: Objects,
) -> None:
    name = unique("deaf")
    await objects.deploy(objects.service(name, annotations={"window": "6s"}, timeoutSeconds=4))
    await objects.gone(name)
    # The next revision has no ears: a cold start that cannot succeed.
    deaf = ("python3", "-c", "import time; time.sleep(1000)")
    broken = objects.service(name, command=deaf, annotations={"window": "6s"}, timeoutSeconds=4)
    await objects.apply(broken)
    assert (await objects.get(name)).json()["revision"] == f"{name}-00001", "traffic stays with what works"
    await objects.kube.delete(SERVICE, objects.home.namespace, name)
    await objects.gone(name)


async def test_a_killed_app_is_restarted_and_answers_again(objects: Objects) -> None:
    name = unique("kill")
    await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
    first = (await objects.get(name)).json()["instance"]
    await objects.request("POST", name, "/die")
    await objects.until_pods(
        name, lambda pods: any(_container(pod).get("restartCount") == 1 and pod_is_ready(pod) for pod in pods)
    )
    second = await objects.get(name)
    assert second.status == 200
    assert second.json()["instance"] != first


async def test_requests_not_yet_handed_over_survive_the_death_of_the_app(objects: Objects) -> None:
    name = unique("survive")
    await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
    await objects.request("POST", name, "/die")
    answers = await asyncio.gather(*(objects.get(name) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
