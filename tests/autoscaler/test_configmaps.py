"""ConfigMaps that change while the autoscaler runs."""

from __future__ import annotations

from typing import Any

from swell.api.kinds import CONFIG_MAP, EVENT
from swell.kube.errors import KubeError
from swell.testing.clock import settle

World = Any
SYSTEM = "swell-system"


async def configure(world: World, name: str, **data: str) -> None:
    found = {key.replace("_", "-"): value for key, value in data.items()}
    try:
        await world.kube.create(CONFIG_MAP, {"metadata": {"name": name, "namespace": SYSTEM}, "data": found})
    except KubeError:
        await world.kube.patch(CONFIG_MAP, SYSTEM, name, {"data": found})
    await settle()


async def events(world: World) -> list[tuple[str, str, str, str]]:
    return [
        (event["involvedObject"]["name"], event["type"], event["reason"], event["message"])
        for event in (await world.kube.list(EVENT, SYSTEM)).items
    ]


async def test_a_bad_value_keeps_the_last_good_settings_and_an_event_says_why(world: World) -> None:
    await configure(world, "config-autoscaler", stable_window="6s")
    assert await events(world) == []
    await configure(world, "config-autoscaler", stable_window="6ms", enable_scale_to_zero="false")
    ((name, kind, reason, message),) = await events(world)
    assert (name, kind, reason) == ("config-autoscaler", "Warning", "InvalidConfiguration")
    assert message == (
        "the settings stay as they were: config-autoscaler: stable-window='6ms' is not usable: "
        "6s to 1h, in whole seconds"
    )
    await world.revision()
    await world.quiet(20)
    assert await world.replicas() == 0, "still 6 s, and to zero"


async def test_a_bad_map_does_not_keep_others_from_being_read(world: World) -> None:
    await configure(world, "config-deployment", progress_deadline="soon")
    await configure(world, "config-network", mesh_compatibility_mode="often")
    await configure(world, "config-autoscaler", stable_window="6s")
    assert sorted(name for name, *_ in await events(world)) == ["config-deployment", "config-network"]
    await world.revision()
    await world.quiet(20)
    assert await world.replicas() == 0


async def test_a_value_that_is_put_right_counts_and_a_map_that_is_gone_is_stock(world: World) -> None:
    await world.revision(window="6s")
    await configure(world, "config-autoscaler", enable_scale_to_zero="perhaps")
    await configure(world, "config-autoscaler", enable_scale_to_zero="false")
    await world.quiet(30)
    assert await world.replicas() == 1
    await world.kube.delete(CONFIG_MAP, SYSTEM, "config-autoscaler")
    await settle()
    await world.quiet(20)
    assert await world.replicas() == 0


async def test_every_setting_counts_without_a_restart(world: World) -> None:
    await world.revision(window="6s")
    await world.load(1, 4)
    assert await world.replicas() == 1
    await configure(world, "config-autoscaler", min_scale="3")
    assert await world.replicas() == 3
    await configure(world, "config-autoscaler", min_scale="0", container_concurrency_target_default="1")
    for _ in range(6):
        await world.follow()
        await world.load(4, 1)
    assert await world.replicas() == 6, "4 in flight at 70 % of 1"
    await configure(world, "config-autoscaler", max_scale="2")
    await world.load(4, 1)
    assert await world.replicas() == 2
