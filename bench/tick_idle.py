"""What an autoscaler costs while nothing happens: the whole program, with thousands of revisions at zero.

Store and autoscaler are in one process here, so both count; one activator is connected and has nothing to say.
"""

from __future__ import annotations

import asyncio
import os

from websockets.asyncio.client import connect

from autoscaler.program import Settings, run
from swell.api.crds import definitions
from swell.api.kinds import DEPLOYMENT, POD_AUTOSCALER
from swell.api.meta import Obj
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.runtime.clock import SystemClock
from swell.testing.processes import cpu_s

SYSTEM = "swell-system"
AT_ZERO = {
    "desiredScale": 0,
    "actualScale": 0,
    "serviceName": "hello",
    "metricsServiceName": "hello",
    "conditions": [
        {"type": "Active", "status": "False", "reason": "NoTraffic", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "ScaleTargetInitialized", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ],
}
SETTLED_S = 5.0
"""The program is taken as at rest once it has used next to nothing for so long."""


def idle_cpu_percent(revisions: int, seconds: float) -> float:
    """Of one core, with so many revisions at zero."""
    return asyncio.run(_measure(revisions, seconds))


async def _measure(revisions: int, seconds: float) -> float:
    clock = SystemClock()
    server = ApiServer(open_store(":memory:"), clock=clock)
    bootstrap(server, definitions(), ["default", SYSTEM])
    kube, stop, ready = StoreClient(server), asyncio.Event(), asyncio.get_running_loop().create_future()
    for number in range(revisions):
        deployment, autoscaler = _objects(f"hello-{number:05}-00001")
        await kube.create(DEPLOYMENT, deployment)
        created = await kube.create(POD_AUTOSCALER, autoscaler)
        await kube.update(POD_AUTOSCALER, {**created, "status": AT_ZERO}, subresource="status")
    settings = Settings(system_namespace=SYSTEM, listen_ip="127.0.0.1", port=0)
    running = asyncio.create_task(run(settings, kube, clock, stop, ready.set_result))
    async with connect(f"ws://127.0.0.1:{await ready}", compression=None, ping_interval=3):
        while await _used_s(SETTLED_S) > 0.02 * SETTLED_S:
            pass
        used_s = await _used_s(seconds)
    stop.set()
    await running
    return round(100 * used_s / seconds, 2)


async def _used_s(seconds: float) -> float:
    before_s = cpu_s(os.getpid())
    await asyncio.sleep(seconds)
    return cpu_s(os.getpid()) - before_s


def _objects(name: str) -> tuple[Obj, Obj]:
    """Deployment and PodAutoscaler of a revision that was ready once and is at zero."""
    labels = {"serving.knative.dev/revision": name, "serving.knative.dev/revisionUID": f"uid-{name}"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    deployment = {
        "metadata": {"name": f"{name}-deployment", "namespace": "default", "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }
    autoscaler = {
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "protocolType": "http1",
            "reachability": "Reachable",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-deployment"},
        },
    }
    return deployment, autoscaler
