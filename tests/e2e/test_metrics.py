"""Metrics beside requests on a real cluster: what a queue elsewhere does to a Service, and what pods use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP, POD_METRICS
from swell.api.labels import METRICS
from swell.kube.errors import KubeError
from swell.testing.home import Objects, have_kubectl, pod_is_ready, unique
from swell.testing.sources import Source, running_source

QUICK = {"window": "6s"}
SYSTEM = "swell-system"


@pytest.fixture
async def source(objects: Objects, request: pytest.FixtureRequest) -> AsyncIterator[Source]:
    """A source on this machine that the operator allows to be asked while the test runs."""
    if request.config.getoption("--home") == "kubernetes":
        pytest.skip("pods of a cluster do not reach a server on loopback of this machine")

    async def allow(hosts: str | None) -> None:
        patch = {"data": {"swell.metrics-allowed-hosts": hosts}}
        await objects.kube.patch(CONFIG_MAP, SYSTEM, "config-autoscaler", patch)

    async with running_source() as source:
        await allow(f"127.0.0.1:{source.port}")
        try:
            yield source
        finally:
            await allow(None)


def with_metrics(service: dict[str, Any], *metrics: dict[str, Any]) -> dict[str, Any]:
    service["spec"]["template"]["metadata"]["annotations"][METRICS] = json.dumps(metrics)
    return service


def queue(source: Source, target: float) -> dict[str, Any]:
    return {"type": "json", "url": source.url(), "path": "/queue/length", "target": target}


async def test_a_queue_wakes_a_service_from_zero_scales_it_and_keeps_it(objects: Objects, source: Source) -> None:
    name = unique("queue")
    await objects.deploy(with_metrics(objects.service(name, annotations=QUICK), queue(source, 10)))
    await objects.gone(name)

    source.value = 25.0
    await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == 3)
    source.value = 0.5
    await objects.until_pods(name, lambda pods: len(pods) == 1)
    # A revision without it would be at zero a window and some seconds later.
    await source.asked("/state", source.paths.count("/state") + 4)
    assert len(await objects.pods(name)) == 1

    source.value = 0.0
    await objects.gone(name)


async def test_a_host_that_is_not_allowed_is_refused_at_admission(objects: Objects, source: Source) -> None:
    service = objects.service(unique("refused"), annotations=QUICK)
    entry = {**queue(source, 10), "url": "http://169.254.169.254/latest"}
    with pytest.raises(KubeError) as caught:
        await objects.apply(with_metrics(service, entry))
    assert "spec.template.metadata.annotations.swell.dev/metrics[0].url" in caught.value.message
    assert f"allows: 127.0.0.1:{source.port}" in caught.value.message


async def test_a_service_scales_by_what_its_pods_use_of_the_processor(objects: Objects, source: Source) -> None:
    name = unique("busy")
    burn = "import threading, time; threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()"
    service = objects.service(name, annotations={**QUICK, "max-scale": "2"})
    app = service["spec"]["template"]["spec"]["containers"][0]
    app["command"] = ["sh", "-c", f'python3 -c "{burn}; time.sleep(3600)" & exec python3 -m http.server $PORT']
    await objects.deploy(with_metrics(service, {"type": "cpu", "target": "100m"}))
    await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == 2)
    if have_kubectl():
        text = await asyncio.to_thread(objects.home.kubectl, "top", "pods", "-l", f"serving.knative.dev/service={name}")
        assert text.split()[:3] == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    measured = await objects.kube.list(POD_METRICS, "default", label_selector=f"serving.knative.dev/service={name}")
    assert {each["name"] for pod in measured.items for each in pod["containers"]} == {"user-container", "queue-proxy"}
