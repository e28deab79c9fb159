"""Core Services with a selector -> EndpointSlices: the addresses of their pods."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from swell.api.kinds import CORE_SERVICE, ENDPOINT_SLICE
from swell.api.meta import Key, Obj, is_controlled_by, key_of, owner_reference
from swell.kube.apply import ensure
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.informer import Informer
from swell.local.workloads.labels import labels_of
from swell.local.workloads.pods import has_ended, is_ready
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons

ENDPOINTS_MAX: Final = 1000
"""Of one slice, as the API allows; one machine does not run more pods of one Service."""
MANAGED_BY: Final = "endpointslice-controller.k8s.io"
_NAMESPACE: Final = "namespace"


class Endpoints:
    """Keeps one EndpointSlice per Service that selects pods."""

    def __init__(self, kube: KubeClient, clock: Clock, pods: Informer) -> None:
        self._kube = kube
        self._daemons = Daemons()
        self._pods = pods
        self._services = Informer(kube, CORE_SERVICE, clock=clock)
        self._slices = Informer(kube, ENDPOINT_SLICE, clock=clock)
        self._controller = Controller("endpoints", self._reconcile, clock=clock, workers=1)
        self._services.add_index(_NAMESPACE, _selecting_namespace)
        pods.add_index(_NAMESPACE, _namespace)
        self._services.add_handler(self._service_changed)
        self._slices.add_handler(self._slice_changed)
        pods.add_handler(self._pod_changed)

    async def start(self) -> None:
        """`pods` must be started before."""
        await self._slices.start()
        await self._services.start()
        self._daemons.spawn(self._controller.run(), "endpoints")

    async def close(self) -> None:
        await self._daemons.close()
        await self._services.close()
        await self._slices.close()

    def _service_changed(self, _: Obj | None, new: Obj | None) -> None:
        if new is not None and _selector(new):
            self._controller.enqueue(key_of(new))

    def _slice_changed(self, old: Obj | None, new: Obj | None) -> None:
        """Somebody else may have written or deleted it."""
        found = new if new is not None else old
        name = labels_of(found).get("kubernetes.io/service-name") if found is not None else None
        if found is not None and name:
            self._controller.enqueue(Key(found["metadata"]["namespace"], name))

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        found = new if new is not None else old
        assert found is not None
        for service in self._services.indexed(_NAMESPACE, found["metadata"]["namespace"]):
            if any(pod is not None and _matches(service, pod) for pod in (old, new)):
                self._controller.enqueue(key_of(service))

    async def _reconcile(self, key: Key) -> None:
        service = self._services.get(*key)
        if service is None or not _selector(service) or "deletionTimestamp" in service["metadata"]:
            return
        pods = [pod for pod in self._pods.indexed(_NAMESPACE, key.namespace) if _matches(service, pod)]
        wanted = make_slice(service, pods)
        seen = self._slices.get(key.namespace, wanted["metadata"]["name"])
        if seen is None or is_controlled_by(seen, service["metadata"]["uid"]):
            self._slices.learn(await ensure(self._kube, ENDPOINT_SLICE, wanted, seen))


def make_slice(service: Obj, pods: Iterable[Obj]) -> Obj:
    """The EndpointSlice of a Service, from the pods that it selects."""
    meta = service["metadata"]
    found = sorted((pod for pod in pods if _address(pod) and not has_ended(pod)), key=lambda pod: str(key_of(pod)))
    digest = hashlib.sha256(meta["uid"].encode()).hexdigest()
    return {
        "apiVersion": ENDPOINT_SLICE.api_version,
        "kind": ENDPOINT_SLICE.kind,
        "metadata": {
            "name": f"{meta['name']}-{digest[:5]}",
            "namespace": meta["namespace"],
            "labels": {
                "kubernetes.io/service-name": meta["name"],
                "endpointslice.kubernetes.io/managed-by": MANAGED_BY,
            },
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(service, pod) for pod in found[:ENDPOINTS_MAX]],
        "ports": [_port(port, found) for port in service["spec"].get("ports") or ()],
    }


def _endpoint(service: Obj, pod: Obj) -> Obj:
    meta = pod["metadata"]
    serving, terminating = is_ready(pod), "deletionTimestamp" in meta
    everything = bool(service["spec"].get("publishNotReadyAddresses"))
    conditions = {"ready": everything or (serving and not terminating), "serving": serving, "terminating": terminating}
    reference = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    endpoint: Obj = {"addresses": [_address(pod)], "conditions": conditions, "targetRef": reference}
    node = pod["spec"].get("nodeName")
    return {**endpoint, "nodeName": node} if node else endpoint


def _port(port: Obj, pods: list[Obj]) -> Obj:
    """A port by number; one that the Service names is looked up in the pods."""
    target: Any = port.get("targetPort", port["port"])
    number = _named(target, pods) if isinstance(target, str) and not target.isdecimal() else int(target)
    made = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
    return {key: value for key, value in made.items() if value is not None}


def _named(name: str, pods: list[Obj]) -> int | None:
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            for port in container.get("ports") or ():
                if port.get("name") == name:
                    return int(port["containerPort"])
    return None


def _address(pod: Obj) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


def _selector(service: Obj) -> dict[str, str]:
    selector: dict[str, str] = service["spec"].get("selector") or {}
    return {} if service["spec"].get("type") == "ExternalName" else selector


def _matches(service: Obj, pod: Obj) -> bool:
    return _selector(service).items() <= labels_of(pod).items()


def _namespace(obj: Obj) -> Iterable[str]:
    return (obj["metadata"]["namespace"],)


def _selecting_namespace(service: Obj) -> Iterable[str]:
    return _namespace(service) if _selector(service) else ()
