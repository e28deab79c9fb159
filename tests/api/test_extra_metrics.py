"""Annotation swell.dev/metrics: what is read, what is refused, and with which words."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from swell.api import labels
from swell.api.admission import Denied, admit
from swell.api.allowed_hosts import read_hosts
from swell.api.extra_metrics import ExtraMetric, MetricType, metric_faults, read_metrics
from swell.api.field_errors import render
from swell.api.kinds import CONFIGURATION, REVISION, SERVICE
from swell.api.settings import ApiSettings, AutoscalerLimits

PATH = "spec.template.metadata.annotations"
AT = f"{PATH}.swell.dev/metrics"
DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
HOSTS = ("prom:9090", "*.internal")


def told(text: str, **others: str) -> str:
    annotations = {labels.METRICS: text, **others}
    return render(metric_faults(annotations, PATH, labels.CLASS_KPA, HOSTS))


def test_a_list_is_read_from_yaml_and_from_json() -> None:
    text = """
    - {type: rps, target: 100}
    - {type: cpu, target: 70}
    - {type: memory, target: 200Mi}
    - {type: prometheus, name: backlog, server: "http://prom:9090/base", query: sum(jobs), target: 10}
    - {type: json, url: "https://queue.internal/state?of=mail", path: /queue/length, target: 0.5}
    """
    expected = (
        ExtraMetric(MetricType.RPS, "rps", 100.0),
        ExtraMetric(MetricType.CPU, "cpu", 0.7, of_request=True),
        ExtraMetric(MetricType.MEMORY, "memory", 200.0 * 2**20),
        ExtraMetric(MetricType.PROMETHEUS, "backlog", 10.0, url="http://prom:9090/base", query="sum(jobs)"),
        ExtraMetric(MetricType.JSON, "json", 0.5, url="https://queue.internal/state?of=mail", path="/queue/length"),
    )
    assert told(text) == ""
    assert read_metrics({labels.METRICS: text}) == expected
    entries = json.dumps([{"type": "rps", "target": 100}, {"type": "cpu", "target": "70%"}])
    assert read_metrics({labels.METRICS: entries}) == expected[:2]
    assert read_metrics({}) == ()


@pytest.mark.parametrize(
    ("kind", "target", "value", "of_request"),
    [
        ("cpu", "500m", 0.5, False),
        ("cpu", "2", 0.02, True),
        ("cpu", "150%", 1.5, True),
        ("memory", "80%", 0.8, True),
        ("memory", "1.5Gi", 1.5 * 2**30, False),
        ("concurrency", "1e2", 100.0, False),
    ],
)
def test_targets(kind: str, target: str, value: float, of_request: bool) -> None:
    (metric,) = read_metrics({labels.METRICS: f"[{{type: {kind}, target: {target}}}]"})
    assert (metric.target, metric.of_request) == (pytest.approx(value), of_request)


NINE = json.dumps([{"type": "rps", "name": f"n{index}", "target": 1} for index in range(9)])
BAD = [
    ("", f"{AT}\nmust be a list"),
    ("rps", f"{AT}\nmust be a list"),
    ("{type: rps, target: 1}", f"{AT}\nmust be a list"),
    ("[", f"{AT}\nmust be a list"),
    ("[" * 5000, f"{AT}\nmust be a list"),
    ("- " + "x" * 17000, f"{AT}\nat most 16384 characters"),
    ("[]", f"expected 1 <= 0 <= 8: {AT}"),
    (NINE, f"expected 1 <= 9 <= 8: {AT}"),
    ("[rps]", f"invalid value: rps: {AT}[0]\nmust be a metric"),
    ("[{target: 1}]", f"missing field(s): {AT}[0].type"),
    ("[{type: disk, target: 1}]", f"invalid value: disk: {AT}[0].type\nallowed: concurrency, rps, cpu, memory, "),
    ("[{type: [], target: 1}]", f"{AT}[0].type\nallowed"),
    ("[{type: rps}]", f"missing field(s): {AT}[0].target"),
    ("[{type: rps, target: 1, query: up}]", f"must not set the field(s): {AT}[0].query"),
    ("[{type: rps, target: 1, Target: 1}]", f"must not set the field(s): {AT}[0].Target"),
    ("[{type: rps, target: 0}]", f"invalid value: 0: {AT}[0].target\nmust be a number greater than 0"),
    ("[{type: rps, target: -1}]", f"{AT}[0].target\nmust be a number greater than 0"),
    ("[{type: rps, target: .nan}]", f"invalid value: nan: {AT}[0].target"),
    ("[{type: rps, target: NaN}]", f"invalid value: NaN: {AT}[0].target"),
    ("[{type: rps, target: .inf}]", f"{AT}[0].target"),
    ("[{type: rps, target: 1e16}]", f"{AT}[0].target"),
    (f"[{{type: rps, target: 0x{'f' * 9000}}}]", f"{AT}[0].target"),
    ("[{type: rps, target: true}]", f"{AT}[0].target"),
    ("[{type: rps, target: 70%}]", f"{AT}[0].target"),
    ("[{type: rps, target: null}]", f"{AT}[0].target"),
    ("[{type: cpu, target: 0}]", f"{AT}[0].target\nmust be a percentage of the pod's CPU request, such as 70"),
    ("[{type: cpu, target: much}]", f"{AT}[0].target\nmust be a percentage"),
    ("[{type: memory, target: 200}]", f"{AT}[0].target\nmust be bytes with a unit, such as 200Mi"),
    ("[{type: rps, target: 1, name: A_b}]", f"invalid value: A_b: {AT}[0].name\nmust be 1 to 63 lower case"),
    ("[{type: rps, target: 1, name: 5}]", f"{AT}[0].name"),
    ("[{type: rps, target: 1}, {type: rps, target: 2}]", f"invalid value: rps: {AT}[1].name\neach metric needs a name"),
    ("[{type: prometheus, target: 1}]", f"missing field(s): {AT}[0].query, {AT}[0].server"),
    ("[{type: prometheus, target: 1, server: 'http://prom:9090', query: ' '}]", f"{AT}[0].query\nmust be a query"),
    (
        "[{type: prometheus, target: 1, server: 'http://prom:9090?a=b', query: up}]",
        f"{AT}[0].server\nmust be the server",
    ),
    ("[{type: json, target: 1}]", f"missing field(s): {AT}[0].url"),
    ("[{type: json, target: 1, url: 'http://prom:9090/', path: queue}]", f"{AT}[0].path\nmust be a JSON pointer"),
    ("[{type: json, target: 1, url: 'http://prom:9090/', path: /a~2}]", f"{AT}[0].path"),
    *(
        (json.dumps([{"type": "json", "target": 1, "url": url}]), f"{AT}[0].url\nmust be http://HOST")
        for url in (
            *("", "prom:9090/x", "ftp://prom/x", "file:///etc/passwd", "http://", "http:///x", "http://prom:0/"),
            *("http://user:secret@prom/", "http://prom/#there", "http://prom:99999/", "http://prom /x"),
            *("http://prom\\@evil/", "http://prom\n/", "http://[::1/", "http://" + "x" * 2048, 5),
        )
    ),
    (
        "[{type: json, target: 1, url: 'http://elsewhere/x'}]",
        f"invalid value: http://elsewhere/x: {AT}[0].url\n"
        "hosts that swell.metrics-allowed-hosts in ConfigMap config-autoscaler allows: prom:9090, *.internal",
    ),
    ("[{type: json, target: 1, url: 'http://prom:9091/x'}]", f"{AT}[0].url\nhosts that"),
    ("[{type: prometheus, target: 1, query: up, server: 'http://internal'}]", f"{AT}[0].server\nhosts that"),
]


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_what_cannot_be_used_is_refused_by_field_and_what_cannot_be_read_counts_as_absent(
    text: str, expected: str
) -> None:
    found = told(text)
    assert expected in found
    if "hosts that" not in expected:
        assert read_metrics({labels.METRICS: text}) == ()


def test_all_faults_are_told_at_once() -> None:
    found = told("[{type: rps, target: 0}, {type: cpu, target: 70, url: x}, {type: what}]")
    assert all(part in found for part in (f"{AT}[0].target", f"{AT}[1].url", f"{AT}[2].type"))


def test_the_target_of_the_revisions_own_metric_is_given_once() -> None:
    text = "[{type: concurrency, target: 50}]"
    assert told(text) == ""
    both = f"expected exactly one, got both: {PATH}.autoscaling.knative.dev/target, {AT}: target of type concurrency"
    assert told(text, **{labels.TARGET: "10"}) == both
    assert told(text, **{labels.TARGET: "10", labels.METRIC: "rps"}) == ""


def test_another_class_of_autoscaler_does_not_know_them() -> None:
    expected = f"works with class kpa.autoscaling.knative.dev only: {AT}"
    assert told("[{type: rps, target: 1}]", **{labels.AUTOSCALER_CLASS: labels.CLASS_HPA}) == expected


SETTINGS = ApiSettings(autoscaler=AutoscalerLimits(metrics_allowed_hosts=("queue:80",)))
ELSEWHERE = "[{type: json, target: 1, url: 'http://elsewhere/x'}]"


def object_of(kind: object, where: str, text: str = ELSEWHERE, **metadata: object) -> dict[str, object]:
    template = {
        "metadata": {"annotations": {labels.METRICS: text} if where == "template" else {}},
        "spec": {"containers": [{"image": "app"}]},
    }
    own = {labels.METRICS: text} if where == "metadata" else {}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": getattr(kind, "kind"),  # noqa: B009
        "metadata": {"name": "hello", "namespace": "default", "annotations": own, **metadata},
        "spec": template["spec"] if kind is REVISION else {"template": template},
    }


def test_admission_refuses_a_host_that_the_operator_does_not_allow() -> None:
    for kind, where in ((SERVICE, "template"), (CONFIGURATION, "template"), (REVISION, "metadata")):
        with pytest.raises(Denied, match="elsewhere") as caught:
            admit(object_of(kind, where), SETTINGS)
        assert "annotations.swell.dev/metrics[0].url" in str(caught.value)
        admit(object_of(kind, where, ELSEWHERE.replace("elsewhere", "queue")), SETTINGS)


def test_a_host_that_is_allowed_no_longer_does_not_stop_the_controllers() -> None:
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "Configuration", "name": "hello", "uid": "1"}
    admit(object_of(REVISION, "metadata", ownerReferences=[owner]), SETTINGS)


def test_outside_the_template_it_is_refused_as_it_would_do_nothing() -> None:
    with pytest.raises(Denied, match='invalid key name "swell.dev/metrics": metadata.annotations'):
        admit(object_of(SERVICE, "metadata"), SETTINGS)


def test_the_example_in_the_docs_is_in_order() -> None:
    (example,) = re.findall(r"```yaml\n(spec:.*?)```", DOCS.read_text(), re.S)
    annotations = yaml.safe_load(example)["spec"]["template"]["metadata"]["annotations"]
    hosts = read_hosts("prometheus.monitoring:9090, *.shop")
    assert metric_faults(annotations, PATH, labels.CLASS_KPA, hosts) == []
    assert [metric.name for metric in read_metrics(annotations)] == ["rps", "cpu", "memory", "mail", "prometheus"]


words = st.sampled_from(["type", "target", "rps", "cpu", "json", "url", "70%", "1", "-", "{", "}", "[", "]", ":", ", "])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(words, max_size=30).map(" ".join)))
def test_whatever_the_text_it_is_read_or_refused(text: str) -> None:
    metrics = read_metrics({labels.METRICS: text})
    assert bool(metrics) != bool(told(text)) or "hosts that" in told(text)
    assert all(metric.target > 0 and math.isfinite(metric.target) for metric in metrics)


@pytest.mark.parametrize("entry", ["*a11", "{type: *a11, target: 1}", "{type: rps, target: *a11}"])
def test_a_short_text_whose_aliases_make_a_huge_value_is_refused_shortly(entry: str) -> None:
    bomb = ["- &a0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"- &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    assert 0 < len(told("\n".join([*bomb, f"- {entry}"]))) < 5000
