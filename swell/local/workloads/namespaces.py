"""A namespace that is deleted takes everything in it along, and goes last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from swell.api.kinds import NAMESPACE, Kind
from swell.api.meta import Key, Obj, condition_of, key_of, rfc3339
from swell.kube.apply import write_status
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.errors import NotFound
from swell.kube.informer import Informer
from swell.local.workloads.kinds import UNOWNED
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons

FINALIZER: Final = "kubernetes"
# Each object that goes asks to look again; this is for what goes unheard.
LOOK_AGAIN_S: Final = 5.0


class Namespaces:
    """Empties namespaces that are being deleted; `kinds` tells which kinds there are."""

    def __init__(self, kube: KubeClient, clock: Clock, kinds: Callable[[], Iterable[Kind]]) -> None:
        self._kube = kube
        self._clock = clock
        self._kinds = kinds
        self._daemons = Daemons()
        self._informer = Informer(kube, NAMESPACE, clock=clock)
        self._controller = Controller("namespaces", self._reconcile, clock=clock, workers=1)
        self._informer.add_handler(self._changed)

    async def start(self) -> None:
        await self._informer.start()
        self._daemons.spawn(self._controller.run(), "namespaces")

    async def close(self) -> None:
        await self._daemons.close()
        await self._informer.close()

    def on_gone(self, obj: Obj) -> None:
        """An object was deleted: it may have been the last one that its namespace waited for."""
        namespace = self._informer.get("", obj["metadata"].get("namespace", ""))
        if namespace is not None and _is_terminating(namespace):
            self._controller.enqueue(key_of(namespace))

    def _changed(self, _: Obj | None, new: Obj | None) -> None:
        if new is not None and _is_terminating(new):
            self._controller.enqueue(key_of(new))

    async def _reconcile(self, key: Key) -> float | None:
        namespace = self._informer.get(*key)
        if namespace is None or not _is_terminating(namespace):
            return None
        left = await self._empty(key.name)
        if left:
            await write_status(self._kube, NAMESPACE, namespace, _status(namespace, left, self._clock.wall()))
            return LOOK_AGAIN_S
        finalizers = [each for each in namespace["spec"].get("finalizers") or () if each != FINALIZER]
        live = await self._kube.get(NAMESPACE, None, key.name)
        await self._kube.update(NAMESPACE, {**live, "spec": {"finalizers": finalizers}}, subresource="finalize")
        return None

    async def _empty(self, namespace: str) -> list[Obj]:
        """Delete all that is in it; returns what is still there, kept by finalizers or a grace period."""
        kinds = [kind for kind in (*self._kinds(), *UNOWNED) if kind.namespaced]
        for kind in kinds:
            for obj in await self._list(kind, namespace):
                if "deletionTimestamp" not in obj["metadata"]:
                    await self._delete(kind, obj)
        return [obj for kind in kinds for obj in await self._list(kind, namespace)]

    async def _list(self, kind: Kind, namespace: str) -> list[Obj]:
        try:
            return (await self._kube.list(kind, namespace)).items
        except NotFound:
            return []  # the kind has gone meanwhile

    async def _delete(self, kind: Kind, obj: Obj) -> None:
        namespace, name = key_of(obj)
        try:
            await self._kube.delete(kind, namespace, name, uid=obj["metadata"]["uid"])
        except NotFound:
            return


def _is_terminating(namespace: Obj) -> bool:
    return "deletionTimestamp" in namespace["metadata"] and FINALIZER in (namespace["spec"].get("finalizers") or ())


def _status(namespace: Obj, left: list[Obj], now_s: float) -> Obj:
    """The status with the condition that says what the namespace waits for."""
    status: Obj = namespace.get("status") or {}
    kinds = Counter(str(obj["kind"]) for obj in left)
    message = "Some resources are remaining: " + ", ".join(f"{kind} ({kinds[kind]})" for kind in sorted(kinds))
    type_ = "NamespaceContentRemaining"
    if condition_of(namespace, type_).get("message") == message:
        return status
    condition = {"type": type_, "status": "True", "reason": "SomeResourcesRemain", "message": message}
    return {**status, "phase": "Terminating", "conditions": [{**condition, "lastTransitionTime": rfc3339(now_s)}]}
