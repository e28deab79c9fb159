"""The real kubectl on the Serving kinds, with their definitions and admission, but nobody who acts on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

Kubectl = Callable[..., str]


def service(**spec: Any) -> str:
    container = {"image": "hello", "env": [{"name": "TARGET", "value": "World"}]}
    template = {"spec": {"containers": [container], **spec}}
    body = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "hello"}}
    return yaml.safe_dump({**body, "spec": {"template": template}})


def test_a_service_is_defaulted_and_shown_with_its_columns(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=service()) == "service.serving.knative.dev/hello created\n"
    made = json.loads(kubectl("get", "ksvc", "hello", "-o", "json"))
    assert made["spec"]["template"]["spec"]["timeoutSeconds"] == 300
    assert made["metadata"]["annotations"]["serving.knative.dev/creator"] == "system:admin"
    status = {
        "url": "http://hello.default.localhost",
        "latestReadyRevisionName": "hello-00001",
        "latestCreatedRevisionName": "hello-00001",
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    kubectl("patch", "ksvc", "hello", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=10s")
    header, row = kubectl("get", "ksvc").splitlines()
    assert header.split() == ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"]
    assert row.split() == ["hello", "http://hello.default.localhost", "hello-00001", "hello-00001", "True"]


def test_the_same_manifest_again_makes_no_new_generation(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=service())
    before = json.loads(kubectl("get", "ksvc", "hello", "-o", "json"))["metadata"]
    kubectl("apply", "-f", "-", stdin=service())
    after = json.loads(kubectl("get", "ksvc", "hello", "-o", "json"))["metadata"]
    assert after == before
    kubectl("apply", "-f", "-", stdin=service(timeoutSeconds=10))
    assert json.loads(kubectl("get", "ksvc", "hello", "-o", "json"))["metadata"]["generation"] == 2


def test_what_is_not_valid_is_named_and_not_made(kubectl: Kubectl) -> None:
    told = kubectl("apply", "-f", "-", stdin=service(containerConcurrency=-1), fails=True)
    assert "expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency" in told
    told = kubectl("apply", "-f", "-", stdin=service(containerConcurency=1), fails=True)
    assert 'unknown field "spec.template.spec.containerConcurency"' in told
    assert "NotFound" in kubectl("get", "ksvc", "hello", fails=True)


def test_the_kinds_have_their_short_names_and_are_explained(kubectl: Kubectl) -> None:
    kinds = kubectl("api-resources", "--no-headers")
    for short in ("ksvc", "rev", "rt", "cfg", "kpa"):
        assert short in kinds, short
    assert "containerConcurrency" in kubectl("explain", "ksvc.spec.template.spec")
    assert "percent" in kubectl("explain", "route.spec.traffic")
    for kind in ("rev", "rt", "cfg", "kpa"):
        kubectl("get", kind, "-o", "wide")
