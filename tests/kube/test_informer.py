"""The cache stays true whatever happens to the server, and never asks it in a busy loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from swell.api.kinds import POD
from swell.kube.client import WatchEvent
from swell.kube.errors import Forbidden
from swell.kube.informer import RETRY_FIRST_S, RETRY_LAST_S, Informer
from swell.testing.clock import ManualClock, settle

Changes = list[tuple[str | None, str | None]]


def names(informer: Informer) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in informer.items())


def version(obj: Any) -> str | None:
    return None if obj is None else f"{obj['metadata']['name']}@{obj['metadata']['resourceVersion']}"


@pytest.fixture
async def informer(kube: Any, clock: ManualClock) -> AsyncIterator[Informer]:
    informer = Informer(kube, POD, clock=clock)
    yield informer
    await informer.close()
    assert not kube.watches


@pytest.fixture
def changes(informer: Informer) -> Changes:
    seen: Changes = []
    informer.add_handler(lambda old, new: seen.append((version(old), version(new))))
    return seen


async def test_the_first_list_is_told_as_new_objects_before_start_returns(
    kube: Any, informer: Informer, changes: Changes
) -> None:
    kube.put("a")
    kube.put("b")
    await informer.start()
    assert names(informer) == ["a", "b"]
    assert changes == [(None, "a@101"), (None, "b@102")]


async def test_changes_are_followed_in_order(kube: Any, informer: Informer, changes: Changes) -> None:
    await informer.start()
    kube.put("a")
    kube.put("a")
    kube.remove("a")
    await settle()
    assert changes == [(None, "a@101"), ("a@101", "a@102"), ("a@102", None)]
    assert names(informer) == []


async def test_a_handler_finds_the_new_state_in_the_cache(kube: Any, informer: Informer) -> None:
    seen: list[bool] = []
    informer.add_handler(lambda _old, new: seen.append(informer.get("default", "a") is new))
    kube.put("a")
    await informer.start()
    kube.put("a")
    kube.remove("a")
    await settle()
    assert seen == [True, True, True]


async def test_events_told_twice_are_told_on_once(kube: Any, informer: Informer, changes: Changes) -> None:
    await informer.start()
    first = kube.put("a")
    kube.put("a")
    await settle()
    for _ in range(2):
        kube.feed(WatchEvent("ADDED", first))
        kube.feed(WatchEvent("MODIFIED", kube.objects["a"]))
    kube.feed(WatchEvent("DELETED", {"metadata": {"name": "never", "namespace": "default", "resourceVersion": "1"}}))
    await settle()
    assert changes == [(None, "a@101"), ("a@101", "a@102")]


async def test_a_watch_that_ends_is_resumed_where_it_ended(kube: Any, informer: Informer, changes: Changes) -> None:
    kube.put("a")
    await informer.start()
    kube.put("b")
    await settle()
    kube.cut()
    kube.put("c", tell=True)
    await settle()
    assert kube.watched_from == [101, 102]
    assert kube.lists == 1
    assert changes == [(None, "a@101"), (None, "b@102"), (None, "c@103")]


async def test_a_bookmark_moves_the_place_to_resume_from(kube: Any, informer: Informer, changes: Changes) -> None:
    await informer.start()
    await settle()
    kube.version = 500
    kube.bookmark()
    await settle()
    kube.oldest = 400
    kube.cut()
    await settle()
    assert kube.watched_from == [100, 500]
    assert changes == []


async def test_a_server_that_comes_back_is_resumed_without_a_list(
    kube: Any, clock: ManualClock, informer: Informer, changes: Changes
) -> None:
    await informer.start()
    kube.put("a")
    await settle()
    kube.go_away()
    await clock.pass_time(60)
    kube.put("b")
    kube.come_back()
    await clock.pass_time(RETRY_LAST_S)
    assert names(informer) == ["a", "b"]
    assert kube.lists == 1
    assert changes == [(None, "a@101"), (None, "b@102")]


async def test_what_changed_and_went_while_away_is_told_after_a_new_list(
    kube: Any, clock: ManualClock, informer: Informer, changes: Changes
) -> None:
    for name in ("stays", "changes", "goes"):
        kube.put(name)
    await informer.start()
    await settle()
    changes.clear()
    kube.go_away()
    kube.put("changes", tell=False)
    kube.remove("goes", tell=False)
    kube.put("comes", tell=False)
    kube.come_back(forgetting=True)
    await clock.pass_time(RETRY_LAST_S)
    assert sorted(changes, key=str) == [("changes@102", "changes@104"), ("goes@103", None), (None, "comes@106")]
    assert names(informer) == ["changes", "comes", "stays"]


async def test_an_object_made_anew_under_its_old_name_is_told_as_gone_and_new(
    kube: Any, clock: ManualClock, informer: Informer, changes: Changes
) -> None:
    kube.put("a", uid="1")
    await informer.start()
    await settle()
    kube.put("a", uid="2")
    await settle()
    kube.go_away()
    kube.put("a", uid="3", tell=False)
    kube.come_back(forgetting=True)
    await clock.pass_time(RETRY_LAST_S)
    assert changes == [(None, "a@101"), ("a@101", None), (None, "a@102"), ("a@102", None), (None, "a@103")]


async def test_a_late_deletion_of_a_former_object_leaves_the_present_one(
    kube: Any, informer: Informer, changes: Changes
) -> None:
    kube.put("a", uid="2")
    await informer.start()
    await settle()
    former = {"metadata": {"name": "a", "namespace": "default", "uid": "1", "resourceVersion": "90"}}
    kube.feed(WatchEvent("DELETED", former))
    await settle()
    assert names(informer) == ["a"]


async def test_start_waits_for_a_server_that_is_not_there_yet(
    kube: Any, clock: ManualClock, informer: Informer
) -> None:
    kube.down = True
    starting = asyncio.create_task(informer.start())
    await clock.pass_time(30)
    assert not starting.done()
    kube.put("a", tell=False)
    kube.come_back()
    await clock.pass_time(RETRY_LAST_S)
    await starting
    assert names(informer) == ["a"]


async def test_an_absent_server_is_asked_less_and_less_often(kube: Any, clock: ManualClock, informer: Informer) -> None:
    kube.down = True
    starting = asyncio.create_task(informer.start())
    await clock.pass_time(600, step_s=0.5)
    assert kube.lists <= 600 / (RETRY_LAST_S / 2) + 20
    starting.cancel()


async def test_watches_that_end_at_once_are_no_busy_loop(kube: Any, clock: ManualClock, informer: Informer) -> None:
    await informer.start()
    for _ in range(600):
        kube.cut()
        await clock.pass_time(0.1, step_s=0.1)
    assert len(kube.watched_from) <= 60 / (RETRY_LAST_S / 2) + 20


async def test_a_server_that_always_says_expired_is_no_busy_loop(
    kube: Any, clock: ManualClock, informer: Informer
) -> None:
    kube.oldest = 10_000
    await informer.start()
    await clock.pass_time(60, step_s=0.1)
    assert kube.lists <= 60 / (RETRY_LAST_S / 2) + 20


async def test_a_refusal_is_tried_again_for_rights_may_be_granted(
    kube: Any, clock: ManualClock, informer: Informer
) -> None:
    await informer.start()
    await settle()
    kube.feed(Forbidden(403, "Forbidden", "no"))
    await clock.pass_time(RETRY_FIRST_S * 2)
    kube.put("a")
    await settle()
    assert names(informer) == ["a"]


async def test_a_handler_that_fails_keeps_nobody_from_hearing(
    kube: Any, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    informer = Informer(kube, POD, clock=clock)
    seen: list[str | None] = []
    informer.add_handler(lambda _old, new: new["nothing"] if new else None)
    informer.add_handler(lambda _old, new: seen.append(version(new)))
    await informer.start()
    kube.put("a")
    await settle()
    await informer.close()
    assert seen == ["a@101"]
    assert "a handler failed" in caplog.text


async def test_an_index_finds_objects_by_what_they_say_now(kube: Any, clock: ManualClock) -> None:
    informer = Informer(kube, POD, clock=clock)
    informer.add_index("app", lambda obj: obj["metadata"]["labels"].values())
    kube.put("a", app="x")
    await informer.start()
    kube.put("b", app="x", also="y")
    kube.put("a", app="z")
    await settle()
    found = {key: [obj["metadata"]["name"] for obj in informer.indexed("app", key)] for key in "xyz"}
    assert found == {"x": ["b"], "y": ["b"], "z": ["a"]}
    kube.remove("a")
    await settle()
    assert informer.indexed("app", "z") == []
    await informer.close()


async def test_a_resync_tells_every_object_again(kube: Any, clock: ManualClock) -> None:
    informer = Informer(kube, POD, clock=clock, resync_s=30)
    seen: Changes = []
    kube.put("a")
    await informer.start()
    informer.add_handler(lambda old, new: seen.append((version(old), version(new))))
    await clock.pass_time(61, step_s=1)
    await informer.close()
    assert seen == [("a@101", "a@101")] * 2
    assert clock.pending == 0


async def test_closing_before_the_start_has_succeeded_ends_everything(kube: Any, clock: ManualClock) -> None:
    informer = Informer(kube, POD, clock=clock)
    await informer.close()
    kube.down = True
    starting = asyncio.create_task(informer.start())
    await settle()
    starting.cancel()
    await informer.close()
    assert clock.pending == 0


async def test_what_was_learned_from_a_write_is_there_at_once_and_told_once(
    kube: Any, informer: Informer, changes: Changes
) -> None:
    await informer.start()
    await settle()
    written = kube.put("a", tell=False)
    informer.learn(written)
    assert informer.get("default", "a") is written
    kube.feed(WatchEvent("ADDED", written))
    await settle()
    assert changes == [(None, "a@101")]


async def test_what_was_learned_late_does_not_bring_back_what_has_gone(
    kube: Any, informer: Informer, changes: Changes
) -> None:
    await informer.start()
    written = kube.put("a")
    kube.remove("a")
    await settle()
    informer.learn(written)
    assert names(informer) == []
    assert changes == [(None, "a@101"), ("a@101", None)]


async def test_what_is_not_kept_is_as_if_it_were_not_there(kube: Any, clock: ManualClock) -> None:
    kept = {"a", "b"}
    informer = Informer(kube, POD, clock=clock, keep=lambda obj: obj["metadata"]["name"] in kept)
    seen: Changes = []
    informer.add_handler(lambda old, new: seen.append((version(old), version(new))))
    for name in ("a", "other"):
        kube.put(name)
    await informer.start()
    for name in ("b", "other"):
        kube.put(name)
    await settle()
    assert seen == [(None, "a@101"), (None, "b@103")]
    kept.remove("a")
    kube.put("a")
    kube.put("a")
    kube.remove("other")
    await settle()
    assert seen[2:] == [("a@101", None)]
    assert names(informer) == ["b"]
    await informer.close()
