"""What the front door says to pods of a request, and what of a caller's word does not go on (spec dataplane 1.2)."""

from __future__ import annotations

from typing import Any

import pytest

from swell.testing.frontdoor import HOST, Exchange, World, ip, ready_world
from swell.wire import headers

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def told(exchange: Exchange) -> dict[bytes, bytes]:
    return dict(exchange.options["set_headers"])


def test_a_request_without_a_trace_begins_one() -> None:
    world = ready_world()
    first, second = world.request(), world.request(traceparent="00-broken", tracestate="a=b")
    assert first.options["trace"].startswith(b"00-")
    assert second.options["trace"].startswith(b"00-")
    assert first.options["trace"] != second.options["trace"]
    assert {b"traceparent", b"tracestate"} <= second.options["drop_headers"], "a state without its trace means nothing"


def test_a_trace_goes_on_unchanged() -> None:
    exchange = ready_world().request(traceparent=TRACE, tracestate="a=b")
    assert exchange.options["trace"] == b""
    assert not {b"traceparent", b"tracestate"} & exchange.options["drop_headers"]


def test_a_request_that_goes_to_another_pod_keeps_its_headers() -> None:
    world = ready_world(container_concurrency=1, pods=2)
    world.refusing.add(ip(1))
    exchange = world.request(traceparent=TRACE)
    assert exchange.went == [ip(1), ip(2)]
    assert exchange.options["trace"] == b""


@pytest.mark.parametrize(
    ("said", "disbelieved", "want"),
    [
        ({}, frozenset(), b"http"),
        ({"X-Forwarded-Proto": "https"}, frozenset(), None),
        ({"X-Forwarded-Proto": "https"}, frozenset({b"x-forwarded-proto"}), b"http"),
    ],
)
def test_how_a_caller_came_is_told_unless_somebody_has_who_is_believed(
    said: dict[str, str], disbelieved: frozenset[bytes], want: bytes | None
) -> None:
    world = ready_world()
    exchange = Exchange(world, HOST, said)
    exchange.disbelieved = disbelieved
    assert told(world.ask(exchange)).get(headers.FORWARDED_PROTO) == want


def tagged() -> World:
    world = World()
    traffic = [{"revisionName": "hello-00001", "percent": 100}, {"revisionName": "hello-00001", "tag": "blue"}]
    traffic[1]["url"] = f"http://blue-{HOST}"
    status: dict[str, Any] = {"url": f"http://{HOST}", "traffic": traffic}
    world.gateway.set_route({"metadata": {"name": "hello", "namespace": "default"}, "status": status})
    world.revision()
    world.pod()
    return world


def test_pods_are_told_of_the_tag_that_was_asked_for() -> None:
    world = tagged()
    assert told(world.request(f"blue-{HOST}"))[headers.SERVING_TAG] == b"blue"
    assert headers.SERVING_TAG not in told(world.request())


def test_a_callers_word_on_its_tag_does_not_go_on() -> None:
    exchange = tagged().request(Knative_Serving_Tag="green", Knative_Serving_Default_Route="true")
    assert {headers.SERVING_TAG, headers.SERVING_DEFAULT_ROUTE} <= exchange.options["drop_headers"]


def test_an_ingress_in_front_of_an_activator_is_believed() -> None:
    exchange = ready_world(trust_revision_headers=True).request(Knative_Serving_Tag="green")
    assert headers.SERVING_TAG not in exchange.options["drop_headers"]


def test_a_head_that_is_used_again_for_another_site_is_read_again() -> None:
    world = tagged()
    first = world.request(f"blue-{HOST}")
    again = Exchange(world, HOST)
    again.fields = first.fields
    assert headers.SERVING_TAG not in told(world.ask(again))
