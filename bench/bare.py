"""What the cluster itself takes to start pods: bare Deployments of two containers each, with nothing of Swell around.

The floor below `at_once20_p50_s`: whatever asks for the same pods, together or in turns, waits that long for the API
server, the scheduler, the kubelet and the container runtime.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from swell.api.kinds import DEPLOYMENT
from swell.api.meta import Obj
from swell.testing.home import Objects, pod_is_ready, unique

# What the Go app logs once it is about to listen, behind Go's date and time.
SERVING: Final = "serving"
TIME_FORMAT: Final = "%Y/%m/%d %H:%M:%S.%f"
PORTS: Final = (8080, 8081)


async def burst(objects: Objects, image: str, pods: int, at_a_time: int) -> list[float]:
    """Seconds until both apps of each pod serve, for that many Deployments that get their one replica.

    `at_a_time`: the next one is told to have it when one of so many serves.
    """
    places = asyncio.Semaphore(at_a_time)

    async def start(name: str) -> float:
        async with places:
            await kube.patch(DEPLOYMENT, namespace, name, {"spec": {"replicas": 1}}, subresource="scale")
            return await _serves_at(objects, name)

    kube, namespace = objects.kube, objects.home.namespace
    names = [unique("bare") for _ in range(pods)]
    await asyncio.gather(*(kube.create(DEPLOYMENT, _deployment(name, namespace, image)) for name in names))
    try:
        await asyncio.sleep(3)  # as quiet as Services at zero
        started = time.time()
        return [at - started for at in await asyncio.gather(*map(start, names))]
    finally:
        for name in names:
            await kube.delete(DEPLOYMENT, namespace, name)
            await objects.until_selected(f"bare={name}", lambda found: not found)


def _deployment(name: str, namespace: str, image: str) -> Obj:
    containers = [
        {"name": f"app-{port}", "image": image, "env": [{"name": "PORT", "value": str(port)}]} for port in PORTS
    ]
    labels = {"bare": name}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


async def _serves_at(objects: Objects, name: str) -> float:
    """Unix seconds at which the later of the two apps of the Deployment's pod began to serve, by their logs."""
    (pod,) = await objects.until_selected(f"bare={name}", lambda pods: any(map(pod_is_ready, pods)))
    return max([await _logged_at(objects, pod["metadata"]["name"], f"app-{port}") for port in PORTS])


async def _logged_at(objects: Objects, pod: str, container: str) -> float:
    chunks = objects.kube.logs(objects.home.namespace, pod, container=container)
    log = b"".join([chunk async for chunk in chunks]).decode()
    line = next(line for line in log.splitlines() if line.endswith(SERVING))
    return datetime.strptime(line.removesuffix(SERVING).strip(), TIME_FORMAT).replace(tzinfo=UTC).timestamp()
