"""The examples of samples/ingress, as they are, behind a real controller: Traefik."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swell.testing import traefik
from swell.testing.home import Objects, unique
from swell.testing.kubernetes import Installed

EXAMPLES = Path(__file__).parents[2] / "samples/ingress"
ROUTING_S = 30.0
NOT_ROUTED = "404 page not found\n"
"""Traefik's answer where it has no route. The front door's names the host."""
# What a person has who applies the examples: a controller with its classes, and a Gateway in a namespace of its own.
CLASSES = [
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "example"},
        "spec": {"controller": traefik.INGRESS_CONTROLLER},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "example"},
        "spec": {"controllerName": traefik.GATEWAY_CONTROLLER},
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateways"}},
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "shared", "namespace": "gateways"},
        "spec": {
            "gatewayClassName": "example",
            "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}],
        },
    },
]


@pytest.fixture(scope="module")
def controller(kubernetes_cluster: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, as "IP:PORT"."""
    home, node = kubernetes_cluster.home, kubernetes_cluster.node
    if node is None:
        pytest.skip("this is a cluster that was there before: it may have such classes, and port 80 is not ours")
    home.kubectl("apply", "--server-side", "-f", str(traefik.gateway_api_crds()))
    home.kubectl("wait", "--for=condition=Established", "crd/gateways.gateway.networking.k8s.io")
    classes = json.dumps({"apiVersion": "v1", "kind": "List", "items": CLASSES})
    home.kubectl("apply", "-f", "-", stdin=classes)
    with traefik.running(home.kubeconfig, tmp_path_factory.mktemp("traefik") / "log"):
        yield f"{node.ip}:80"
    home.kubectl("delete", "-f", "-", stdin=classes)


@pytest.fixture
async def objects(kubernetes_cluster: Installed) -> AsyncIterator[Objects]:
    async with kubernetes_cluster.home.client() as objects:
        yield objects
        await objects.clean()


@pytest.fixture(params=["ingress.yaml", "gateway.yaml", "shared-gateway.yaml"])
async def through(request: pytest.FixtureRequest, controller: str, objects: Objects) -> AsyncIterator[Objects]:
    """A test's objects, with the example applied; its requests go to the controller."""
    home = objects.home
    text = (EXAMPLES / request.param).read_text().replace("example.com", home.domain.partition(":")[0])
    home.kubectl("apply", "-f", "-", stdin=text)
    through = Objects(replace(home, gateway=controller), objects.kube, objects.session)
    yield through
    home.kubectl("delete", "-f", "-", stdin=text)
    # The controller hears of it later: until then it would pass requests on in place of the next example.
    await through.until_answer("nobody", lambda answer: answer.text == NOT_ROUTED, timeout_s=ROUTING_S)


async def deployed(through: Objects, objects: Objects, prefix: str) -> str:
    """The name of a Service that answers through the controller."""
    name = unique(prefix)
    await objects.deploy(objects.service(name))
    await through.until_answer(name, lambda answer: answer.status == 200, timeout_s=ROUTING_S)
    return name


async def test_each_host_reaches_its_revision_and_the_app_sees_host_and_caller(
    through: Objects, objects: Objects
) -> None:
    for name in [await deployed(through, objects, prefix) for prefix in ("first", "second")]:
        answer = await through.get(name, "/a/b?c=d", headers={"X-Mine": "yes"})
        assert answer.status == 200
        seen = answer.json()
        assert (seen["revision"], seen["path"]) == (f"{name}-00001", "/a/b?c=d")
        assert seen["host"] == through.home.host(name)
        assert seen["headers"]["x-mine"] == "yes"
        assert seen["headers"]["x-forwarded-proto"] == "http"
        caller, *proxies = seen["headers"]["x-forwarded-for"].split(", ")
        assert caller == through.home.gateway.partition(":")[0], "it is on the same machine"
        assert len(proxies) == 2, "the controller and the front door"


async def test_a_host_of_no_service_gets_the_front_doors_404(through: Objects, objects: Objects) -> None:
    await deployed(through, objects, "known")
    answer = await through.get("nobody")
    assert answer.status == 404
    assert f'no route for host "{through.home.host("nobody").partition(":")[0]}"' in answer.text


async def test_a_websocket_passes(through: Objects, objects: Objects) -> None:
    name = await deployed(through, objects, "socket")
    headers = {"Host": through.home.host(name)}
    async with through.session.ws_connect(through.home.url("/ws"), headers=headers) as socket:
        for word in ("hello", "again"):
            await socket.send_str(word)
            assert await socket.receive_str(timeout=10) == word.upper()


async def test_an_answer_comes_as_it_is_made(through: Objects, objects: Objects) -> None:
    name = await deployed(through, objects, "parts")
    headers = {"Host": through.home.host(name)}
    async with through.session.get(through.home.url("/parts"), headers=headers) as answer:
        assert await answer.content.readexactly(5) == b"first"
        assert (await through.request("POST", name, "/parts")).status == 200
        assert await answer.content.read() == b"second"


async def test_a_large_body_of_unknown_length_passes(through: Objects, objects: Objects) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield bytes(64 * 1024)

    name = await deployed(through, objects, "size")
    answer = await through.request("POST", name, "/size", data=body())
    assert (answer.status, answer.json()) == (200, {"bytes": 16 * 1024 * 1024})
