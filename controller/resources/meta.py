"""Labels, annotations and names that children take over from their revision (spec api 6.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from swell.api import labels
from swell.api.kinds import Kind
from swell.api.meta import Obj, ObjectMeta, owner_reference
from swell.api.names import child_name
from swell.api.serving import Revision

_LABELS_NOT_COPIED: Final = frozenset((labels.ROUTE, labels.ROUTING_STATE))
_ANNOTATIONS_NOT_COPIED: Final = frozenset(
    (labels.LAST_PINNED, labels.NO_GC, labels.ROUTING_STATE_MODIFIED, labels.ROUTES)
)
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_FNV_OFFSET: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193


def deployment_name(revision_name: str) -> str:
    """The name of a revision's Deployment."""
    return child_name(revision_name, "-deployment")


def child_labels(revision: Revision) -> dict[str, str]:
    """The labels of a revision's Deployment, pods and PodAutoscaler."""
    own = {key: value for key, value in revision.meta.labels.items() if key not in _LABELS_NOT_COPIED}
    own |= {labels.REVISION: revision.meta.name, labels.REVISION_UID: revision.meta.uid}
    own.setdefault(labels.APP, revision.meta.name)
    return own


def child_annotations(revision: Revision, *, autoscaling: bool = False) -> dict[str, str]:
    """The annotations of a revision's children; those about scaling only where `autoscaling` asks for them."""
    return {
        key: value
        for key, value in revision.meta.annotations.items()
        if key not in _ANNOTATIONS_NOT_COPIED and (autoscaling or not is_autoscaling(key))
    }


def is_autoscaling(key: str) -> bool:
    """Whether this annotation is about scaling: pods must not be replaced because it changes."""
    return key.startswith(f"{labels.AUTOSCALING_GROUP}/") or key in labels.SCALING_KEYS


def without(values: Mapping[str, str], *keys: str) -> dict[str, str]:
    """A copy of `values` that lacks `keys`."""
    return {key: value for key, value in values.items() if key not in keys}


def owner(kind: Kind, meta: ObjectMeta) -> Obj:
    """The owner reference of a child of the object with this metadata."""
    return owner_reference(
        {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": meta.name, "uid": meta.uid}}
    )


def metadata(name: str, namespace: str, own: Mapping[str, str], notes: Mapping[str, str], controller: Obj) -> Obj:
    """`metadata` of a new child. Labels and annotations that are empty are left out, as they are on the wire."""
    found: Obj = {"name": name, "namespace": namespace}
    if own:
        found["labels"] = dict(own)
    if notes:
        found["annotations"] = dict(notes)
    return {**found, "ownerReferences": [controller]}


def exactly(wanted: Obj, seen: Obj | None) -> Obj:
    """`wanted`, with None for every label, annotation and field of its spec that `seen` has and it has not.

    So that `swell.kube.apply` takes away what is no longer wanted.
    """
    if seen is None:
        return wanted
    meta, before = wanted["metadata"], seen["metadata"]
    named = {key: _cleared(meta.get(key) or {}, before.get(key) or {}) for key in ("labels", "annotations")}
    return {
        **wanted,
        "metadata": {**meta, **named},
        "spec": _cleared(wanted.get("spec") or {}, seen.get("spec") or {}),
    }


def _cleared(wanted: Obj, seen: Obj) -> Obj:
    found: Obj = dict.fromkeys(seen.keys() - wanted.keys())
    for key, value in wanted.items():
        old = seen.get(key)
        found[key] = _cleared(value, old) if isinstance(value, dict) and isinstance(old, dict) else value
    return found


def short_hash(data: bytes) -> str:
    """FNV-1a of 32 bits, in base 36."""
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    text = ""
    while value:
        value, digit = divmod(value, 36)
        text = _DIGITS[digit] + text
    return text or "0"
