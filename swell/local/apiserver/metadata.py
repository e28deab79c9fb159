"""`metadata` as the server keeps it: what it owns, what a client may write, what is legal."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from swell.api.meta import Obj
from swell.api.names import dns1123_subdomain_faults
from swell.local.apiserver.failures import FieldFault, bad_request, conflict, modified
from swell.local.apiserver.resource import Resource

# Without vowels and look-alikes, so that no words come out: the reference's alphabet.
SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_CHARACTERS: Final = 5
GENERATED_BASE_CHARACTERS_MAX: Final = 63 - SUFFIX_CHARACTERS
ANNOTATIONS_BYTES_MAX: Final = 256 * 1024

_SERVER_OWNED: Final = (
    "uid",
    "name",
    "namespace",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
)
_NEVER_STORED: Final = ("selfLink", "resourceVersion")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NAME_REASON: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    " (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_REASON: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def generate_name(base: str) -> str:
    """`base` with five random characters."""
    suffix = "".join(random.choices(SUFFIX_ALPHABET, k=SUFFIX_CHARACTERS))
    return base[:GENERATED_BASE_CHARACTERS_MAX] + suffix


def stamp_new(meta: Obj, now: str, *, counts_generations: bool) -> None:
    """Give a new object's metadata what the server owns, in place; `now` is RFC 3339."""
    for key in (*_SERVER_OWNED, *_NEVER_STORED):
        if key not in ("name", "namespace"):
            meta.pop(key, None)
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = now
    if counts_generations:
        meta["generation"] = 1


def carry_over(old: Mapping[str, Any], new: Obj) -> None:
    """Set, in place, what a client cannot change."""
    for key in _SERVER_OWNED:
        if key in old:
            new[key] = old[key]
        else:
            new.pop(key, None)
    for key in _NEVER_STORED:
        new.pop(key, None)


def sent_metadata(obj: Mapping[str, Any]) -> Obj:
    """The metadata of an object as a client sent it, {} where there is none; raises `Invalid` for anything else."""
    meta = obj.get("metadata")
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise bad_request(f"metadata: want an object, found {type(meta).__name__}")
    return meta


def require_current(resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise `Conflict` unless the version and uid that the client names, if it does, are the stored ones."""
    name = old["name"]
    if new.get("uid", old["uid"]) != old["uid"]:
        raise _wrong_uid(resource, name, new["uid"], old["uid"])
    if new.get("resourceVersion", old["resourceVersion"]) not in ("", old["resourceVersion"]):
        raise modified(resource.kind, name)


def require_preconditions(resource: Resource, meta: Mapping[str, Any], uid: str | None, version: str | None) -> None:
    """Raise `Conflict` unless the object is the one that the caller means to delete."""
    if uid is not None and uid != meta["uid"]:
        raise _wrong_uid(resource, meta["name"], uid, meta["uid"])
    if version is not None and version != meta["resourceVersion"]:
        found = meta["resourceVersion"]
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record"
            f" ({found}). The object might have been modified"
        )
        raise conflict(resource.kind, meta["name"], why)


def _wrong_uid(resource: Resource, name: str, asked: str, found: str) -> Exception:
    why = f"Precondition failed: UID in precondition: {asked}, UID in object meta: {found}"
    return conflict(resource.kind, name, why)


def metadata_faults(resource: Resource, meta: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldFault]:
    """Illegal names, labels, annotations and finalizers."""
    found: list[FieldFault] = []
    if old is None:
        found += _own_name_faults(resource, meta)
    if old is None or meta.get("labels") != old.get("labels"):
        found += _label_faults(meta.get("labels") or {})
    if old is None or meta.get("annotations") != old.get("annotations"):
        found += _annotation_faults(meta.get("annotations") or {})
    if old is not None and old.get("deletionTimestamp"):
        found += _late_finalizer_faults(meta, old)
    return found


def _own_name_faults(resource: Resource, meta: Mapping[str, Any]) -> Iterator[FieldFault]:
    name = meta.get("name", "")
    if not name:
        yield FieldFault("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
        return
    for text in (resource.name_faults or dns1123_subdomain_faults)(name):
        yield FieldFault("metadata.name", f'Invalid value: "{name}": {text}')


def _label_faults(labels: Mapping[str, str]) -> Iterator[FieldFault]:
    for key, value in labels.items():
        yield from _key_faults("metadata.labels", key)
        if len(value) > 63:
            yield FieldFault("metadata.labels", f'Invalid value: "{value}": must be no more than 63 characters')
        elif value and not _NAME.fullmatch(value):
            yield FieldFault("metadata.labels", f'Invalid value: "{value}": {_VALUE_REASON}')


def _annotation_faults(annotations: Mapping[str, str]) -> Iterator[FieldFault]:
    for key in annotations:
        yield from _key_faults("metadata.annotations", key.lower())
    if sum(len(key) + len(value) for key, value in annotations.items()) > ANNOTATIONS_BYTES_MAX:
        message = f"Too long: may not be more than {ANNOTATIONS_BYTES_MAX} bytes"
        yield FieldFault("metadata.annotations", message)


def _key_faults(path: str, key: str) -> Iterator[FieldFault]:
    prefix, slash, name = key.rpartition("/")
    if slash and dns1123_subdomain_faults(prefix):
        yield FieldFault(path, f'Invalid value: "{key}": prefix part {dns1123_subdomain_faults(prefix)[0]}')
    elif not name:
        yield FieldFault(path, f'Invalid value: "{key}": name part must be non-empty')
    elif len(name) > 63:
        yield FieldFault(path, f'Invalid value: "{key}": name part must be no more than 63 characters')
    elif not _NAME.fullmatch(name):
        yield FieldFault(path, f'Invalid value: "{key}": name part {_NAME_REASON}')


def _late_finalizer_faults(meta: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[FieldFault]:
    late = [each for each in meta.get("finalizers") or () if each not in (old.get("finalizers") or ())]
    if late:
        message = (
            "Forbidden: no new finalizers can be added if the object is being deleted, "
            f"found new finalizers {', '.join(late)}"
        )
        yield FieldFault("metadata.finalizers", message, "FieldValueForbidden")
