"""A new object against its kind, in place: what is unknown goes, defaults come in, faults are found. Pure.

What an object shares with the one before it is neither gone through nor judged again.
"""

from __future__ import annotations

from typing import Final

from swell.api.meta import Obj
from swell.local.apiserver.failures import FieldFault, invalid
from swell.local.apiserver.metadata import metadata_faults
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.schema import SERVER_FIELDS, Schema, faults_of, fill_defaults, prune

_NO_GENERATION: Final = frozenset({"metadata", "status", "apiVersion", "kind"})


def drop_unknown(resource: Resource, new: Obj, old: Obj | None, object_meta: Schema) -> list[str]:
    """Drop the fields that the kind does not have, and fill in its schema's defaults; the paths of what is dropped."""
    schema = resource.schema()
    known = schema.properties or {}
    unknown = prune(object_meta, new["metadata"], "metadata")
    for key in [key for key in new if key not in SERVER_FIELDS]:
        if key not in known and not schema.open:
            unknown.append(key)
            del new[key]
        elif key in known and _changed(new, old, key):
            seen = old.get(key) if old else None
            unknown += prune(known[key], new[key], key, seen)
            fill_defaults(known[key], new[key], seen)
    return unknown


def conform(resource: Resource, new: Obj, old: Obj | None) -> None:
    """Fill in the kind's own defaults and its status; raises `Invalid` with all that it does not allow."""
    if resource.has("status") and old is None and resource.derive_status is None:
        new.pop("status", None)
    faults = metadata_faults(resource, new["metadata"], old["metadata"] if old else None)
    faults += _schema_faults(resource, new, old)
    if not faults:
        if resource.defaults is not None and (old is None or body_changed(new, old)):
            resource.defaults(new)
        if resource.check is not None and (old is None or new.get("spec") != old.get("spec")):
            faults += resource.check(new, old)
    if faults:
        raise invalid(resource.kind, new["metadata"].get("name", ""), faults)
    if resource.derive_status is not None:
        new["status"] = _status_of(resource, new, old)


def body_changed(new: Obj, old: Obj) -> bool:
    """Whether anything differs beside metadata and status."""
    keys = (new.keys() | old.keys()) - _NO_GENERATION
    return any(new.get(key) != old.get(key) for key in keys)


def _schema_faults(resource: Resource, new: Obj, old: Obj | None) -> list[FieldFault]:
    schema = resource.schema()
    faults: list[FieldFault] = []
    for key in schema.required:
        if key not in SERVER_FIELDS and new.get(key) is None:
            faults.append(FieldFault(key, "Required value", "FieldValueRequired"))
    for key, child in (schema.properties or {}).items():
        if key not in SERVER_FIELDS and key in new and _changed(new, old, key):
            faults += faults_of(child, new[key], key, old.get(key) if old else None)
    return faults


def _status_of(resource: Resource, new: Obj, old: Obj | None) -> Obj:
    assert resource.derive_status is not None
    if old is None:
        return resource.derive_status(new, None)
    written = new.get("status", {})
    return written if written != old.get("status") else resource.derive_status(new, old.get("status"))


def _changed(new: Obj, old: Obj | None, key: str) -> bool:
    return old is None or new[key] is not old.get(key)
