"""Which pods go: their costs as they are written, and that Kubernetes' own order then takes the idlest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.leaving import WRITES_MAX, WRITES_S, Leaving, new_costs
from swell.api.kinds import POD
from swell.api.meta import Key, Obj, rfc3339
from swell.api.pod_cost import DELETION_COST, deletion_cost
from swell.kube.errors import NotFound, Unavailable
from swell.local.workloads.pods import first_to_go
from swell.testing.clock import ManualClock, settle

HELLO = Key("default", "hello-00001")


def pod(name: str, cost: str = "", *, ready: bool = True, ready_at_s: float = 0.0, phase: str = "Running") -> Obj:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": rfc3339(ready_at_s)}
    annotations = {DELETION_COST: cost} if cost else {}
    return {
        "metadata": {"namespace": "default", "name": name, "annotations": annotations},
        "spec": {"nodeName": "node"},
        "status": {"phase": phase, "conditions": [condition]},
    }


def going(pod: Obj) -> Obj:
    return {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": rfc3339(0)}}


A, B, C = pod("a"), pod("b"), pod("c")
CASES: list[tuple[str, list[Obj], dict[str, int], int, dict[str, int]]] = [
    ("nothing in flight: who goes does not matter", [A, B, C], {}, 1, {}),
    ("all as busy", [A, B, C], {"a": 2, "b": 2, "c": 2}, 1, {}),
    ("one idle pod goes", [A, B, C], {"a": 1, "c": 9}, 2, {"b": -1}),
    ("one busy pod stays: one write instead of two", [A, B, C], {"b": 1}, 1, {"b": 1}),
    ("none is idle: the least busy", [A, B, C], {"a": 5, "b": 4, "c": 6}, 2, {"b": -1}),
    ("of two that are idle, what costs less", [pod("a", "3"), pod("b", "2"), C], {"c": 1}, 2, {"b": -1}),
    ("of two that are idle, what became ready last", [A, pod("b", ready_at_s=9), C], {"c": 1}, 2, {"b": -1}),
    ("costs that are as they should be", [A, pod("b", "-1"), C], {"a": 1, "c": 1}, 2, {}),
    ("a cost left from an earlier time, on a pod that stays", [A, pod("b", "-1"), C], {"b": 1, "c": 1}, 2, {"a": -2}),
    ("a pod that is not ready goes anyway", [A, B, pod("c", ready=False)], {"a": 1}, 2, {}),
    ("one that is pending too", [A, B, pod("c", phase="Pending"), pod("d")], {"a": 1, "d": 1}, 2, {"b": -1}),
    ("one that is going already counts no more", [A, B, going(C)], {"a": 1}, 2, {}),
    ("enough is there for all", [A, B], {"a": 1}, 3, {}),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_new_costs(case: tuple[str, list[Obj], dict[str, int], int, dict[str, int]]) -> None:
    _, pods, loads, replicas, want = case
    assert new_costs(pods, loads, replicas) == {Key("default", name): cost for name, cost in want.items()}


pods_and_loads = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-3, 3), st.booleans(), st.integers(0, 3)), min_size=1, max_size=9
)


@given(pods_and_loads, st.integers(1, 9))
def test_a_replica_set_takes_the_idlest_of_the_ready_with_the_fewest_writes(
    drawn: list[tuple[int, int, bool, int]], replicas: int
) -> None:
    pods = [
        pod(str(number), str(cost), ready=ready, ready_at_s=at_s) for number, (_, cost, ready, at_s) in enumerate(drawn)
    ]
    loads = {str(number): load for number, (load, *_) in enumerate(drawn)}

    costs = new_costs(pods, loads, replicas)

    for each in pods:
        if (cost := costs.get(Key("default", each["metadata"]["name"]))) is not None:
            assert cost != deletion_cost(each)
            each["metadata"]["annotations"][DELETION_COST] = str(cost)
    order = sorted(pods, key=first_to_go)
    leave, stay = order[: max(0, len(pods) - replicas)], order[max(0, len(pods) - replicas) :]
    ready = [loads[each["metadata"]["name"]] for each in leave if _is_ready(each)]
    assert max(ready, default=0) <= min((loads[each["metadata"]["name"]] for each in stay), default=0) or not ready
    assert len(costs) <= max(0, min(len(leave), replicas))


def _is_ready(pod: Obj) -> bool:
    return bool(pod["status"]["conditions"][0]["status"] == "True")


class World:
    """Pods of one revision, an API that takes their costs, and what the activators say."""

    def __init__(self, *names: str) -> None:
        self.clock = ManualClock()
        self.pods = [pod(name) for name in names]
        self.loads: dict[str, int] = {}
        self.asked = 0
        self.written: dict[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.writing = self.writing_max = 0
        self.refusals: dict[str, Exception] = {}
        self.leaving = Leaving(self, self.clock, lambda _: self.pods, self._loads)  # type: ignore[arg-type]

    async def _loads(self, revision: Key) -> Mapping[str, int]:
        assert revision == HELLO
        self.asked += 1
        return self.loads

    async def patch(self, kind: Any, namespace: str, name: str, patch: Obj) -> Obj:
        assert (kind, namespace) == (POD, "default")
        self.writing += 1
        self.writing_max = max(self.writing, self.writing_max)
        try:
            await self.gate.wait()
        finally:
            self.writing -= 1
        if name in self.refusals:
            raise self.refusals[name]
        self.written[name] = patch["metadata"]["annotations"][DELETION_COST]
        return {}


async def test_costs_are_written_for_what_is_in_flight_now() -> None:
    world = World("a", "b", "c")
    world.loads = {"a": 1, "c": 2}
    await world.leaving.choose(HELLO, 2)
    assert world.written == {"b": "-1"}


@pytest.mark.parametrize("replicas", [0, 3, 4])
async def test_nobody_is_asked_where_there_is_nothing_to_choose(replicas: int) -> None:
    world = World("a", "b", "c")
    world.loads = {"a": 1}
    await world.leaving.choose(HELLO, replicas)
    assert (world.asked, world.written) == (0, {})


async def test_writes_that_fail_hold_up_nothing_else() -> None:
    world = World("a", "b", "c", "d", "e")
    world.loads = {"c": 1, "d": 1, "e": 1}
    world.refusals = {"a": Unavailable(503, "ServiceUnavailable", "away")}
    await world.leaving.choose(HELLO, 3)
    assert world.written == {"b": "-1"}
    world.refusals = {"a": NotFound(404, "NotFound", "gone")}
    await world.leaving.choose(HELLO, 3)


async def test_writes_without_an_answer_are_given_up_and_never_too_many_at_once() -> None:
    world = World(*(str(number) for number in range(100)))
    world.loads = {str(number): 1 for number in range(50)}
    world.gate.clear()
    choosing = asyncio.create_task(world.leaving.choose(HELLO, 50))
    await settle()
    assert world.writing == WRITES_MAX
    world.clock.advance(WRITES_S)
    await choosing
    assert (world.writing, world.writing_max, world.written) == (0, WRITES_MAX, {})
