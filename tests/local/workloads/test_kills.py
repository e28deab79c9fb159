"""Killed at each single write, before or after it took effect, and started again: the end is always the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swell.api.kinds import DEPLOYMENT, Kind
from swell.api.meta import Obj
from swell.local.apiserver.server import StoreClient
from swell.local.workloads import Workloads
from swell.testing.clock import settle

World = Any
WRITES_MAX = 40


class Mortal:
    """A client whose program dies at its n-th write: that write, done or not, never returns."""

    def __init__(self, kube: StoreClient, last: int, *, done: bool) -> None:
        self._kube = kube
        self._left = last
        self._done = done
        self.dead = False
        self.list, self.get, self.watch = kube.list, kube.get, kube.watch

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        return await self._write(self._kube.create, kind, obj)

    async def update(self, kind: Kind, obj: Obj, **options: Any) -> Obj:
        return await self._write(self._kube.update, kind, obj, **options)

    async def patch(self, kind: Kind, namespace: str | None, name: str, patch: Any, **options: Any) -> Obj:
        return await self._write(self._kube.patch, kind, namespace, name, patch, **options)

    async def delete(self, kind: Kind, namespace: str | None, name: str, **options: Any) -> None:
        await self._write(self._kube.delete, kind, namespace, name, **options)

    async def close(self) -> None: ...

    async def _write(self, write: Any, *args: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left > 0:
            return await write(*args, **options)
        if self._left == 0 and self._done:
            await write(*args, **options)
        self.dead = True
        await asyncio.Event().wait()


async def mortal_workloads(world: World, last: int, done: bool) -> Mortal:
    await world.workloads.close()
    mortal = Mortal(world.kube, last, done=done)
    world.workloads = Workloads(mortal, world.clock)  # type: ignore[arg-type]
    await world.workloads.start()
    return mortal


async def sweep(world: World, last: int, done: bool, act: Any, holds: Any) -> bool:
    """Run `act` under workloads that die at write `last`; True if they got that far."""
    mortal = await mortal_workloads(world, last, done)
    await act()
    for _ in range(40):
        await settle()
        if mortal.dead:
            break
        world.clock.advance(0.05)
    await world.restart()
    await world.until(holds)
    return mortal.dead


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_a_rollout_ends_well_whichever_write_was_the_last(done: bool, world: World) -> None:
    await world.deploy(3)
    world.kubelet.start_s = 0.1
    reached = 0
    for last in range(1, WRITES_MAX):
        image = f"image-{last}"

        async def holds(image: str = image) -> bool:
            pods = [pod for pod in await world.pods() if "deletionTimestamp" not in pod["metadata"]]
            images = [pod["spec"]["containers"][0]["image"] for pod in pods]
            return images == [image] * 3 and bool(await world.available(3))

        if await sweep(world, last, done, lambda image=image: world.set_image(image), holds):
            reached = last
    assert reached >= 15


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_a_deletion_ends_well_whichever_write_was_the_last(propagation: Any, done: bool, world: World) -> None:
    reached = 0
    for last in range(1, 12):
        await world.deploy(2)

        async def delete() -> None:
            await world.kube.delete(DEPLOYMENT, "default", "hello", propagation=propagation)

        async def holds() -> bool:
            left = await world.sets() or await world.pods()
            return not left and bool(await world.is_gone(DEPLOYMENT, "hello"))

        if await sweep(world, last, done, delete, holds):
            reached = last
    assert reached >= 3


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_scaling_ends_well_whichever_write_was_the_last(done: bool, world: World) -> None:
    await world.deploy(1)
    reached = 0
    for last in range(1, 16):
        wanted = 4 if last % 2 else 1
        if await sweep(
            world, last, done, lambda wanted=wanted: world.scale(wanted), lambda wanted=wanted: world.available(wanted)
        ):
            reached = last
        assert len([pod for pod in await world.pods() if "deletionTimestamp" not in pod["metadata"]]) == wanted
    assert reached >= 6
