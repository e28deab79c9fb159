"""Serving objects for tests, as the API would hand them out: small by default, everything may be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swell.api import labels
from swell.api.kinds import CONFIGURATION, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Obj, owner_reference
from swell.api.serving import Configuration, Revision, Route, Service

NAMESPACE = "ns"
CREATED = "2026-08-21T09:30:00Z"
NOW_S = 1_787_304_600.0  # the moment of CREATED


def condition(type: str, status: str, reason: str = "", message: str = "") -> Obj:
    """A condition that last moved when everything was created."""
    found = {"type": type, "status": status, "reason": reason, "message": message, "lastTransitionTime": CREATED}
    return {key: value for key, value in found.items() if value}


def metadata(
    name: str,
    *,
    generation: int = 1,
    owner: Obj | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Obj:
    """Metadata whose uid is `uid-` and the name."""
    found: Obj = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-{name}",
        "generation": generation,
        "creationTimestamp": CREATED,
        "labels": dict(labels or {}),
        "annotations": dict(annotations or {}),
    }
    return {**found, "ownerReferences": [owner]} if owner else found


def owned_by(kind: Kind, name: str) -> Obj:
    """The owner reference to the object of that kind and name, as these functions make it."""
    owner = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name, "uid": f"uid-{name}"}}
    return owner_reference(owner)


def status(generation: int, conditions: Sequence[Obj], **rest: Any) -> Obj:
    """A status that was judged at `generation`."""
    return {"observedGeneration": generation, "conditions": list(conditions), **rest}


def _object(kind: Kind, meta: Obj, spec: Obj, status: Obj | None) -> Obj:
    obj: Obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}
    return {**obj, "status": status} if status else obj


def pod_spec(**container: Any) -> Obj:
    """A pod spec of one container, as admission leaves it."""
    stock = {
        "name": "user-container",
        "image": "hello",
        "readinessProbe": {"tcpSocket": {"port": 0}, "successThreshold": 1},
    }
    return {"containers": [{**stock, **container}]}


def template(*, name: str = "", **container: Any) -> Obj:
    """A revision template."""
    spec = {**pod_spec(**container), "timeoutSeconds": 300, "containerConcurrency": 0}
    return {"metadata": {"name": name}, "spec": spec} if name else {"spec": spec}


def service(
    name: str = "svc",
    *,
    traffic: Sequence[Obj] = ({"latestRevision": True, "percent": 100},),
    revision_template: Obj | None = None,
    status: Obj | None = None,
    **meta: Any,
) -> Service:
    """A Service."""
    spec = {"template": revision_template or template(), "traffic": list(traffic)}
    return Service.parse(_object(SERVICE, metadata(name, **meta), spec, status))


def configuration(
    name: str = "svc", *, revision_template: Obj | None = None, status: Obj | None = None, **meta: Any
) -> Configuration:
    """A Configuration; its Service's, unless it is given another owner."""
    meta.setdefault("owner", owned_by(SERVICE, name))
    spec = {"template": revision_template or template()}
    return Configuration.parse(_object(CONFIGURATION, metadata(name, **meta), spec, status))


def revision(
    name: str = "svc-00001",
    *,
    of: str = "svc",
    number: int = 1,
    state: str = labels.ROUTING_ACTIVE,
    spec: Obj | None = None,
    status: Obj | None = None,
    **meta: Any,
) -> Revision:
    """A Revision of the Configuration `of`, made at its generation `number`."""
    own = {
        labels.CONFIGURATION: of,
        labels.CONFIGURATION_GENERATION: str(number),
        labels.CONFIGURATION_UID: f"uid-{of}",
        labels.SERVICE: of,
        labels.SERVICE_UID: f"uid-{of}",
        labels.ROUTING_STATE: state,
    }
    meta["labels"] = {**own, **(meta.get("labels") or {})}
    meta.setdefault("owner", owned_by(CONFIGURATION, of))
    return Revision.parse(_object(REVISION, metadata(name, **meta), spec or template()["spec"], status))


def route(name: str = "svc", *, traffic: Sequence[Obj] = (), status: Obj | None = None, **meta: Any) -> Route:
    """A Route; its Service's, unless it is given other labels and another owner."""
    meta.setdefault("owner", owned_by(SERVICE, name))
    meta.setdefault("labels", {labels.SERVICE: name})
    return Route.parse(_object(ROUTE, metadata(name, **meta), {"traffic": list(traffic)}, status))
