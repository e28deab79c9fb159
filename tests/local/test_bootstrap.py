"""What a fresh cluster contains, and what a second start leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from swell.api.crds import definitions
from swell.api.kinds import CONFIG_MAP, NAMESPACE
from swell.config import autoscaler, deployment, domain, leader_election, network
from swell.config.admission import PARSERS
from swell.local.admission import Admission
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.local.bootstrap import NAMESPACES, SYSTEM_NAMESPACE, ensure_config_maps
from swell.local.cluster import ClusterConfig

CONFIG = ClusterConfig("state", "run", gateway_port=8080, admin_port=20001, api_port=6443, autoscaler_port=20002)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    store = open_store(":memory:")
    server = ApiServer(store, admit=Admission())
    bootstrap(server, definitions(), NAMESPACES)
    yield server
    store.close()


@pytest.fixture
def kube(server: ApiServer) -> StoreClient:
    return StoreClient(server)


async def data_of(kube: StoreClient, name: str) -> dict[str, str]:
    found: dict[str, str] = (await kube.get(CONFIG_MAP, SYSTEM_NAMESPACE, name))["data"]
    return found


async def test_the_first_start_makes_every_map_with_this_clusters_values(kube: StoreClient) -> None:
    await ensure_config_maps(kube, CONFIG)
    names = [obj["metadata"]["name"] for obj in (await kube.list(CONFIG_MAP, SYSTEM_NAMESPACE)).items]
    # One machine has one autoscaler: there is nothing to elect.
    assert sorted(names) == sorted(PARSERS.keys() - {leader_election.NAME})
    hosts = network.parse(await data_of(kube, network.NAME))
    domains = domain.parse(await data_of(kube, domain.NAME))
    host = hosts.host("hello", "default", domains.domain_for({}))
    assert hosts.url(host) == "http://hello.default.localhost:8080"
    assert deployment.parse(await data_of(kube, deployment.NAME)).announce_to == ("127.0.0.1:20001",)
    assert autoscaler.parse(await data_of(kube, autoscaler.NAME)).scale_to_zero_grace_period_s == 1.0


async def test_a_second_start_writes_nothing_new(kube: StoreClient, server: ApiServer) -> None:
    await ensure_config_maps(kube, CONFIG)
    version = server.version
    bootstrap(server, definitions(), NAMESPACES)
    await ensure_config_maps(kube, CONFIG)
    assert server.version == version


async def test_a_later_start_sets_its_ports_and_leaves_what_a_user_edited(kube: StoreClient) -> None:
    await ensure_config_maps(kube, CONFIG)
    for name, edit in (
        (network.NAME, {"domain-template": "{{.Name}}-{{.Namespace}}.{{.Domain}}"}),
        (domain.NAME, {"localhost": None, "example.com": ""}),
        (autoscaler.NAME, {"scale-to-zero-grace-period": "30s", "stable-window": "20s"}),
    ):
        await kube.patch(CONFIG_MAP, SYSTEM_NAMESPACE, name, {"data": edit})
    await ensure_config_maps(kube, replace(CONFIG, gateway_port=9999, admin_port=20003))
    hosts = network.parse(await data_of(kube, network.NAME))
    assert hosts.external_port == 9999
    assert hosts.host("a", "b", "c") == "a-b.c"
    assert deployment.parse(await data_of(kube, deployment.NAME)).announce_to == ("127.0.0.1:20003",)
    assert await data_of(kube, domain.NAME) == {"example.com": ""}
    edited = {"scale-to-zero-grace-period": "30s", "stable-window": "20s"}
    assert await data_of(kube, autoscaler.NAME) == edited


async def test_the_namespaces_are_there(kube: StoreClient) -> None:
    names = {obj["metadata"]["name"] for obj in (await kube.list(NAMESPACE)).items}
    assert names == set(NAMESPACES)
