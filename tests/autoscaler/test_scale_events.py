"""How many Events changes of scale make, and what they say."""

from __future__ import annotations

import numpy as np

from autoscaler.scale_events import AGAIN_S, FIRST_S, PERIOD_S_MAX, WAITING_MAX, ScaleEvents
from swell.api.meta import Key, Obj
from swell.kube.events import EventKind
from swell.runtime.tasks import Daemons
from swell.testing.clock import ManualClock, settle

HELLO = Key("default", "hello-00001")
LABELS = {"serving.knative.dev/service": "hello", "serving.knative.dev/serviceUID": "uid-hello"}


class World:
    def __init__(self, **labels: str) -> None:
        self.clock = ManualClock()
        self.told: list[tuple[str, str, str]] = []
        self.here = True
        self.events = ScaleEvents(self, self.clock, self._object_of)
        self.daemons = Daemons()
        self._labels = labels

    async def event(self, obj: Obj, kind: EventKind, reason: str, message: str) -> None:
        self.told.append((f"{obj['kind']}/{obj['metadata']['name']}", reason, message))

    def _object_of(self, key: Key) -> Obj | None:
        meta = {"name": key.name, "namespace": key.namespace, "uid": "uid", "labels": self._labels}
        return {"apiVersion": "v1", "kind": "PodAutoscaler", "metadata": meta} if self.here else None

    async def after(self, seconds: float) -> list[tuple[str, str, str]]:
        """What is told within that time."""
        self.told = []
        self.clock.advance(seconds)
        running = Daemons()
        running.spawn(self.events.run(), "events")
        await settle()
        await running.close()
        return self.told


async def test_one_change_is_one_event_about_the_service() -> None:
    world = World(**LABELS)
    world.events.scaled(HELLO, 1, 5, "panic window")
    assert await world.after(FIRST_S) == [("Service/hello", "ScaledUp", "hello-00001: 1 -> 5: panic window")]
    assert await world.after(1000) == []
    assert world.clock.pending == 0


async def test_without_a_service_it_is_about_the_podautoscaler() -> None:
    world = World()
    world.events.scaled(HELLO, 3, 0, "nothing was asked")
    assert await world.after(FIRST_S) == [
        ("PodAutoscaler/hello-00001", "ScaledToZero", "hello-00001: 3 -> 0: nothing was asked")
    ]


async def test_what_changes_within_a_period_is_told_of_at_its_end() -> None:
    world = World(**LABELS)
    for before, after in ((1, 4), (4, 9), (9, 2)):
        world.events.scaled(HELLO, before, after, "stable window")
    found = await world.after(FIRST_S)
    assert found == [
        ("Service/hello", "ScaledUp", "hello-00001: 1 -> 2, 3 changes between 1 and 9: stable window"),
    ]


async def test_a_busy_service_makes_few_events_and_ever_fewer() -> None:
    world = World(**LABELS)
    told = 0
    for second in range(3600):
        world.events.scaled(HELLO, second % 7, (second + 1) % 7, "stable window")
        found = await world.after(1)
        told += len(found)
        assert len(found) <= 1
    assert told <= 3 + 3600 / PERIOD_S_MAX + np.log2(PERIOD_S_MAX / AGAIN_S)


async def test_more_events_than_can_wait_are_dropped() -> None:
    world = World()
    keys = [Key("default", f"r-{number}") for number in range(WAITING_MAX + 10)]
    for key in keys:
        world.events.scaled(key, 0, 1, "stable window")
    found = await world.after(FIRST_S)
    assert (len(found), world.events.dropped) == (WAITING_MAX, 10)


async def test_a_revision_that_is_gone_is_told_of_no_more() -> None:
    world = World()
    world.events.scaled(HELLO, 1, 2, "stable window")
    world.here = False
    assert len(await world.after(FIRST_S)) == 1
    world.events.scaled(HELLO, 2, 3, "stable window")
    assert await world.after(1000) == []
    assert world.clock.pending == 0
