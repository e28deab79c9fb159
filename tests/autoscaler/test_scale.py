"""Replicas on their way into Deployments: the latest wish, one write at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from autoscaler.pace import Pace
from autoscaler.scale import Scaler
from swell.api.kinds import DEPLOYMENT
from swell.api.meta import Key, Obj
from swell.kube.errors import NotFound, Unavailable
from swell.testing.clock import ManualClock, settle

HELLO = Key("default", "hello-deployment")


class Kube:
    """Takes scale writes, one at a time once `hold` is set; answers as an API server does."""

    def __init__(self) -> None:
        self.version = 10
        self.written: list[int] = []
        self.pending: list[asyncio.Event] = []
        self.hold = False
        self.gone = False
        self.faults: list[Exception] = []

    async def patch(self, kind: Any, namespace: str, name: str, patch: Obj, *, subresource: str) -> Obj:
        assert (kind, namespace, name, subresource) == (DEPLOYMENT, *HELLO, "scale")
        if self.hold:
            self.pending.append(asyncio.Event())
            await self.pending[-1].wait()
        if self.faults:
            raise self.faults.pop()
        if self.gone:
            raise NotFound(404, "NotFound", "gone")
        self.version += 1
        replicas = patch["spec"]["replicas"]
        self.written.append(replicas)
        spec = {"replicas": replicas} if replicas else {}
        return {"kind": "Scale", "metadata": {"resourceVersion": str(self.version)}, "spec": spec}


class World:
    def __init__(self) -> None:
        self.kube = Kube()
        self.told: list[tuple[int, int]] = []
        self.clock = ManualClock()
        self.pace = Pace(self.clock)
        self.scaler = Scaler(self.kube, self.clock, lambda _, *change: self.told.append(change), self.pace)  # type: ignore[arg-type]

    def see(self, replicas: int, version: int = 1) -> None:
        self.scaler.changed(None, deployment(replicas, version))


def deployment(replicas: int, version: int = 1) -> Obj:
    meta = {"namespace": "default", "name": HELLO.name, "resourceVersion": str(version)}
    return {"kind": "Deployment", "metadata": meta, "spec": {"replicas": replicas}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(("replicas", "written"), [(1, []), (10, [1])])
async def test_case_67_only_a_difference_is_written(world: World, replicas: int, written: list[int]) -> None:
    world.see(replicas)
    world.scaler.want(HELLO, 1)
    await settle()
    assert (world.kube.written, world.scaler.replicas(HELLO)) == (written, 1)


async def test_wishes_made_during_a_write_become_one_write(world: World) -> None:
    world.see(0)
    world.kube.hold = True
    for replicas in (1, 2, 3, 7):
        world.scaler.want(HELLO, replicas)
        await settle()
    world.kube.hold = False
    world.kube.pending[0].set()
    await settle()
    assert world.kube.written == [1, 7]


async def test_a_wish_that_returns_to_what_is_writes_the_way_back(world: World) -> None:
    world.see(1)
    world.kube.hold = True
    world.scaler.want(HELLO, 0)
    await settle()
    world.scaler.want(HELLO, 1)
    world.kube.hold = False
    world.kube.pending[0].set()
    await settle()
    assert (world.kube.written, world.scaler.replicas(HELLO)) == ([0, 1], 1)
    assert world.told == [(1, 0), (0, 1)]


async def test_an_event_from_before_our_own_write_tells_nothing(world: World) -> None:
    world.see(0)
    world.scaler.want(HELLO, 3)
    await settle()
    world.see(0, version=5)
    assert world.scaler.replicas(HELLO) == 3
    world.see(1, version=50)
    assert world.scaler.replicas(HELLO) == 1


async def test_a_deployment_that_is_gone_is_left_alone(world: World) -> None:
    world.scaler.want(HELLO, 1)
    assert world.scaler.replicas(HELLO) is None
    world.see(0)
    world.kube.gone = True
    world.scaler.want(HELLO, 1)
    await settle()
    world.scaler.changed(deployment(0), None)
    assert (world.scaler.replicas(HELLO), world.kube.written) == (None, [])


async def test_an_error_that_nobody_foresaw_does_not_end_the_scaling(world: World) -> None:
    world.see(1)
    world.kube.faults = [ValueError("a bug"), Unavailable(503, "ServiceUnavailable", "away")]
    world.scaler.want(HELLO, 3)
    await world.clock.pass_time(5)
    assert world.kube.written == [3]
    assert world.told == [(1, 3)]


async def test_a_close_ends_a_write_that_gets_no_answer(world: World) -> None:
    world.see(0)
    world.kube.hold = True
    world.scaler.want(HELLO, 1)
    await settle()
    await world.scaler.close()
    assert world.kube.written == []


async def test_pods_are_started_in_the_places_of_those_that_are_ready(world: World) -> None:
    world.pace.set_cpus(1)
    world.see(0)
    world.scaler.want(HELLO, 5)
    await settle()
    assert world.kube.written == [2]
    world.scaler.ready(HELLO, 1)
    await settle()
    world.scaler.ready(HELLO, 1)
    await settle()
    assert world.kube.written == [2, 3]
    world.scaler.ready(HELLO, 3)
    await settle()
    assert world.kube.written[2:] in ([5], [4, 5])


async def test_starts_that_are_not_wanted_any_more_give_their_places_back(world: World) -> None:
    world.pace.set_cpus(1)
    world.see(0)
    world.scaler.want(HELLO, 2)
    await settle()
    world.scaler.want(HELLO, 0)
    await settle()
    world.scaler.want(HELLO, 2)
    await settle()
    assert world.kube.written == [2, 0, 2]


async def test_a_write_that_fails_keeps_no_place(world: World) -> None:
    world.pace.set_cpus(1)
    world.see(0)
    world.kube.faults = [Unavailable(503, "ServiceUnavailable", "away")] * 3
    world.scaler.want(HELLO, 2)
    await world.clock.pass_time(1)
    assert world.kube.written == [2]
    assert world.clock.now() == 1.0
    world.scaler.ready(HELLO, 2)
    world.scaler.want(HELLO, 4)
    await settle()
    assert world.kube.written == [2, 4]


class Choices:
    """Chooses who goes, once it is let; `seen` are the replicas it was asked for, `called_off` how many it was not."""

    def __init__(self, world: World) -> None:
        self.seen: list[int] = []
        self.called_off = 0
        self.gate = asyncio.Event()
        self.fault: Exception | None = None
        world.scaler = Scaler(world.kube, world.clock, lambda *_: None, choose=self.choose)  # type: ignore[arg-type]

    async def choose(self, deployment: Key, replicas: int) -> None:
        assert deployment == HELLO
        self.seen.append(replicas)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.called_off += 1
            raise
        if self.fault is not None:
            raise self.fault


async def test_before_fewer_replicas_are_written_it_is_chosen_who_goes(world: World) -> None:
    choices = Choices(world)
    world.see(5)
    world.scaler.want(HELLO, 3)
    await settle()
    assert (choices.seen, world.kube.written) == ([3], [])
    choices.gate.set()
    await settle()
    assert world.kube.written == [3]
    for replicas in (4, 0):
        world.scaler.want(HELLO, replicas)
        await settle()
    assert (choices.seen, world.kube.written) == ([3], [3, 4, 0])


async def test_replicas_that_are_wanted_after_all_do_not_wait_for_a_choice(world: World) -> None:
    choices = Choices(world)
    world.see(5)
    world.scaler.want(HELLO, 3)
    await settle()
    world.scaler.want(HELLO, 8)
    await settle()
    assert (choices.called_off, world.kube.written) == (1, [8])


async def test_a_choice_is_made_again_for_fewer_still(world: World) -> None:
    choices = Choices(world)
    world.see(5)
    world.scaler.want(HELLO, 3)
    await settle()
    world.scaler.want(HELLO, 2)
    choices.gate.set()
    await settle()
    assert (choices.seen, world.kube.written) == ([3, 2], [2])


async def test_a_choice_that_fails_does_not_end_the_scaling(world: World) -> None:
    choices = Choices(world)
    choices.gate.set()
    choices.fault = ValueError("a bug")
    world.see(5)
    world.scaler.want(HELLO, 3)
    await settle()
    assert world.kube.written == [3]


async def test_a_close_ends_a_choice_too(world: World) -> None:
    choices = Choices(world)
    world.see(5)
    world.scaler.want(HELLO, 3)
    await settle()
    await world.scaler.close()
    await settle()
    assert (choices.called_off, world.kube.written) == (1, [])
