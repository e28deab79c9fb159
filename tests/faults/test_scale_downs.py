"""Long requests of every kind through many scale-downs under load: none is cut.

With SWELL_TEST_FULL=1 it is 1,000 requests through 100 scale-downs, which takes some minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from swell.api.kinds import DEPLOYMENT, REVISION
from swell.api.labels import MIN_SCALE
from swell.testing.home import Home, Objects, pod_is_ready, unique

FULL: Final = os.environ.get("SWELL_TEST_FULL") == "1"
REQUESTS: Final = 1000 if FULL else 200
SCALE_DOWNS: Final = 100 if FULL else 20
PER_DOWN: Final = REQUESTS // SCALE_DOWNS
CALLERS: Final = 40
PODS_MAX: Final = 5
# How long a request lasts: longer than a scale-down and the quiet time together.
LONG_S: Final = (2.0, 5.0)
STEPS: Final = 10


class Long:
    """Long requests to one Service, of three kinds in turn; each must come back whole."""

    def __init__(self, objects: Objects, name: str) -> None:
        self.objects = objects
        self.name = name
        self.host = {"Host": objects.home.host(name)}
        self.due = asyncio.Semaphore(CALLERS)
        self.begun = 0
        self.failures: list[str] = []
        self.instances: Counter[str] = Counter()

    async def caller(self) -> None:
        """Requests one after the other until enough have begun."""
        while True:
            await self.due.acquire()
            if self.begun == REQUESTS:
                self.due.release()
                return
            number = self.begun
            self.begun += 1
            kind = (self.answer, self.stream, self.tunnel)[number % 3]
            try:
                await kind(random.uniform(*LONG_S))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what a caller saw
                self.failures.append(f"{kind.__name__} {number}: {error!r}")

    async def answer(self, lasts_s: float) -> None:
        """An answer that takes long to begin."""
        answer = await self.objects.request("POST", self.name, f"/?sleep_ms={lasts_s * 1000:.0f}", data=b"")
        assert answer.status == 200, f"{answer.status} {answer.body!r}"
        self.instances[answer.json()["instance"]] += 1

    async def stream(self, lasts_s: float) -> None:
        """An upload and an answer that both go on all the while."""

        async def upload() -> AsyncIterator[bytes]:
            for step in range(STEPS):
                yield b"part %d;" % step
                await asyncio.sleep(lasts_s / STEPS)

        answer = await self.objects.request("POST", self.name, "/echo", data=upload())
        want = b"".join(b"part %d;" % step for step in range(STEPS))
        assert (answer.status, answer.body) == (200, want), f"{answer.status} {answer.body!r}"

    async def tunnel(self, lasts_s: float) -> None:
        """A WebSocket."""
        async with self.objects.session.ws_connect(self.objects.home.url("/ws"), headers=self.host) as socket:
            for step in range(STEPS):
                await socket.send_str(f"part {step}")
                assert await socket.receive_str() == f"PART {step}"
                await asyncio.sleep(lasts_s / STEPS)


async def scale(objects: Objects, name: str, pods: int) -> None:
    """Have the autoscaler want so many pods: by the least it may have, for a window is too long to wait for."""
    revision = f"{name}-00001"
    patch = {"metadata": {"annotations": {MIN_SCALE: str(pods)}}}
    await objects.kube.patch(REVISION, objects.home.namespace, revision, patch)
    await objects.until(DEPLOYMENT, f"{revision}-deployment", lambda found: found["spec"]["replicas"] == pods)


async def test_no_long_request_is_cut_by_scale_downs(home: Home) -> None:
    async with home.client() as objects:
        name = unique("downs")
        await objects.deploy(objects.service(name, annotations={"target": "100000", "min-scale": "1"}))
        long = Long(objects, name)
        callers: list[asyncio.Task[None]] = []
        downs = 0
        while downs < SCALE_DOWNS:
            await scale(objects, name, PODS_MAX)
            await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == PODS_MAX)
            if not callers:
                callers = [asyncio.create_task(long.caller()) for _ in range(CALLERS)]
            for pods in range(PODS_MAX - 1, 0, -1):
                await scale(objects, name, pods)
                await objects.until_pods(
                    name, lambda found, pods=pods: sum("deletionTimestamp" not in p["metadata"] for p in found) == pods
                )
                downs += 1
                for _ in range(PER_DOWN):
                    long.due.release()  # so all scale-downs meet requests, and all requests meet scale-downs
        await asyncio.gather(*callers)

        assert long.failures == []
        assert long.begun == REQUESTS
        assert len(long.instances) > PODS_MAX, "they were spread over pods that came and went"
        await objects.clean()
        await objects.gone(name)
