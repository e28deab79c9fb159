"""Who hears of which change, from where a watch can resume, and what becomes of a slow watcher."""

from __future__ import annotations

import asyncio

import pytest

from swell.api.meta import Obj
from swell.kube.errors import Expired
from swell.local.apiserver.hub import BACKLOG_EVENTS_MAX, RING_EVENTS_MAX, Change, Hub
from swell.local.apiserver.selection import everything, selector


def obj(version: int, **labels: str) -> Obj:
    return {"metadata": {"name": "x", "namespace": "n", "resourceVersion": str(version), "labels": labels}}


def publish(hub: Hub, *versions: int) -> None:
    for version in versions:
        hub.publish("things", Change(version, None, obj(version)))


async def test_a_watcher_hears_what_comes_after_its_version() -> None:
    hub = Hub(1)
    publish(hub, 2, 3, 4)
    watcher = hub.subscribe("things", None, everything, 2)
    assert [(await watcher.next()).object["metadata"]["resourceVersion"] for _ in range(2)] == ["3", "4"]
    waiting = asyncio.create_task(watcher.next())
    await asyncio.sleep(0)
    publish(hub, 5)
    assert (await waiting).object["metadata"]["resourceVersion"] == "5"


async def test_an_object_enters_and_leaves_the_view_of_a_selector() -> None:
    hub = Hub(1)
    watcher = hub.subscribe("things", None, selector("a=b", "", {}), 1)
    states = [obj(2), obj(3, a="b"), obj(4, a="b"), obj(5, a="c"), obj(6)]
    for before, after in zip([None, *states], states, strict=False):
        hub.publish("things", Change(int(after["metadata"]["resourceVersion"]), before, after))
    events = [await watcher.next() for _ in range(3)]
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    left = events[-1].object["metadata"]
    assert (left["labels"], left["resourceVersion"]) == ({"a": "b"}, "5")
    assert watcher.ready() is None


async def test_only_the_namespace_that_was_asked_for() -> None:
    hub = Hub(1)
    other = hub.subscribe("things", "other", everything, 1)
    mine = hub.subscribe("things", "n", everything, 1)
    publish(hub, 2)
    assert other.ready() is None
    assert mine.ready() is not None


def test_a_version_from_before_a_restart_has_expired() -> None:
    with pytest.raises(Expired):
        Hub(100).subscribe("things", None, everything, 99)


def test_a_version_that_fell_out_of_the_ring_has_expired_for_its_resource_only() -> None:
    hub = Hub(1)
    publish(hub, *range(2, RING_EVENTS_MAX + 4))
    assert hub.oldest("things") == 3
    with pytest.raises(Expired, match=r"too old resource version: 2 \(3\)"):
        hub.subscribe("things", None, everything, 2)
    hub.subscribe("things", None, everything, 3)
    hub.subscribe("others", None, everything, 1)


async def test_a_watcher_that_does_not_read_is_told_to_list_again() -> None:
    hub = Hub(1)
    watcher = hub.subscribe("things", None, everything, 1)
    publish(hub, *range(2, BACKLOG_EVENTS_MAX + 3))
    assert hub.watchers == 0
    with pytest.raises(Expired):
        await watcher.next()


def test_a_closed_watcher_is_forgotten() -> None:
    hub = Hub(1)
    watcher = hub.subscribe("things", None, everything, 1)
    watcher.close()
    watcher.close()
    assert hub.watchers == 0
