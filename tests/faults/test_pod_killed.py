"""A pod is killed with 200 requests in flight: each is answered, and what had not been sent is served elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from swell.api.kinds import POD
from swell.local.launch import RunningCluster
from swell.testing.home import Answer, Home, Obj, Objects, pod_is_ready, unique
from swell.testing.processes import family, listener
from swell.testing.waiting import until

REQUESTS = 200


class Requests:
    """GETs and POSTs in flight at a Service of two pods.

    Each has an id, which the app notes when it runs it; it answers none before `let_go`.
    """

    def __init__(self, objects: Objects, cluster: RunningCluster, name: str, files: Path) -> None:
        self.objects = objects
        self.cluster = cluster
        self.name = name
        self.notes = files / "notes"
        self._let_go = files / "let-go"
        self.notes.touch()

    async def put(self) -> list[asyncio.Task[Answer]]:
        """All of them, in turns; returns once the front door has them."""
        path = f"/?until={self._let_go}&note="
        sent = [
            asyncio.create_task(
                self.objects.request("POST" if number % 2 else "GET", self.name, f"{path}{number}", data=b"")
            )
            for number in range(REQUESTS)
        ]
        async with asyncio.timeout(20):
            while await self._here() < REQUESTS:
                await asyncio.sleep(0.01)
        return sent

    async def _here(self) -> int:
        async with self.objects.session.get(f"{self.cluster.config.admin_url}/state") as answer:
            state = await answer.json()
        revision = state["revisions"][f"{self.objects.home.namespace}/{self.name}-00001"]
        return int(revision["in_flight"] + revision["waiting"])

    def let_go(self) -> None:
        self._let_go.touch()

    def runs(self) -> Counter[int]:
        return Counter(map(int, self.notes.read_text().split()))

    async def kill(self, pod: Obj) -> None:
        """kill -9 of all its processes. Nobody is told."""
        ip = pod["status"]["podIP"]
        sidecar = listener(ip, 8012)
        app = int(_container(pod, "user-container")["containerID"].rpartition("-")[2])
        assert {sidecar, app} <= set(family(self.cluster.process.pid))
        for pid in (sidecar, app):
            os.kill(pid, signal.SIGKILL)

    async def remove(self, pod: Obj) -> None:
        """As `kubectl delete --force`."""
        await self.objects.kube.delete(POD, self.objects.home.namespace, pod["metadata"]["name"], grace_period_s=0)


def _container(pod: Obj, name: str) -> Obj:
    return next(each for each in pod["status"]["containerStatuses"] if each["name"] == name)


@pytest.mark.parametrize("how", ["kill", "remove"])
@pytest.mark.parametrize("limit", [0, 40], ids=["all at the pods", "most in the line"])
async def test_each_request_is_answered_and_none_that_was_not_sent_is_lost(
    cluster: RunningCluster, home: Home, tmp_path: Path, how: str, limit: int
) -> None:
    async with home.client() as objects:
        name = unique("killed")
        service = objects.service(
            name,
            env={"NOTES": str(tmp_path / "notes")},
            annotations={"min-scale": "2", "target": "1000"},
            containerConcurrency=limit,
        )
        await objects.deploy(service)
        pods = await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == 2)
        requests = Requests(objects, cluster, name, tmp_path)

        sent = await requests.put()
        # The apps have noted all that they can have, and get no more.
        await until(lambda: len(requests.runs()) == (2 * limit or len(sent)))
        await (requests.kill if how == "kill" else requests.remove)(pods[0])
        await until(lambda: any(map(asyncio.Task.done, sent)))
        requests.let_go()
        answers = await asyncio.gather(*sent, return_exceptions=True)

        assert [answer for answer in answers if isinstance(answer, BaseException)] == []
        statuses = Counter(answer.status for answer in answers if isinstance(answer, Answer))
        assert set(statuses) <= {200, 502}
        runs = requests.runs()
        for number, answer in enumerate(answers):
            assert isinstance(answer, Answer)
            if answer.status == 502:
                assert number in runs, f"only what an app had can be lost: {answer}"
            if number % 2:
                assert runs[number] == 1, "no POST runs twice"
        assert statuses[502] <= (limit or REQUESTS * 3 / 4), "one pod had no more"
        assert (await objects.get(name)).status == 200
