"""What a fresh embedded cluster contains: its namespaces, and the ConfigMaps with the values it needs.

Kinds and namespaces themselves are made by `swell.local.apiserver.server.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from swell.api.kinds import CONFIG_MAP
from swell.api.meta import Obj
from swell.config import autoscaler, defaults, deployment, domain, features, gc, network, observability
from swell.kube.client import KubeClient
from swell.kube.errors import AlreadyExists
from swell.local.cluster import ClusterConfig
from swell.local.ports import LOOPBACK

SYSTEM_NAMESPACE: Final = "swell-system"
NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease", SYSTEM_NAMESPACE)
LABELS: Final = {"app.kubernetes.io/name": "swell", "app.kubernetes.io/part-of": "swell"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One ConfigMap: `initial` is written once and then the user's; `owned` is ours at each start."""

    name: str
    initial: Mapping[str, str] = field(default_factory=dict)
    owned: Mapping[str, str] = field(default_factory=dict)

    def to_obj(self) -> Obj:
        return {
            "metadata": {"name": self.name, "namespace": SYSTEM_NAMESPACE, "labels": dict(LABELS)},
            "data": {**self.initial, **self.owned},
        }


def wanted_config_maps(config: ClusterConfig) -> tuple[Wanted, ...]:
    """The ConfigMaps of this cluster. Ports belong to the start, all else to the user."""
    return (
        # Pods are followed directly and the front door is always in the path: nothing must be told
        # of a pod's end before it goes, so the grace need not cover that.
        Wanted(autoscaler.NAME, {"scale-to-zero-grace-period": "1s"}),
        Wanted(defaults.NAME),
        # The one front door hears of a pod that leaves within milliseconds.
        Wanted(
            deployment.NAME,
            {deployment.DRAIN_QUIET: "1s"},
            owned={deployment.ANNOUNCE_TO: f"{LOOPBACK}:{config.admin_port}"},
        ),
        Wanted(domain.NAME, {"localhost": ""}),
        Wanted(features.NAME),
        Wanted(gc.NAME),
        Wanted(network.NAME, owned={network.EXTERNAL_PORT: str(config.gateway_port)}),
        Wanted(observability.NAME),
    )


async def ensure_config_maps(kube: KubeClient, config: ClusterConfig) -> None:
    """Make sure that the config-* ConfigMaps are there, with this start's ports; what a user edited stays.

    The namespace must exist. Raises a `KubeError`.
    """
    for wanted in wanted_config_maps(config):
        try:
            await kube.create(CONFIG_MAP, wanted.to_obj())
        except AlreadyExists:
            await _update(kube, wanted)


async def _update(kube: KubeClient, wanted: Wanted) -> None:
    seen = await kube.get(CONFIG_MAP, SYSTEM_NAMESPACE, wanted.name)
    data = seen.get("data") or {}
    stale = {key: value for key, value in wanted.owned.items() if data.get(key) != value}
    if stale:
        await kube.patch(CONFIG_MAP, SYSTEM_NAMESPACE, wanted.name, {"data": stale})
