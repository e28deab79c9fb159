"""What Kubernetes fills in for built-in kinds, as far as clients and controllers look at it.

Each function changes its object in place; the values are the reference's.
"""

from __future__ import annotations

import base64
from typing import Any

from swell.api.meta import Obj


def deployment(obj: Obj) -> None:
    spec = _part(obj, "spec")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = _part(spec, "strategy")
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = _part(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    _template(spec)


def replica_set(obj: Obj) -> None:
    spec = _part(obj, "spec")
    spec.setdefault("replicas", 1)
    _template(spec)


def _template(spec: Obj) -> None:
    template = _part(spec, "template")
    _part(template, "metadata")
    _pod_spec(_part(template, "spec"))


def pod(obj: Obj) -> None:
    _pod_spec(_part(obj, "spec"))


def _pod_spec(spec: Obj) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        _container(container)
    for volume in spec.get("volumes", ()):
        _volume(volume)


def _container(container: Obj) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", pull_policy(container.get("image", "")))
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for env in container.get("env", ()):
        if "fieldRef" in env.get("valueFrom", ()):
            env["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name):
            _probe(container[name])


def pull_policy(image: str) -> str:
    """`Always` for an image without tag or digest, or with the tag `latest`."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2] or "latest"
    return "Always" if tag == "latest" else "IfNotPresent"


def _probe(probe: Obj) -> None:
    for key, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(key):
            probe[key] = value
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _volume(volume: Obj) -> None:
    for source in ("configMap", "secret", "projected", "downwardAPI"):
        if source in volume:
            volume[source].setdefault("defaultMode", 0o644)
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}


def pod_status(_: Obj, old: Obj | None) -> Obj:
    return old if old is not None else {"phase": "Pending", "qosClass": "BestEffort"}


def service(obj: Obj) -> None:
    spec = _part(obj, "spec")
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if kind != "ExternalName":
            port.setdefault("targetPort", port.get("port"))


def secret(obj: Obj) -> None:
    obj.setdefault("type", "Opaque")
    plain: dict[str, str] = obj.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def namespace(obj: Obj) -> None:
    meta = obj["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    if not meta.get("deletionTimestamp"):
        _part(obj, "spec").setdefault("finalizers", ["kubernetes"])


def namespace_status(_: Obj, old: Obj | None) -> Obj:
    return old if old is not None else {"phase": "Active"}


def node_status(obj: Obj, old: Obj | None) -> Obj:
    """A node's status comes with it when it registers itself."""
    return old if old is not None else obj.get("status") or {}


def replica_set_status(_: Obj, old: Obj | None) -> Obj:
    return old if old is not None else {"replicas": 0}


def plain_status(_: Obj, old: Obj | None) -> Obj:
    return old if old is not None else {}


def endpoint_slice(obj: Obj) -> None:
    for port in obj.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("name", "")


def _part(obj: Obj, key: str) -> Any:
    """The mapping at `key`, made if it is absent."""
    if obj.get(key) is None:
        obj[key] = {}
    return obj[key]
