"""Sample a Service for the live view: informers for objects, and the autoscaler's last numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from swell.api.kinds import POD, POD_AUTOSCALER, SERVICE
from swell.api.labels import SERVICE as SERVICE_LABEL
from swell.api.meta import Obj, condition_of
from swell.cli.live import Sample
from swell.cli.reach import Ask, NoAutoscaler, NoDocument
from swell.kube.client import KubeClient
from swell.kube.informer import Informer
from swell.runtime.clock import Clock, SystemClock
from swell.runtime.errors import SwellError

NUMBERS_TIMEOUT_S: Final = 1.0

Decisions = dict[str, dict[str, Any]]
# The last numbers by namespace/name; empty while no autoscaler answers: the objects are still worth showing.
Numbers = Callable[[], Awaitable[Decisions]]


class NoService(SwellError):
    """The Service to follow does not exist."""


class Observer:
    """Looks at one Service; `sample()` is cheap enough to call several times a second."""

    def __init__(
        self,
        namespace: str,
        name: str,
        informers: tuple[Informer, Informer, Informer],
        numbers: Numbers,
        clock: Clock,
    ) -> None:
        self._namespace = namespace
        self._name = name
        self._services, self._autoscalers, self._pods = informers
        self._numbers = numbers
        self._clock = clock
        self._started_s = clock.now()
        self._changed = asyncio.Event()
        for informer in informers:
            informer.add_handler(lambda _old, _new: self._changed.set())

    async def changed(self) -> None:
        """Returns at the next change of the Service, its PodAutoscalers or its pods."""
        self._changed.clear()
        await self._changed.wait()

    @property
    def service(self) -> Obj | None:
        """The Service as last seen."""
        return self._services.get(self._namespace, self._name)

    def pods(self) -> list[Obj]:
        """Its pods, those on their way out included."""
        return list(self._pods.items())

    async def sample(self) -> Sample:
        """What is so now. Without numbers from the autoscaler, concurrency and rates read 0."""
        service = self.service or {}
        numbers = await self._numbers()
        known = [entry for pa in self._autoscalers.items() if (entry := numbers.get(_key(pa)))]
        scales = [pa.get("status", {}).get("desiredScale") for pa in self._autoscalers.items()]
        wanted = [scale for scale in scales if scale is not None and scale >= 0]  # -1: not decided yet
        pods = [pod for pod in self.pods() if "deletionTimestamp" not in pod["metadata"]]
        ready = sum(condition_of(pod).get("status") == "True" for pod in pods)
        return Sample(
            at_s=self._clock.now() - self._started_s,
            revision=service.get("status", {}).get("latestReadyRevisionName", ""),
            wanted=sum(wanted) if wanted else None,
            ready=ready,
            starting=len(pods) - ready,
            concurrency=sum(float(entry.get("panic_value") or 0.0) for entry in known),
            target=next((float(entry["target"]) for entry in known if entry.get("target")), None),
            requests_per_s=sum(float(entry.get("requests_per_s") or 0.0) for entry in known),
            panic=any(bool(entry.get("in_panic")) for entry in known),
            condition=_describe(service),
        )


def numbers_of(ask: Ask) -> Numbers:
    """The numbers of the autoscaler that is asked so."""

    async def numbers() -> Decisions:
        try:
            async with asyncio.timeout(NUMBERS_TIMEOUT_S):
                found: Decisions = await ask("/decisions")
                return found
        except (NoAutoscaler, NoDocument, TimeoutError):
            return {}

    return numbers


@asynccontextmanager
async def observe(client: KubeClient, namespace: str, name: str, numbers: Numbers) -> AsyncIterator[Observer]:
    """An observer with its informers synced; `NoService` if there is nothing to follow."""
    clock = SystemClock()
    mine = f"{SERVICE_LABEL}={name}"
    informers = (
        Informer(client, SERVICE, namespace=namespace, clock=clock),
        Informer(client, POD_AUTOSCALER, namespace=namespace, label_selector=mine, clock=clock),
        Informer(client, POD, namespace=namespace, label_selector=mine, clock=clock),
    )
    try:
        await asyncio.gather(*(informer.start() for informer in informers))
        observer = Observer(namespace, name, informers, numbers, clock)
        if observer.service is None:
            raise NoService(f"there is no Service {namespace}/{name}; `swell get ksvc -A` lists those there are")
        yield observer
    finally:
        await asyncio.gather(*(informer.close() for informer in informers))


def _key(obj: Obj) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"


def _describe(service: Obj) -> str:
    ready = condition_of(service)
    if ready.get("status", "True") != "True":
        return f"{ready.get('reason', 'not ready')}: {ready.get('message', '')}".rstrip(": ")
    return "Ready" if service.get("status") else "new"
