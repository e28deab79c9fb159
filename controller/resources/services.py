"""The Kubernetes Service of a Route: its name inside the cluster, pointing at the front door. Pure."""

from __future__ import annotations

from controller.resources.meta import metadata, owner, without
from swell.api import labels
from swell.api.kinds import CORE_SERVICE, ROUTE
from swell.api.meta import Obj
from swell.api.serving import Route


def make_placeholder(route: Route, front_door: str, seen: Obj | None = None) -> Obj:
    """One Service per Route, whatever its tags: callers inside the cluster find the front door by it.

    `front_door` is a DNS name. What is on the object already stays (spec api 6.11: metadata only grows).
    """
    meta = route.meta
    before = (seen or {}).get("metadata", {})
    own = {**(before.get("labels") or {}), **without(meta.labels, labels.VISIBILITY), labels.ROUTE: meta.name}
    notes = {**(before.get("annotations") or {}), **without(meta.annotations, labels.KUBECTL_LAST_APPLIED)}
    return {
        "apiVersion": CORE_SERVICE.api_version,
        "kind": CORE_SERVICE.kind,
        "metadata": metadata(meta.name, meta.namespace, own, notes, owner(ROUTE, meta)),
        "spec": {
            "type": "ExternalName",
            "externalName": front_door,
            "sessionAffinity": "None",
            "ports": [
                {
                    "name": "http2",
                    "port": 80,
                    "protocol": "TCP",
                    "appProtocol": "kubernetes.io/h2c",
                    "targetPort": 80,
                }
            ],
        },
    }
