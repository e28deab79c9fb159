"""EndpointSlices follow the pods that a core Service selects."""

from __future__ import annotations

from typing import Any

from swell.api.kinds import CORE_SERVICE, ENDPOINT_SLICE, POD
from swell.api.meta import Obj

World = Any


def service(name: str = "web", **spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "admin", "port": 81, "targetPort": "admin"}]
    body = {"selector": {"app": "hello"}, "ports": ports, **spec}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": body}


async def the_slice(world: World) -> Obj:
    slices = (await world.kube.list(ENDPOINT_SLICE)).items
    return slices[0] if slices else {}


async def addresses(world: World) -> dict[str, bool]:
    return {
        each["addresses"][0]: each["conditions"]["ready"] for each in (await the_slice(world)).get("endpoints") or ()
    }


async def pod_ips(world: World) -> set[str]:
    return {pod["status"]["podIP"] for pod in await world.pods()}


async def test_a_slice_has_the_addresses_of_the_pods_and_their_readiness(world: World) -> None:
    await world.kube.create(CORE_SERVICE, service())
    await world.deploy(2)
    await world.passes(1)
    assert await addresses(world) == dict.fromkeys(await pod_ips(world), True)
    found = await the_slice(world)
    assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    assert found["ports"][0] == {"name": "http", "port": 8080, "protocol": "TCP"}
    assert found["endpoints"][0]["targetRef"]["kind"] == "Pod"
    world.kubelet.healthy = lambda _: False
    (first, *_) = await world.pods()
    await world.kubelet.say(first, ready=False)
    await world.passes(1)
    assert (await addresses(world))[first["status"]["podIP"]] is False


async def test_named_ports_are_looked_up_in_the_pods(world: World) -> None:
    await world.kube.create(CORE_SERVICE, service())
    container = {"name": "app", "image": "one", "ports": [{"name": "admin", "containerPort": 9999}]}
    deployment = world.deployment(1)
    deployment["spec"]["template"]["spec"]["containers"] = [container]
    from swell.api.kinds import DEPLOYMENT

    await world.kube.create(DEPLOYMENT, deployment)
    await world.until(lambda: world.available(1))
    await world.passes(1)
    assert {"name": "admin", "port": 9999, "protocol": "TCP"} in (await the_slice(world))["ports"]


async def test_a_pod_that_goes_serves_until_it_is_gone_but_is_not_ready(world: World) -> None:
    await world.kube.create(CORE_SERVICE, service())
    await world.deploy(1)
    world.kubelet.end_s = 2.0
    await world.scale(0)
    await world.passes(1)
    (endpoint,) = (await the_slice(world))["endpoints"]
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}
    await world.passes(2)
    assert await addresses(world) == {}


async def test_a_slice_that_somebody_deletes_or_changes_is_mended(world: World) -> None:
    await world.kube.create(CORE_SERVICE, service())
    await world.deploy(1)
    await world.passes(1)
    before = await addresses(world)
    name = (await the_slice(world))["metadata"]["name"]
    await world.kube.patch(ENDPOINT_SLICE, "default", name, {"endpoints": []})
    await world.passes(1)
    assert await addresses(world) == before
    await world.kube.delete(ENDPOINT_SLICE, "default", name)
    await world.passes(1)
    assert await addresses(world) == before


async def test_services_without_a_selector_and_external_names_have_no_slice(world: World) -> None:
    await world.kube.create(CORE_SERVICE, service("plain", selector=None))
    await world.kube.create(CORE_SERVICE, service("out", type="ExternalName", externalName="example.com"))
    await world.deploy(1)
    await world.passes(1)
    assert await the_slice(world) == {}


async def test_a_slice_goes_with_its_service(world: World) -> None:
    await world.kube.create(CORE_SERVICE, service())
    await world.deploy(1)
    await world.passes(1)
    await world.kube.delete(CORE_SERVICE, "default", "web")

    async def gone() -> bool:
        return not await the_slice(world)

    await world.until(gone)


async def test_pods_without_an_address_and_ended_ones_are_left_out(world: World) -> None:
    await world.kube.create(CORE_SERVICE, service())
    await world.deploy(1)
    (pod,) = await world.pods()
    await world.kubelet.say(pod, ready=False, phase="Failed")
    await world.passes(1)
    assert len(await addresses(world)) == 1
    assert len(await world.names(POD)) == 2
