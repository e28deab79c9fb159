"""Has the HorizontalPodAutoscaler of each PodAutoscaler of class HPA, and writes down what it says: `hpa` decides."""

from __future__ import annotations

from autoscaler.hpa import FAILED_CREATE, NOT_OWNED, failed_status, make_hpa, next_status
from autoscaler.pods import Owner, PodCounts, owner_of
from swell.api.autoscaling import PodAutoscaler, PodAutoscalerStatus
from swell.api.fields import Malformed
from swell.api.kinds import HORIZONTAL_POD_AUTOSCALER, POD_AUTOSCALER
from swell.api.labels import CLASS_HPA
from swell.api.meta import Key, Obj, is_controlled_by, key_of
from swell.config.autoscaler import AutoscalerConfig
from swell.kube.apply import ensure, write_status
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.errors import AlreadyExists, Conflict, KubeError
from swell.kube.informer import Informer
from swell.runtime.clock import Clock


class HorizontalAutoscalers:
    """All PodAutoscalers of class HPA. `start`, then `run`, then `close`; the rest is told as it comes."""

    def __init__(self, kube: KubeClient, clock: Clock, pods: PodCounts) -> None:
        self._kube = kube
        self._clock = clock
        self._pods = pods
        self._config = AutoscalerConfig()
        self._managed: dict[Key, Obj] = {}
        self._hpas = Informer(kube, HORIZONTAL_POD_AUTOSCALER, clock=clock)
        self._hpas.add_handler(lambda old, new: self._enqueue(old, new))
        self.controller = Controller("hpa", self._reconcile, clock=clock, workers=1)

    async def start(self) -> None:
        """Find out what HorizontalPodAutoscalers there are."""
        await self._hpas.start()

    async def run(self) -> None:
        """Work until cancelled."""
        await self.controller.run()

    async def close(self) -> None:
        await self._hpas.close()

    def changed(self, old: Obj | None, new: Obj | None) -> None:
        """Take in one event of a PodAutoscaler."""
        if new is not None and self._is_ours(new):
            self._managed[key_of(new)] = new
        elif (obj := new if new is not None else old) is not None:
            self._managed.pop(key_of(obj), None)
        self._enqueue(old, new)

    def configure(self, config: AutoscalerConfig) -> None:
        """Apply the cluster's settings."""
        self._config = config
        for key in self._managed:
            self.controller.enqueue(key)

    def pods_changed(self, owner: Owner) -> None:
        """The pods of a revision have changed."""
        if owner.revision in self._managed:
            self.controller.enqueue_soon(owner.revision)

    def _enqueue(self, old: Obj | None, new: Obj | None) -> None:
        obj = new if new is not None else old
        if obj is not None and key_of(obj) in self._managed:
            self.controller.enqueue_soon(key_of(obj))

    def _is_ours(self, obj: Obj) -> bool:
        try:
            pa = PodAutoscaler.parse(obj)
        except Malformed:
            return False  # `PodAutoscalers` says so
        return (
            not pa.meta.deleting and (pa.annotations.scaling_class() or self._config.pod_autoscaler_class) == CLASS_HPA
        )

    async def _reconcile(self, key: Key) -> None:
        obj = self._managed.get(key)
        if obj is None:
            return
        pa = PodAutoscaler.parse(obj)
        seen = self._hpas.get(*key)
        if seen is not None and not is_controlled_by(seen, pa.meta.uid):
            message = f"HorizontalPodAutoscaler {key.name} is somebody else's: delete it or name the Service otherwise"
            await self._write(pa, obj, failed_status(pa, NOT_OWNED, message, self._clock.wall()))
            return
        try:
            hpa = await ensure(self._kube, HORIZONTAL_POD_AUTOSCALER, make_hpa(pa, obj, self._config, seen), seen)
        except (AlreadyExists, Conflict):
            raise
        except KubeError as exc:
            if seen is None:
                message = f"HorizontalPodAutoscaler {key.name} cannot be made: {exc.message}"
                await self._write(pa, obj, failed_status(pa, FAILED_CREATE, message, self._clock.wall()))
            raise
        ready = self._pods.ready(owner_of(obj) or Owner(key, ""))
        await self._write(pa, obj, next_status(pa, hpa, ready, self._config, self._clock.wall()))

    async def _write(self, pa: PodAutoscaler, obj: Obj, status: PodAutoscalerStatus) -> None:
        if status != pa.status:
            await write_status(self._kube, POD_AUTOSCALER, obj, status.to_obj())
