"""kill -9 of the autoscaler, with all of the control plane, while a load steps up: it goes on as if it had not been."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from typing import Final

from swell.api.kinds import DEPLOYMENT
from swell.kube.errors import KubeError
from swell.local.launch import RunningCluster
from swell.testing.home import Home, Objects, unique
from swell.testing.processes import program

CALLERS: Final = 12
LASTS_S: Final = 9.0
KILLED_AFTER_S: Final = (None, 0.1, 1.0, 3.0)
GAP_S_MAX: Final = 5.0
"""Between one answer and the next, and until the first."""
SHIFT_S: Final = 5.0
"""A change of replicas may come this much sooner or later: ticks fall where they fall, and pods take their time."""

Curve = list[tuple[float, int]]
"""Replicas by seconds since the step."""


class Step:
    """A step from nothing to `CALLERS` requests at a time; `answered_s` and `curve` count from its beginning."""

    def __init__(self, objects: Objects, name: str) -> None:
        self.objects = objects
        self.name = name
        self.began_s = time.monotonic()
        self.answered_s: list[float] = []
        self.statuses: set[int] = set()
        self.curve: Curve = []

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.began_s

    async def run(self, lasts_s: float) -> None:
        watching = asyncio.create_task(self._watch())
        await asyncio.gather(*(self._call(lasts_s) for _ in range(CALLERS)))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    @property
    def gap_s(self) -> float:
        """The longest time without an answer."""
        return max(after - before for before, after in itertools.pairwise([0.0, *self.answered_s]))

    async def _call(self, lasts_s: float) -> None:
        while self.now_s < lasts_s:
            self.statuses.add((await self.objects.get(self.name, "/?sleep_ms=100")).status)
            self.answered_s.append(self.now_s)

    async def _watch(self) -> None:
        """The replicas, for as long as there is somebody to ask."""
        deployment = f"{self.name}-00001-deployment"
        while True:
            try:
                found = await self.objects.kube.get(DEPLOYMENT, self.objects.home.namespace, deployment)
                self.curve.append((self.now_s, found["spec"]["replicas"]))
            except KubeError:
                pass
            await asyncio.sleep(0.1)


def differs(calm: Curve, killed: Curve) -> list[tuple[float, int]]:
    """Where the second curve is further than one from all that the first one is at about that time.

    It may lag by as long as there was nobody to decide, nor to tell.
    """
    away_s = max(after_s - before_s for (before_s, _), (after_s, _) in itertools.pairwise(killed))
    found = []
    for at_s, replicas in killed:
        near = [each for time_s, each in calm if at_s - SHIFT_S - away_s <= time_s <= at_s + SHIFT_S]
        if not min(near) - 1 <= replicas <= max(near) + 1:
            found.append((at_s, replicas))
    return found


async def test_replicas_and_answers_are_as_without_the_kill(cluster: RunningCluster, home: Home) -> None:
    async with home.client() as objects:
        names = [unique("step") for _ in KILLED_AFTER_S]
        for name in names:
            await objects.deploy(objects.service(name, annotations={"window": "6s", "target": "4"}))
        await asyncio.gather(*(objects.gone(name) for name in names))

        steps = []
        for name, killed_after_s in zip(names, KILLED_AFTER_S, strict=True):
            step = Step(objects, name)
            running = asyncio.create_task(step.run(LASTS_S))
            if killed_after_s is not None:
                await asyncio.sleep(killed_after_s)
                os.kill(program(cluster.process.pid, "swell.local.controlplane"), signal.SIGKILL)
            await running
            steps.append(step)

    calm = steps[0]
    assert [step.statuses for step in steps] == [{200}] * len(steps)
    assert [step.gap_s for step in steps if step.gap_s > GAP_S_MAX] == []
    assert [differs(calm.curve, step.curve) for step in steps] == [[]] * len(steps)
    last = [step.curve[-1][1] for step in steps]
    assert max(last) - min(last) <= 1, "where they ended"
