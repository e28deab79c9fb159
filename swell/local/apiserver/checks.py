"""Faults of built-in objects that their schemas cannot express."""

from __future__ import annotations

from swell.api.meta import Obj
from swell.local.apiserver.failures import FieldFault


def workload_faults(obj: Obj, old: Obj | None) -> list[FieldFault]:
    """Deployments and ReplicaSets: the selector picks the template's pods and never changes."""
    spec = obj["spec"]
    found: list[FieldFault] = []
    if spec.get("replicas", 0) < 0:
        message = f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"
        found.append(FieldFault("spec.replicas", message))
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        message = f"Invalid value: {labels!r}: `selector` does not match template `labels`"
        found.append(FieldFault("spec.template.metadata.labels", message))
    if old is not None and old["spec"].get("selector") != spec.get("selector"):
        message = f"Invalid value: {spec.get('selector')!r}: field is immutable"
        found.append(FieldFault("spec.selector", message))
    return found
