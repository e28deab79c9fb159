"""Revisions that Kubernetes scales: the class HPA, spec autoscaling 5."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.hpa import failed_status, make_hpa, next_status
from swell.api.autoscaling import PodAutoscaler
from swell.api.kinds import HORIZONTAL_POD_AUTOSCALER, POD_AUTOSCALER
from swell.api.meta import Obj
from swell.config.autoscaler import AutoscalerConfig
from swell.kube.controller import GATHER_S
from swell.kube.errors import Forbidden

World = Any
NAME = "hello-00001"
PREFIX = "autoscaling.knative.dev/"
HPA = {"class": "hpa.autoscaling.knative.dev"}
CONFIG = AutoscalerConfig()


def podautoscaler(reachability: str = "", **notes: str) -> Obj:
    return {
        "apiVersion": POD_AUTOSCALER.api_version,
        "kind": POD_AUTOSCALER.kind,
        "metadata": {
            "name": NAME,
            "namespace": "default",
            "uid": "uid-1",
            "labels": {"serving.knative.dev/revision": NAME},
            "annotations": {f"{PREFIX}{key.replace('_', '-')}": value for key, value in {**HPA, **notes}.items()},
        },
        "spec": {
            "reachability": reachability,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{NAME}-deployment"},
        },
    }


def made(reachability: str = "", config: AutoscalerConfig = CONFIG, **notes: str) -> Obj:
    obj = podautoscaler(reachability, **notes)
    return make_hpa(PodAutoscaler.parse(obj), obj, config)


def utilization(percent: int) -> Obj:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


@pytest.mark.parametrize(
    ("notes", "metrics"),
    [
        ({"metric": "cpu", "target": "50"}, [utilization(50)]),
        ({"target": "1982.4"}, [utilization(1983)]),
        (
            {"metric": "memory", "target": "50.9"},
            [
                {
                    "type": "Resource",
                    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "50Mi"}},
                }
            ],
        ),
        (
            {"metric": "custom", "target": "50"},
            [
                {
                    "type": "Pods",
                    "pods": {"metric": {"name": "custom"}, "target": {"type": "AverageValue", "averageValue": "50"}},
                }
            ],
        ),
        ({"metric": "cpu"}, None),
    ],
)
def test_case_91_what_kubernetes_scales_by(notes: dict[str, str], metrics: list[Obj] | None) -> None:
    assert made(**notes)["spec"].get("metrics") == metrics


def test_case_91_a_window_steadies_both_ways() -> None:
    rules = {"stabilizationWindowSeconds": 60}
    assert made(window="60s")["spec"]["behavior"] == {"scaleUp": rules, "scaleDown": rules}
    assert "behavior" not in made()["spec"]


def test_an_hpa_has_what_its_podautoscaler_has() -> None:
    found = made(min_scale="2", max_scale="7")
    assert found["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{NAME}-deployment"},
        "minReplicas": 2,
        "maxReplicas": 7,
    }
    meta = podautoscaler(min_scale="2", max_scale="7")["metadata"]
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]) == (meta["labels"], meta["annotations"])
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("PodAutoscaler", "uid-1", True)


def test_bounds_come_from_the_config_map_where_there_are_no_annotations() -> None:
    assert made()["spec"]["maxReplicas"] == 2147483647
    assert "minReplicas" not in made()["spec"]
    config = AutoscalerConfig(min_scale=3, max_scale=9)
    assert (made(config=config)["spec"]["minReplicas"], made(config=config)["spec"]["maxReplicas"]) == (3, 9)
    assert "minReplicas" not in made("Unreachable", config)["spec"]


def looked_at(current: int, desired: int) -> Obj:
    conditions = [{"type": "AbleToScale", "status": "True"}]
    return {"status": {"currentReplicas": current, "desiredReplicas": desired, "conditions": conditions}}


def conditions(status: Any) -> dict[str, str]:
    return {each.type: each.status for each in status.conditions}


@pytest.mark.parametrize(("current", "started"), [(5, "True"), (0, "Unknown")])
def test_case_92_the_status_is_that_of_the_hpa(current: int, started: str) -> None:
    pa = PodAutoscaler.parse(podautoscaler())
    status = next_status(pa, looked_at(current, 3), 5, CONFIG, 100.0)
    assert (status.actual_scale, status.desired_scale) == (current, 3)
    assert conditions(status) == {"Active": "True", "Ready": started, "ScaleTargetInitialized": started}


@pytest.mark.parametrize(
    ("notes", "current", "ready", "started"),
    [
        ({"min_scale": "6"}, 5, 5, "Unknown"),
        ({"min_scale": "5"}, 5, 5, "True"),
        ({"initial_scale": "6"}, 5, 5, "Unknown"),
        ({}, 5, 0, "Unknown"),
    ],
)
def test_a_revision_has_started_with_all_the_pods_that_it_starts_with(
    notes: dict[str, str], current: int, ready: int, started: str
) -> None:
    pa = PodAutoscaler.parse(podautoscaler(**notes))
    status = next_status(pa, looked_at(current, 3), ready, CONFIG, 100.0)
    assert conditions(status)["ScaleTargetInitialized"] == started


def test_where_nothing_scales_by_hpas_the_status_says_so_and_goes_by_the_pods() -> None:
    pa = PodAutoscaler.parse(podautoscaler())
    status = next_status(pa, {}, 1, CONFIG, 100.0)
    assert (status.actual_scale, status.desired_scale) == (1, None)
    active = status.condition("Active")
    assert active is not None
    assert (active.status, active.reason) == ("True", "NotScaled")
    assert f"HorizontalPodAutoscaler {NAME}" in active.message


def test_a_failure_makes_it_inactive() -> None:
    status = failed_status(PodAutoscaler.parse(podautoscaler()), "FailedCreate", "no", 100.0)
    assert conditions(status) == {"Active": "False", "Ready": "False", "ScaleTargetInitialized": "Unknown"}


async def hpa(world: World) -> Obj:
    found: Obj = await world.kube.get(HORIZONTAL_POD_AUTOSCALER, "default", NAME)
    return found


async def test_each_podautoscaler_of_the_class_has_one_and_follows_it(world: World) -> None:
    await world.revision(target="70", min_scale="1", **HPA)
    await world.quiet(GATHER_S)
    made = await hpa(world)
    assert (made["spec"]["metrics"], made["spec"]["minReplicas"]) == ([utilization(70)], 1)
    assert await world.active() == ("True", "NotScaled"), "the embedded cluster scales nothing by it"
    assert (await world.status())["actualScale"] == 1
    await world.kube.update(HORIZONTAL_POD_AUTOSCALER, {**made, **looked_at(4, 5)}, subresource="status")
    await world.quiet(1)
    status = await world.status()
    assert (await world.active(), status["actualScale"], status["desiredScale"]) == (("True", ""), 4, 5)
    await world.annotate(max_scale="6")
    await world.quiet(1)
    assert (await hpa(world))["spec"]["maxReplicas"] == 6
    await world.quiet(120)
    assert (await world.replicas(), await world.decisions()) == (1, {}), "we leave the Deployment alone"


async def test_one_that_is_somebody_elses_is_not_touched(world: World) -> None:
    mine = {**made(), "metadata": {"name": NAME, "namespace": "default"}}
    await world.kube.create(HORIZONTAL_POD_AUTOSCALER, mine)
    await world.revision(target="70", **HPA)
    await world.quiet(1)
    assert await world.active() == ("False", "NotOwned")
    assert "metrics" not in (await hpa(world))["spec"]
    await world.kube.delete(HORIZONTAL_POD_AUTOSCALER, "default", NAME)
    await world.quiet(1)
    assert await world.active() == ("True", "NotScaled")


async def test_what_cannot_be_made_is_told_and_tried_again(world: World) -> None:
    world.kube.refused_kinds = {HORIZONTAL_POD_AUTOSCALER: Forbidden(403, "Forbidden", "you may not")}
    await world.revision(**HPA)
    await world.quiet(1)
    assert await world.active() == ("False", "FailedCreate")
    world.kube.refused_kinds.clear()
    await world.quiet(120)
    assert await world.active() == ("True", "NotScaled")
