"""Object metadata: keys, owners, timestamps. Knows nothing of particular kinds."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from swell.api import fields

Obj = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON. Shared objects are never changed in place."""

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


class Key(NamedTuple):
    """What names an object among those of its kind; prints as `namespace/name`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: Mapping[str, Any]) -> Key:
    """The key of an object; the namespace is "" for a cluster-wide one."""
    meta = obj["metadata"]
    return Key(meta.get("namespace", ""), meta["name"])


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> Obj:
    """The entry for `metadata.ownerReferences` of a child of `owner`.

    `owner` needs `apiVersion`, `kind`, `metadata.name` and `metadata.uid`.
    """
    meta = owner["metadata"]
    reference: Obj = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    if controller:
        reference |= {"controller": True, "blockOwnerDeletion": True}
    return reference


def controller_of(obj: Mapping[str, Any]) -> Obj | None:
    """The owner reference of the object's controller, or None if nobody controls it."""
    for reference in obj.get("metadata", {}).get("ownerReferences") or ():
        if reference.get("controller"):
            found: Obj = reference
            return found
    return None


def condition_of(obj: Mapping[str, Any], type_: str = "Ready") -> Obj:
    """A condition of the object's status as it is written there; {} if there is none of that type."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type_:
            found: Obj = condition
            return found
    return {}


def is_ready(obj: Mapping[str, Any]) -> bool:
    """Whether Ready is written as True, and was judged at the object's present generation."""
    current = (obj.get("status") or {}).get("observedGeneration") == obj["metadata"].get("generation")
    return current and condition_of(obj).get("status") == "True"


def is_controlled_by(obj: Mapping[str, Any], uid: str) -> bool:
    """Whether the object's controller has this uid."""
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """The part of `metadata` that Swell reads. Timestamps are RFC 3339 text, "" when absent."""

    name: str = ""
    namespace: str = ""
    generate_name: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner_references: tuple[Obj, ...] = ()
    finalizers: tuple[str, ...] = ()
    creation_timestamp: str = ""
    deletion_timestamp: str = ""

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    @property
    def deleting(self) -> bool:
        return bool(self.deletion_timestamp)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """The metadata of a whole object. Raises `Malformed`."""
        meta = fields.mapping(obj, "metadata")
        path = "metadata"
        return cls(
            name=fields.text(meta, "name", path),
            namespace=fields.text(meta, "namespace", path),
            generate_name=fields.text(meta, "generateName", path),
            uid=fields.text(meta, "uid", path),
            generation=fields.integer(meta, "generation", path) or 0,
            resource_version=fields.text(meta, "resourceVersion", path),
            labels=fields.strings(meta, "labels", path),
            annotations=fields.strings(meta, "annotations", path),
            owner_references=tuple(fields.objects(meta, "ownerReferences", path)),
            finalizers=tuple(fields.array(meta, "finalizers", path)),
            creation_timestamp=fields.text(meta, "creationTimestamp", path),
            deletion_timestamp=fields.text(meta, "deletionTimestamp", path),
        )

    def to_obj(self) -> Obj:
        """As JSON, without what is empty."""
        found: Obj = {
            "name": self.name,
            "generateName": self.generate_name,
            "namespace": self.namespace,
            "uid": self.uid,
            "generation": self.generation,
            "resourceVersion": self.resource_version,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "ownerReferences": [dict(reference) for reference in self.owner_references],
            "finalizers": list(self.finalizers),
            "creationTimestamp": self.creation_timestamp,
            "deletionTimestamp": self.deletion_timestamp,
        }
        return {key: value for key, value in found.items() if value}


def rfc3339(unix_s: float) -> str:
    """A timestamp as Kubernetes writes it: whole seconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_s))


def parse_rfc3339(text: str) -> float:
    """Unix seconds of an RFC 3339 timestamp, with any offset or fraction. Raises ValueError."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 timestamp, such as 2026-08-21T09:30:00Z")
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    seconds = calendar.timegm((year, month, day, hour, minute, second)) + float(match[7] or 0)
    if match[8]:
        offset = int(match[9]) * 3600 + int(match[10]) * 60
        seconds += -offset if match[8] == "+" else offset
    return seconds
