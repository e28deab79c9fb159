"""A cluster of one kind in memory, whose watches and outages are worked by hand; and the real embedded server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from swell.api.kinds import NAMESPACE, POD, Kind
from swell.api.meta import Obj
from swell.kube.client import EventType, ObjList, WatchEvent
from swell.kube.errors import Expired, Unavailable
from swell.local.apiserver.server import ApiServer, StoreClient
from swell.local.apiserver.store import open_store
from swell.testing.clock import ManualClock

Stream = deque["WatchEvent | Exception | None"]


class ByHand:
    """The list and watch half of a `KubeClient`: a history of events, and watches that tests feed, cut and refuse."""

    def __init__(self) -> None:
        self.version = 100
        self.oldest = 0
        self.down = False
        self.objects: dict[str, Obj] = {}
        self.history: list[WatchEvent] = []
        self.lists = 0
        self.watched_from: list[int] = []
        self.watches: dict[int, tuple[Stream, asyncio.Event]] = {}

    def put(self, name: str, *, uid: str = "", tell: bool = True, **labels: str) -> Obj:
        """Make or change an object; with `tell=False` no watch hears of it."""
        self.version += 1
        seen = self.objects.get(name)
        meta = {
            "name": name,
            "namespace": "default",
            "uid": uid or (seen["metadata"]["uid"] if seen else f"uid-{name}"),
            "resourceVersion": str(self.version),
            "labels": labels,
        }
        obj = self.objects[name] = {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
        self._record("ADDED" if seen is None else "MODIFIED", obj, tell)
        return obj

    def remove(self, name: str, *, tell: bool = True) -> None:
        self.version += 1
        obj = self.objects.pop(name)
        gone = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self._record("DELETED", gone, tell)

    def bookmark(self) -> None:
        meta = {"resourceVersion": str(self.version)}
        self.feed(WatchEvent("BOOKMARK", {"apiVersion": "v1", "kind": "Pod", "metadata": meta}))

    def feed(self, what: WatchEvent | Exception | None) -> None:
        """Put an event, an error or the end (None) into every watch."""
        for stream, woken in self.watches.values():
            stream.append(what)
            woken.set()

    def cut(self) -> None:
        """The server ends all watches."""
        self.feed(None)

    def go_away(self) -> None:
        self.down = True
        self.feed(away())

    def come_back(self, *, forgetting: bool = False) -> None:
        """With `forgetting`, watches can resume from now only."""
        self.down = False
        if forgetting:
            self.oldest = self.version

    async def list(
        self, kind: Kind, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjList:
        self.lists += 1
        if self.down:
            raise away()
        return ObjList(list(self.objects.values()), str(self.version))

    async def watch(self, kind: Kind, namespace: str | None = None, **options: Any) -> AsyncIterator[WatchEvent]:
        since = int(options["resource_version"])
        self.watched_from.append(since)
        if self.down:
            raise away()
        if since < self.oldest:
            raise Expired(410, "Expired", f"too old resource version: {since} ({self.oldest})")
        number = len(self.watched_from)
        stream: Stream = deque(event for event in self.history if _version(event) > since)
        woken = asyncio.Event()
        self.watches[number] = stream, woken
        try:
            while True:
                while not stream:
                    woken.clear()
                    await woken.wait()
                found = stream.popleft()
                if found is None:
                    return
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            del self.watches[number]

    def _record(self, kind: EventType, obj: Obj, tell: bool) -> None:
        event = WatchEvent(kind, obj)
        if tell:
            self.history.append(event)
            self.feed(event)


def away() -> Unavailable:
    return Unavailable(503, "ServiceUnavailable", "nobody there")


def _version(event: WatchEvent) -> int:
    return int(event.object["metadata"]["resourceVersion"])


@pytest.fixture
def kube() -> ByHand:
    return ByHand()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store_client() -> StoreClient:
    """The real embedded server, with the namespace `default`."""
    client = StoreClient(ApiServer(open_store(":memory:")))
    await client.create(NAMESPACE, {"metadata": {"name": "default"}})
    return client


@pytest.fixture
def make_pod() -> Callable[..., Obj]:
    def make(name: str, **labels: str) -> Obj:
        return {
            "apiVersion": POD.api_version,
            "kind": POD.kind,
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"containers": [{"name": "app", "image": "app"}]},
        }

    return make
