"""Hosts, tags and percents: Route objects in, revisions out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.gateway import Gateway, Site, Target, spread

Obj = dict[str, Any]


def route(
    name: str = "hello",
    traffic: list[Obj] | None = None,
    *,
    namespace: str = "default",
    url: str | None = None,
    created: str = "2026-01-01T00:00:00Z",
) -> Obj:
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
        "status": {
            "url": url if url is not None else f"http://{name}.{namespace}.localhost:8080",
            "traffic": [{"revisionName": f"{name}-00001", "percent": 100}] if traffic is None else traffic,
        },
    }


def table(*routes: Obj) -> Gateway:
    gateway = Gateway()
    for each in routes:
        gateway.set_route(each)
    return gateway


def picks(site: Site | None, count: int) -> Counter[str]:
    assert site is not None
    return Counter(target.name if (target := site.pick()) else "none" for _ in range(count))


def test_a_route_answers_at_its_url_and_at_its_names_inside_the_cluster() -> None:
    gateway = table(route())
    assert set(gateway.hosts) == {
        "hello.default.localhost",
        "hello.default",
        "hello.default.svc",
        "hello.default.svc.cluster.local",
    }
    assert gateway.hosts["hello.default"].pick() == Target("default", "hello-00001")
    assert gateway.public == {"hello.default.localhost": gateway.hosts["hello.default.localhost"]}


def test_a_host_with_the_final_dot_of_a_full_name_is_the_same_host() -> None:
    gateway = table(route())
    assert gateway.find("hello.default.localhost.") is gateway.hosts["hello.default.localhost"]
    assert gateway.find("hello") is None


def test_a_cluster_local_route_has_no_host_outside() -> None:
    gateway = table(route(url="http://hello.default.svc.cluster.local"))
    assert set(gateway.hosts) == {"hello.default", "hello.default.svc", "hello.default.svc.cluster.local"}
    assert gateway.public == {}


def test_a_route_that_is_made_cluster_local_is_no_longer_public() -> None:
    gateway = table(route(url="http://hello.default.example.com"))
    gateway.set_route(route(url="http://hello.default.svc.cluster.local"))
    assert gateway.public == {}
    gateway.set_route(route(url="http://hello.default.example.com"))
    assert set(gateway.public) == {"hello.default.example.com"}
    gateway.remove_route(route())
    assert gateway.public == gateway.hosts == {}


def test_each_tag_has_hosts_of_its_own_and_gets_all_of_their_traffic() -> None:
    gateway = table(
        route(
            traffic=[
                {"revisionName": "hello-00001", "percent": 100},
                {"revisionName": "hello-00002", "tag": "new", "url": "http://new-hello.default.localhost:8080"},
            ]
        )
    )
    assert picks(gateway.find("hello.default.localhost"), 10) == {"hello-00001": 10}
    for host in ("new-hello.default.localhost", "new-hello.default.svc.cluster.local"):
        assert picks(gateway.find(host), 10) == {"hello-00002": 10}


def test_tagged_targets_take_part_in_the_split_and_equal_revisions_add_up() -> None:
    gateway = table(
        route(
            traffic=[
                {"revisionName": "hello-00001", "percent": 70, "tag": "old"},
                {"revisionName": "hello-00002", "percent": 20, "tag": "new"},
                {"revisionName": "hello-00001", "percent": 10},
            ]
        )
    )
    assert picks(gateway.find("hello.default"), 100) == {"hello-00001": 80, "hello-00002": 20}
    assert picks(gateway.find("old-hello.default"), 100) == {"hello-00001": 100}


@pytest.mark.parametrize("percents", [(50, 50), (70, 30), (99, 1), (33, 33, 34), (1, 98, 1), (20, 30, 50)])
def test_any_hundred_requests_in_a_row_are_split_exactly(percents: tuple[int, ...]) -> None:
    traffic = [{"revisionName": f"r{i}", "percent": percent} for i, percent in enumerate(percents)]
    site = table(route(traffic=traffic)).find("hello.default")
    want = {f"r{i}": percent for i, percent in enumerate(percents)}
    picks(site, 37)
    for _ in range(5):
        assert picks(site, 100) == want
        picks(site, 13)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_a_period_holds_each_target_by_its_weight_and_spreads_it(weights: list[int]) -> None:
    targets = [Target("ns", f"r{i}") for i in range(len(weights))]
    order = list(spread(zip(targets, weights, strict=True)))
    total = sum(weights)
    for target, weight in zip(targets, weights, strict=True):
        assert order.count(target) * total == weight * len(order)
        so_far = 0
        for turn, picked in enumerate(order, start=1):
            so_far += picked == target
            assert abs(so_far - turn * weight / total) <= len(weights)


def test_a_route_without_traffic_has_a_host_but_no_revision() -> None:
    site = table(route(traffic=[])).find("hello.default")
    assert site is not None
    assert site.pick() is None


def test_a_route_that_changes_only_its_conditions_keeps_its_place_in_the_split() -> None:
    gateway = table(route())
    before = gateway.hosts["hello.default"]
    changed = route()
    changed["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    gateway.set_route(changed)
    assert gateway.hosts["hello.default"] is before


def test_hosts_that_a_route_gives_up_are_gone_and_new_ones_answer() -> None:
    gateway = table(route(url="http://old.example.com"))
    gateway.set_route(route(url="http://new.example.com"))
    assert "old.example.com" not in gateway.hosts
    assert "new.example.com" in gateway.hosts
    gateway.remove_route(route())
    assert gateway.hosts == {}
    assert gateway.routes() == []


def test_of_two_routes_that_claim_a_host_the_older_has_it_until_it_goes() -> None:
    tagged = route(
        "a",
        [{"revisionName": "a-00001", "percent": 100, "tag": "b", "url": "http://b-a.default.localhost"}],
        created="2026-01-02T00:00:00Z",
    )
    named = route("b-a", created="2026-01-01T00:00:00Z")
    for order in ((tagged, named), (named, tagged)):
        gateway = table(*order)
        assert picks(gateway.find("b-a.default.localhost"), 1) == {"b-a-00001": 1}
        gateway.remove_route(named)
        assert picks(gateway.find("b-a.default.localhost"), 1) == {"a-00001": 1}
