"""The PodAutoscaler of a revision (spec api 6.6). Pure."""

from __future__ import annotations

from typing import Final

from controller.resources.meta import (
    child_annotations,
    child_labels,
    deployment_name,
    is_autoscaling,
    metadata,
    owner,
)
from swell.api import labels
from swell.api.autoscaling import REACHABLE, UNREACHABLE
from swell.api.kinds import DEPLOYMENT, POD_AUTOSCALER, REVISION
from swell.api.meta import Obj
from swell.api.serving import Revision, protocol

# These may have been filled in on the PodAutoscaler itself: they stay although the revision lacks them.
_KEPT: Final = (labels.AUTOSCALER_CLASS, labels.METRIC)


def reachability(revision: Revision, *, hopeless: bool) -> str:
    """Whether traffic can reach the revision. `hopeless`: its pods fail, and none is ready."""
    if hopeless:
        return UNREACHABLE
    match revision.meta.labels.get(labels.ROUTING_STATE):
        case labels.ROUTING_ACTIVE:
            return REACHABLE
        case labels.ROUTING_RESERVE:
            return UNREACHABLE
        case _:
            return ""


def make_podautoscaler(revision: Revision, reachable: str, seen: Obj | None = None) -> Obj:
    """The PodAutoscaler as it should be, given the one that is there.

    Annotations about scaling are the revision's, save those that defaulting may have put there; others that
    somebody added stay.
    """
    spec: Obj = {
        "containerConcurrency": revision.spec.container_concurrency or 0,
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENT.api_version,
            "kind": DEPLOYMENT.kind,
            "name": deployment_name(revision.meta.name),
        },
        "protocolType": protocol(revision.spec.pod_spec),
    }
    if reachable:
        spec["reachability"] = reachable
    before = (seen or {}).get("metadata", {})
    kept = {
        key: value
        for key, value in (before.get("annotations") or {}).items()
        if key in _KEPT or not is_autoscaling(key)
    }
    own = {**(before.get("labels") or {}), **child_labels(revision)}
    notes = {**kept, **child_annotations(revision, autoscaling=True)}
    return {
        "apiVersion": POD_AUTOSCALER.api_version,
        "kind": POD_AUTOSCALER.kind,
        "metadata": metadata(revision.meta.name, revision.meta.namespace, own, notes, owner(REVISION, revision.meta)),
        "spec": spec,
    }
