"""What the autoscaler says of itself and of each revision: spec autoscaling 8."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from swell.api.kinds import POD_AUTOSCALER
from swell.testing.clock import settle
from swell.testing.peers import free_port

World = Any
NAME = "hello-00001"
NAMED = 'k8s_namespace_name="default",kn_configuration_name="hello",kn_revision_name="hello-00001",kn_service_name="hi"'


async def figures(world: World) -> dict[str, float]:
    status, text = await world.http("/metrics", port=world.admin_port)
    assert status == 200
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def of_revision(found: dict[str, float]) -> dict[str, float]:
    """The figures that name the revision, by their names."""
    return {name.partition("{")[0]: value for name, value in found.items() if name.endswith(f"{{{NAMED}}}")}


@pytest.fixture
async def seen(new_world: Any) -> Any:
    world = new_world()
    world.admin_port = free_port()
    await world.start(admin_port=world.admin_port)
    yield world
    await world.disconnect()
    await world.stop()


async def labelled(world: World, **notes: str) -> None:
    await world.revision(**notes)
    own = {"serving.knative.dev/service": "hi", "serving.knative.dev/configuration": "hello"}
    await world.kube.patch(POD_AUTOSCALER, "default", NAME, {"metadata": {"labels": own}})
    await settle()


async def test_each_revision_has_the_references_gauges(seen: World) -> None:
    await labelled(seen, target="10", max_scale="1")
    await seen.load(20, 4)
    assert of_revision(await figures(seen)) == {
        "kn_revision_pods_desired": 3,
        "kn_revision_capacity_excess": -221,
        "kn_revision_panic_mode": 1,
        "kn_revision_concurrency_stable": 20,
        "kn_revision_concurrency_panic": 20,
        "kn_revision_concurrency_target": 7,
        "kn_revision_pods_requested": 1,
        "kn_revision_pods_count": 1,
        "kn_revision_pods_not_ready_count": 0,
        "kn_revision_pods_pending_count": 0,
        "kn_revision_pods_terminating_count": 0,
        "swell_revision_activators": 3,
    }


async def test_one_that_scales_by_requests_a_second_has_gauges_of_these(seen: World) -> None:
    await labelled(seen, metric="rps", target="10")
    await seen.load(1, 4)
    found = of_revision(await figures(seen))
    assert (found["kn_revision_rps_stable"], found["kn_revision_rps_target"]) == (1, 7)
    assert "kn_revision_concurrency_stable" not in found


async def test_a_revision_that_rests_at_zero_has_one_gauge(seen: World) -> None:
    await labelled(seen, window="6s")
    await seen.quiet(60)
    await seen.pods(0)
    assert of_revision(await figures(seen)) == {"kn_revision_pods_desired": 0}


async def test_scrapes_and_reports_are_counted(seen: World) -> None:
    found = await figures(seen)
    assert (found["swell_autoscaler_scraped"], found["swell_autoscaler_blind"]) == (0, 0)
    assert found["kn_autoscaler_scrape_duration_count"] == 0
    await seen.report(1, "unknown")
    assert (await figures(seen))["swell_autoscaler_reports_unknown_total"] == 1


async def test_panic_is_told_when_it_begins_and_when_it_is_over(seen: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await labelled(seen, target="1", window="20s", max_scale="1")
    await seen.load(20, 4)
    assert [record.message for record in caplog.records if "panic" in record.message] == ["panic has begun"]
    await seen.quiet(50)
    assert [record.message for record in caplog.records if "panic" in record.message][1:] == ["panic is over"]
