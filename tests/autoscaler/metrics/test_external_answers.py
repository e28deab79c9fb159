"""What sources say, as numbers, and what is said of answers that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoscaler.metrics.external_answers import Answer, SourceFailed, address, resource_value, value_of
from swell.api.extra_metrics import ExtraMetric, MetricType

PROMETHEUS = ExtraMetric(MetricType.PROMETHEUS, "p", 10.0, url="http://prom:9090/base/", query='sum(a{b="c"}) + 1')
DOCUMENT = {"queue": {"length": 7, "a/b": 1.5, "m~n": 2, "": 3}, "list": [4, 5], "text": "6", "yes": True, "no": None}


def vector(*values: Any) -> Any:
    samples = [{"metric": {"a": str(index)}, "value": [1700000000.1, value]} for index, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": samples}}


def prometheus(found: Any, status: int = 200) -> float:
    return value_of(PROMETHEUS, Answer(status, json.dumps(found).encode()))


def document(path: str, body: bytes | None = None, status: int = 200) -> float:
    metric = ExtraMetric(MetricType.JSON, "j", 1.0, url="http://queue/state", path=path)
    return value_of(metric, Answer(status, json.dumps(DOCUMENT).encode() if body is None else body))


def test_where_a_source_is_asked() -> None:
    expected = "http://prom:9090/base/api/v1/query?query=sum%28a%7Bb%3D%22c%22%7D%29%20%2B%201"
    assert address(PROMETHEUS) == expected
    assert address(ExtraMetric(MetricType.JSON, "j", 1.0, url="http://queue/state?a=%20")) == "http://queue/state?a=%20"


def test_an_instant_query_gives_one_sample_or_a_scalar() -> None:
    assert prometheus(vector("12.5")) == 12.5
    assert prometheus({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "3"]}}) == 3.0


@pytest.mark.parametrize(
    ("found", "status", "why"),
    [
        (vector(), 200, r"finds no series; with `or vector\(0\)` that counts as 0"),
        (vector("1", "2"), 200, r"finds 2 series, allowed: one, such as sum\(\.\.\.\)"),
        (vector("NaN"), 200, "nan is no number"),
        (vector("+Inf"), 200, "inf is no number"),
        (vector("many"), 200, "many is no number"),
        (vector(5), 200, "is no sample"),
        ({"status": "success", "data": {"resultType": "vector", "result": [5]}}, 200, "is no sample"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, 200, "a matrix, allowed: vector"),
        ({"status": "success"}, 200, "a None, allowed: vector, scalar"),
        ({"status": "error", "errorType": "bad_data", "error": "parse error: x"}, 400, "400: parse error: x"),
        ([], 200, "answers 200: not as Prometheus does"),
        ({}, 302, "302, which leads elsewhere: redirects are not followed"),
    ],
)
def test_what_prometheus_says_that_is_no_number(found: Any, status: int, why: str) -> None:
    with pytest.raises(SourceFailed, match=why):
        prometheus(found, status)


@pytest.mark.parametrize(
    ("path", "value"),
    [("/queue/length", 7), ("/queue/a~1b", 1.5), ("/queue/m~0n", 2), ("/queue/", 3), ("/list/1", 5)],
)
def test_a_json_pointer_leads_to_the_number(path: str, value: float) -> None:
    assert document(path) == value


def test_without_a_pointer_the_document_is_the_number() -> None:
    assert document("", b"41.5") == 41.5


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("/queue/size", None, 200, "nothing at /queue/size"),
        ("/list/2", None, 200, "nothing at /list/2"),
        ("/list/-1", None, 200, "nothing at /list/-1"),
        ("/list/length", None, 200, "nothing at"),
        ("/text/0", None, 200, "nothing at"),
        ("/text", None, 200, "6 is no number"),
        ("/yes", None, 200, "True is no number"),
        ("/no", None, 200, "None is no number"),
        ("/queue", None, 200, "is no number"),
        ("", b"1e999", 200, "no JSON|no number"),
        ("", b"", 200, "no JSON"),
        ("", b"\xff", 200, "no JSON"),
        ("", b"[" * 100_000, 200, "no JSON"),
        ("", b"7", 500, "answers 500"),
        ("", b"7", 301, "redirects are not followed"),
    ],
)
def test_what_a_document_says_that_is_no_number(path: str, body: bytes | None, status: int, why: str) -> None:
    with pytest.raises(SourceFailed, match=why):
        document(path, body, status)


def pod(name: str, **requests: str) -> dict[str, Any]:
    app = {"name": "app", "resources": {"requests": requests}}
    return {"metadata": {"name": name}, "spec": {"containers": [app, {"name": "queue-proxy"}]}}


def measured(name: str, cpu: str = "0", memory: str = "0") -> dict[str, Any]:
    containers = [{"name": "app", "usage": {"cpu": cpu, "memory": memory}}, {"name": "queue-proxy", "usage": {}}]
    return {"metadata": {"name": name}, "containers": containers[:1]}


CPU = ExtraMetric(MetricType.CPU, "cpu", 0.7, of_request=True)
CORES = ExtraMetric(MetricType.CPU, "cpu", 0.5)
MEMORY = ExtraMetric(MetricType.MEMORY, "memory", 200.0 * 2**20)


def test_cpu_and_memory_are_summed_over_the_ready_pods() -> None:
    pods = [pod("a", cpu="500m"), pod("b", cpu="500m")]
    usage = {"a": measured("a", "250m", "100Mi"), "b": measured("b", "400000000n", "51200Ki"), "gone": measured("gone")}
    assert resource_value(CORES, pods, usage) == pytest.approx(0.65)
    assert resource_value(CPU, pods, usage) == pytest.approx(0.5 + 0.8)
    assert resource_value(MEMORY, pods, usage) == 150 * 2**20
    assert resource_value(CPU, [], usage) == 0.0, "no pods use nothing"


def test_a_pod_without_numbers_counts_as_a_horizontal_pod_autoscaler_counts_it() -> None:
    pods = [pod("a"), pod("b"), pod("c")]
    assert resource_value(CORES, pods, {"a": measured("a", "2")}) == 2.0, "more are asked for: it is idle"
    assert resource_value(CORES, pods, {"a": measured("a", "600m")}) == 1.5, "that turns it round: no change"
    fewer = {"a": measured("a", "100m"), "b": measured("b", "100m")}
    assert resource_value(CORES, pods, fewer) == pytest.approx(0.7), "fewer are asked for: it is on target"


@pytest.mark.parametrize(
    ("metric", "pods", "usage", "why"),
    [
        (CPU, [pod("a", cpu="1")], {}, "no numbers of its pods yet"),
        (CPU, [pod("a")], {"a": measured("a")}, "container app requests no cpu, of which the target is a percentage"),
        (CPU, [pod("a", cpu="0")], {"a": measured("a")}, "its pods request no cpu"),
        (CORES, [pod("a")], {"a": {"metadata": {"name": "a"}, "containers": []}}, "metrics of pod a lack its cpu"),
        (CORES, [pod("a")], {"a": measured("a", "much")}, "metrics of pod a lack its cpu"),
    ],
)
def test_cpu_and_memory_that_are_not_known(metric: ExtraMetric, pods: Any, usage: Any, why: str) -> None:
    with pytest.raises(SourceFailed, match=why):
        resource_value(metric, pods, usage)
