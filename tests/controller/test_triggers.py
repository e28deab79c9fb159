"""Which changes a reconciler is told of at once, and which may wait for others like them."""

from __future__ import annotations

from typing import Any

import pytest

from controller.triggers import CONFIGURATIONS, GC, LABELER, REVISIONS, ROUTES, SERVICES, connect
from swell.api.kinds import REVISION, SERVICE
from swell.api.meta import Key, Obj
from swell.testing.serving import condition, owned_by


class Informer:
    """Hands on what a test tells."""

    def __init__(self) -> None:
        self._handlers: list[Any] = []

    def add_handler(self, handler: Any) -> None:
        self._handlers.append(handler)

    def tell(self, old: Obj | None, new: Obj | None) -> None:
        for handler in self._handlers:
            handler(old, new)


class Caches:
    """As the real ones, with these Routes only."""

    def __init__(self, *routes: Obj) -> None:
        self._routes = list(routes)
        self.services, self.configurations, self.revisions, self.routes = (Informer() for _ in range(4))
        self.deployments, self.podautoscalers, self.core_services, self.pods = (Informer() for _ in range(4))

    def routes_to(self, kind: object, key: Key) -> list[Obj]:
        return self._routes


class Queue:
    def __init__(self) -> None:
        self.at_once: list[str] = []
        self.soon: list[str] = []

    def enqueue(self, key: Key) -> None:
        self.at_once.append(key.name)

    def enqueue_soon(self, key: Key) -> None:
        self.soon.append(key.name)


class World:
    def __init__(self, *routes: Obj) -> None:
        self.caches = Caches(*routes)
        self.queues = {name: Queue() for name in (SERVICES, CONFIGURATIONS, REVISIONS, ROUTES, LABELER, GC)}
        connect(self.caches, self.queues)  # type: ignore[arg-type]


def podautoscaler(ready: str, **scales: int) -> Obj:
    meta = {"namespace": "ns", "name": "r1", "ownerReferences": [owned_by(REVISION, "r1")]}
    return {"metadata": meta, "status": {"conditions": [condition("Ready", ready)], **scales}}


@pytest.mark.parametrize("before", ["Unknown", "False"])
def test_a_revision_hears_at_once_that_its_autoscaler_is_ready(before: str) -> None:
    world = World()
    world.caches.podautoscalers.tell(podautoscaler(before), podautoscaler("True"))
    assert (world.queues[REVISIONS].at_once, world.queues[REVISIONS].soon) == (["r1"], [])


def test_a_revision_hears_soon_of_other_numbers() -> None:
    world = World()
    world.caches.podautoscalers.tell(podautoscaler("True", actualScale=1), podautoscaler("True", actualScale=2))
    assert (world.queues[REVISIONS].at_once, world.queues[REVISIONS].soon) == ([], ["r1"])


def latest_ready(name: str) -> Obj:
    meta = {"namespace": "ns", "name": "svc", "ownerReferences": [owned_by(SERVICE, "svc")]}
    return {"metadata": meta, "status": {"latestReadyRevisionName": name}}


def test_a_service_hears_of_a_ready_revision_together_with_the_route_that_follows() -> None:
    world = World({"metadata": {"namespace": "ns", "name": "svc"}})
    world.caches.configurations.tell(latest_ready("r1"), latest_ready("r2"))
    assert (world.queues[SERVICES].at_once, world.queues[SERVICES].soon) == ([], ["svc"])
    assert world.queues[ROUTES].at_once == ["svc"]


def test_a_service_hears_at_once_of_all_else_and_where_no_route_follows() -> None:
    world = World()
    world.caches.configurations.tell(latest_ready("r1"), latest_ready("r2"))
    world.caches.configurations.tell(latest_ready("r2"), latest_ready("r2"))
    assert (world.queues[SERVICES].at_once, world.queues[SERVICES].soon) == (["svc", "svc"], [])
