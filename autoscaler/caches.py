"""The objects that an autoscaler goes by, kept up to date."""

from __future__ import annotations

import asyncio

from autoscaler.pods import owner_of
from swell.api.buckets import Share
from swell.api.kinds import CONFIG_MAP, DEPLOYMENT, NODE, POD, POD_AUTOSCALER
from swell.api.labels import ACTIVATOR_SELECTOR, REVISION
from swell.api.meta import Key, Obj, key_of
from swell.kube.client import KubeClient
from swell.kube.informer import Informer
from swell.runtime.clock import Clock


class Caches:
    """Nodes, activators and ConfigMaps, and of the revisions in `share` what belongs to them."""

    def __init__(self, kube: KubeClient, clock: Clock, system_namespace: str, share: Share) -> None:
        def owns(obj: Obj) -> bool:
            owner = owner_of(obj)
            return owner is not None and share.owns(*owner.revision)

        self.nodes = Informer(kube, NODE, clock=clock)
        self.activators = Informer(
            kube, POD, namespace=system_namespace, label_selector=ACTIVATOR_SELECTOR, clock=clock
        )
        self.config_maps = Informer(kube, CONFIG_MAP, namespace=system_namespace, clock=clock)
        self.deployments = Informer(kube, DEPLOYMENT, label_selector=REVISION, clock=clock, keep=owns)
        self.pods = Informer(kube, POD, label_selector=REVISION, clock=clock, keep=owns)
        self.pods.add_index(REVISION, _revision_of)
        self.autoscalers = Informer(kube, POD_AUTOSCALER, clock=clock, keep=lambda obj: share.owns(*key_of(obj)))
        # Settings, Deployments and pods before the PodAutoscalers that they matter to.
        self._in_order = (self.activators, self.config_maps, self.deployments, self.pods, self.autoscalers)
        self._counting: asyncio.Task[None] | None = None

    async def start(self, *, nodes: bool) -> None:
        """Fill them. `nodes` are not waited for: without them, by rights say, pods start as they always did."""
        if nodes:
            self._counting = asyncio.create_task(self.nodes.start())
        for informer in self._in_order:
            await informer.start()

    async def close(self) -> None:
        """Hear of nothing more."""
        for informer in (*reversed(self._in_order), self.nodes):
            await informer.close()
        if self._counting is not None:
            await asyncio.gather(self._counting, return_exceptions=True)

    def pods_of(self, revision: Key) -> list[Obj]:
        return self.pods.indexed(REVISION, str(revision))


def _revision_of(pod: Obj) -> list[str]:
    owner = owner_of(pod)
    return [str(owner.revision)] if owner is not None else []
