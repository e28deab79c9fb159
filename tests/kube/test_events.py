"""Events over the real embedded server."""

from __future__ import annotations

from collections.abc import Callable

from swell.api.kinds import EVENT, NAMESPACE, POD
from swell.api.meta import Obj
from swell.kube.events import Recorder
from swell.local.apiserver.server import StoreClient
from swell.testing.clock import ManualClock


async def test_the_same_event_again_raises_its_count_even_for_another_recorder(
    store_client: StoreClient, clock: ManualClock, make_pod: Callable[..., Obj]
) -> None:
    pod = await store_client.create(POD, make_pod("a"))
    for _ in range(3):
        await Recorder(store_client, "kubelet", clock).event(pod, "Warning", "BackOff", "it ended")
        clock.advance(10)
    await Recorder(store_client, "kubelet", clock).event(pod, "Warning", "BackOff", "it ended again")
    found = (await store_client.list(EVENT, "default", field_selector="involvedObject.name=a")).items
    assert sorted((each["count"], each["message"]) for each in found) == [(1, "it ended again"), (3, "it ended")]
    first = next(each for each in found if each["count"] == 3)
    assert first["involvedObject"]["uid"] == pod["metadata"]["uid"]
    assert first["source"] == {"component": "kubelet"}
    assert first["firstTimestamp"] < first["lastTimestamp"]


async def test_events_of_cluster_wide_objects_are_in_the_default_namespace(
    store_client: StoreClient, clock: ManualClock
) -> None:
    home = await store_client.get(NAMESPACE, None, "default")
    await Recorder(store_client, "test", clock).event(home, "Normal", "Seen", "hello")
    assert [each["message"] for each in (await store_client.list(EVENT, "default")).items] == ["hello"]


async def test_an_event_that_cannot_be_written_stops_nobody(
    store_client: StoreClient, clock: ManualClock, make_pod: Callable[..., Obj]
) -> None:
    pod = {**make_pod("a"), "metadata": {"name": "a", "namespace": "nowhere", "uid": "1"}}
    await Recorder(store_client, "test", clock).event(pod, "Normal", "Seen", "x" * 5000)
    assert (await store_client.list(EVENT)).items == []
