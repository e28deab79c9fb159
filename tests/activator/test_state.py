"""What the front door says of itself: its metrics as Prometheus text, and its state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from activator.state import describe, metrics
from swell.testing.frontdoor import World, ready_world

OWNERS: Any = SimpleNamespace(connected=True, lost=0, broken=0)


def samples(world: World) -> dict[str, dict[str, float]]:
    """Values by name and by all labels but those of the revision."""
    found: dict[str, dict[str, float]] = {}
    text = metrics(world.activator, OWNERS).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k not in ("k8s_namespace_name", "kn_revision_name")}
            found.setdefault(sample.name, {})[",".join(f"{k}={v}" for k, v in sorted(labels.items()))] = sample.value
    return found


def test_durations_are_a_histogram_by_status() -> None:
    world = ready_world()
    for took_s, status in ((0.004, 200), (0.0049, 200), (0.3, 200), (60.0, 200), (1.0, 500)):
        exchange = world.request()
        world.clock.advance(took_s)
        exchange.finish(status)
    found = samples(world)
    buckets = found["http_server_request_duration_seconds_bucket"]
    by_bound = {
        bound: buckets[f"http_response_status_code=200,le={bound}"]
        for bound in ("0.005", "0.25", "0.5", "10.0", "+Inf")
    }
    assert by_bound == {"0.005": 2, "0.25": 2, "0.5": 3, "10.0": 3, "+Inf": 4}
    sums = found["http_server_request_duration_seconds_sum"]
    assert round(sums["http_response_status_code=200"], 6) == 60.3089
    assert found["swell_activator_requests_total"] == {"code=200": 4, "code=500": 1}


def test_those_who_wait_and_those_at_pods_are_told_apart() -> None:
    world = ready_world(container_concurrency=1)
    for _ in range(3):
        world.request()
    found = samples(world)
    assert found["kn_revision_request_queued"] == {"": 2}
    assert found["kn_revision_request_active"] == {"": 1}
    state = describe(world.activator, OWNERS)["revisions"]["default/hello-00001"]
    assert (state["waiting"], state["in_flight"], state["answers"]) == (2, 1, {})
