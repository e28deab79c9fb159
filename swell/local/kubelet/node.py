"""The Node object of this machine: made once, when the kubelet starts."""

from __future__ import annotations

import os
import platform
from typing import Final

from swell.api.kinds import NODE
from swell.api.meta import Obj, rfc3339
from swell.kube.apply import write_status
from swell.kube.client import KubeClient
from swell.kube.errors import AlreadyExists
from swell.local.ports import LOOPBACK

PODS_MAX: Final = 1000


async def register(kube: KubeClient, name: str, now_s: float) -> None:
    """Make the Node, or bring its status up to date. Its readiness lives and dies with the control plane."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": platform.system().lower()}
    node: Obj = {"apiVersion": NODE.api_version, "kind": NODE.kind, "metadata": {"name": name, "labels": labels}}
    try:
        seen = await kube.create(NODE, node)
    except AlreadyExists:
        seen = await kube.get(NODE, None, name)
    await write_status(kube, NODE, seen, _status(name, now_s))


def _status(name: str, now_s: float) -> Obj:
    now = rfc3339(now_s)
    resources = {"cpu": str(os.cpu_count() or 1), "memory": f"{_memory_kib()}Ki", "pods": str(PODS_MAX)}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the process runtime is ready",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {
        "capacity": resources,
        "allocatable": resources,
        "conditions": [ready],
        "addresses": [{"type": "InternalIP", "address": LOOPBACK}, {"type": "Hostname", "address": name}],
        "nodeInfo": {
            "architecture": platform.machine(),
            "operatingSystem": platform.system().lower(),
            "kernelVersion": platform.release(),
            "osImage": platform.platform(),
            "containerRuntimeVersion": "process://1",
            "kubeletVersion": "v1.34.0-swell",
        },
    }


def _memory_kib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
