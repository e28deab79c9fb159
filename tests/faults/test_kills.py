"""kill -9 of each part while requests come: what was answered stays answered, and it heals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from swell.api.kinds import SERVICE
from swell.kube.errors import KubeError
from swell.local.launch import RunningCluster, launch
from swell.testing.home import Home, Objects, embedded, pod_is_ready, unique
from swell.testing.processes import children, command_line, family, program

QUICK = {"window": "6s"}


@contextlib.asynccontextmanager
async def traffic(objects: Objects, name: str) -> AsyncIterator[list[object]]:
    """Steady requests; the list fills with statuses, or with the error of a connection."""
    seen: list[object] = []
    stop = asyncio.Event()

    async def caller() -> None:
        while not stop.is_set():
            try:
                seen.append((await objects.get(name, "/?sleep_ms=20")).status)
            except aiohttp.ClientError as exc:
                seen.append(exc)

    callers = [asyncio.create_task(caller()) for _ in range(4)]
    try:
        yield seen
    finally:
        stop.set()
        await asyncio.gather(*callers)


async def reached(seen: list[object], more: int) -> None:
    """Returns once `more` further answers with status 200 have come."""
    start = len(seen)
    async with asyncio.timeout(60):
        while sum(status == 200 for status in seen[start:]) < more:
            await asyncio.sleep(0.01)


async def test_the_control_plane_may_die_and_no_request_notices(cluster: RunningCluster, home: Home) -> None:
    name = unique("brain")
    async with home.client() as objects:
        await objects.deploy(objects.service(name, annotations={**QUICK, "min-scale": "1"}))
        pid = (await objects.get(name)).json()["pid"]
        async with traffic(objects, name) as seen:
            await reached(seen, 5)
            os.kill(program(cluster.process.pid, "swell.local.controlplane"), signal.SIGKILL)
            await reached(seen, 100)
        assert set(seen) == {200}
    async with home.client() as objects:
        await _until_answering(objects, name)
        assert (await objects.get(name)).json()["pid"] == pid, "the pod was taken over, not restarted"
        changed = objects.service(name, env={"VERSION": "2"}, annotations=QUICK)
        await objects.deploy(changed)
        await objects.until_answer(name, lambda answer: answer.json()["version"] == "2")


async def _until_answering(objects: Objects, name: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await objects.kube.get(SERVICE, objects.home.namespace, name)
                return
            except KubeError:
                await asyncio.sleep(0.05)


async def test_a_cold_request_survives_the_death_of_the_control_plane(cluster: RunningCluster, home: Home) -> None:
    name = unique("coldbrain")
    async with home.client() as objects:
        await objects.deploy(objects.service(name, annotations=QUICK))
        await objects.gone(name)
        os.kill(program(cluster.process.pid, "swell.local.controlplane"), signal.SIGKILL)
        assert (await objects.get(name)).status == 200


async def test_the_activator_may_die_and_comes_back(cluster: RunningCluster, home: Home) -> None:
    name = unique("door")
    async with home.client() as objects:
        await objects.deploy(objects.service(name, annotations=QUICK))
        async with traffic(objects, name) as seen:
            await reached(seen, 5)
            os.kill(program(cluster.process.pid, "swell.local.activator_main"), signal.SIGKILL)
            await reached(seen, 50)
        # Connections to the dead process break; whoever asks again is answered, never with an error of ours.
        assert {status for status in seen if isinstance(status, int)} == {200}
        await objects.gone(name)
        assert (await objects.get(name)).status == 200


async def test_a_killed_queue_proxy_is_restarted(cluster: RunningCluster, home: Home) -> None:
    name = unique("sidecar")
    async with home.client() as objects:
        await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
        app = (await objects.get(name)).json()["pid"]
        sidecars = [
            pid
            for pid in children(cluster.process.pid)
            if pid != app
            and "-m swell.local.controlplane" not in command_line(pid)
            and "-m swell.local.activator_main" not in command_line(pid)
            and app not in family(pid)
        ]
        assert len(sidecars) == 1
        os.kill(sidecars[0], signal.SIGKILL)
        answers = await asyncio.gather(*(objects.get(name) for _ in range(10)))
        assert {answer.status for answer in answers} == {200}
        pods = await objects.until_pods(name, lambda pods: any(map(pod_is_ready, pods)))
        assert len(pods) == 1


async def test_after_a_kill_of_everything_the_same_state_serves_again(tmp_path: Path) -> None:
    first = launch(tmp_path)
    name = unique("all")
    home = embedded(first)
    async with home.client() as objects:
        await objects.deploy(objects.service(name, image="hello", annotations={"min-scale": "1"}))
        assert (await objects.get(name)).status == 200
    for pid in reversed(family(first.process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    first.stop()

    second = launch(tmp_path, port=first.config.gateway_port)
    try:
        async with embedded(second).client() as objects:
            await objects.ready(name)
            assert (await objects.get(name)).text == "Hello World!\n"
    finally:
        second.stop()


async def test_a_stop_lets_requests_finish_and_leaves_no_process(tmp_path: Path) -> None:
    running = launch(tmp_path)
    name = unique("drain")
    async with embedded(running).client() as objects:
        await objects.deploy(objects.service(name, image="hello", annotations={"min-scale": "1"}))
        await objects.until_answer(name, lambda answer: answer.status == 200)
        slow = asyncio.create_task(objects.get(name, "/?sleep_ms=2000"))
        async with asyncio.timeout(10):
            while not await _in_flight(running):
                await asyncio.sleep(0.01)
        members = family(running.process.pid)
        code = await asyncio.to_thread(running.stop)
        assert (await slow).status == 200
    assert code == 0
    assert [pid for pid in members if command_line(pid)] == []


async def _in_flight(running: RunningCluster) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{running.config.admin_url}/state") as answer:
        state = await answer.json()
    return any(revision.get("in_flight", 0) for revision in state["revisions"].values())


async def test_what_was_deployed_is_there_after_a_restart(tmp_path: Path) -> None:
    name = unique("kept")
    first = launch(tmp_path)
    async with embedded(first).client() as objects:
        await objects.deploy(objects.service(name, image="hello", annotations=QUICK))
    assert await asyncio.to_thread(first.stop) == 0
    second = launch(tmp_path)
    try:
        async with embedded(second).client() as objects:
            answer = await objects.get(name)
            assert answer.text == "Hello World!\n"
    finally:
        assert await asyncio.to_thread(second.stop) == 0


def test_a_second_start_on_the_same_state_says_so(cluster: RunningCluster) -> None:
    again = subprocess.run(
        [sys.executable, "-m", "swell.cli.main", "up", "--state", cluster.config.state, "--port", "0"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert again.returncode == 1
    assert f"already runs on {cluster.config.state}" in again.stderr
    assert str(cluster.config.gateway_port) in again.stderr
