"""Make objects what they should be, writing only what differs. Knows no particular kind."""

from __future__ import annotations

from typing import Any, Final

from swell.api.kinds import Kind
from swell.api.meta import Obj, key_of
from swell.kube.client import KubeClient
from swell.kube.errors import Conflict, NotFound

ATTEMPTS_MAX: Final = 5
_NOT_COMPARED: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_METADATA_COMPARED: Final = ("labels", "annotations")


async def ensure(kube: KubeClient, kind: Kind, wanted: Obj, seen: Obj | None) -> Obj:
    """Have the object that `wanted` describes; returns it as it is then.

    `seen` is what a cache has under that name. Created when None; else labels, annotations and all that is
    outside of metadata and status are made to match. Fields that `wanted` does not name stay as they are, None
    in `wanted` means absent. A second call writes nothing. Raises `AlreadyExists` or `Conflict` when `seen`
    is not what is there: look again.
    """
    if seen is None:
        return await kube.create(kind, wanted)
    patch = difference(wanted, seen)
    if not patch:
        return seen
    # An object of that name made anew meanwhile is not the one that was looked at.
    patch.setdefault("metadata", {})["uid"] = seen["metadata"]["uid"]
    namespace, name = key_of(seen)
    try:
        return await kube.patch(kind, namespace, name, patch)
    except NotFound as exc:
        # What `wanted` takes away makes no sense in a new object: the next look makes a clean one.
        raise Conflict(409, "Conflict", f"{kind} {namespace}/{name} was deleted meanwhile: look again") from exc


def difference(wanted: Obj, seen: Obj) -> Obj:
    """The JSON merge patch that gives `seen` what `wanted` names; {} if it has all of it."""
    body = {key: value for key, value in wanted.items() if key not in _NOT_COMPARED}
    patch = _map_patch(body, seen)
    meta = wanted.get("metadata") or {}
    named = {key: meta[key] for key in _METADATA_COMPARED if meta.get(key)}
    meta_patch = _map_patch(named, seen["metadata"])
    return {**patch, "metadata": meta_patch} if meta_patch else patch


async def write_status(kube: KubeClient, kind: Kind, seen: Obj, status: Obj) -> Obj:
    """Make `status` the object's status; returns the object as it is then. Writes nothing if it is so already.

    When somebody else wrote the object meanwhile, tries again on what is there. Raises `Conflict` when it is
    another object of that name by now; one that is gone needs no status.
    """
    live = seen
    for _ in range(ATTEMPTS_MAX):
        if live.get("status") == status:
            return live
        try:
            return await kube.update(kind, {**live, "status": status}, subresource="status")
        except NotFound:
            return live
        except Conflict as exc:
            clash = exc
        namespace, name = key_of(seen)
        try:
            live = await kube.get(kind, namespace, name)
        except NotFound:
            return live
        if live["metadata"]["uid"] != seen["metadata"]["uid"]:
            raise clash
    raise clash


def _map_patch(wanted: Obj, seen: Obj) -> Obj:
    patch: Obj = {}
    for key, value in wanted.items():
        found = seen.get(key)
        if _holds(value, found):
            continue
        patch[key] = _map_patch(value, found) if isinstance(value, dict) and isinstance(found, dict) else value
    return patch


def _holds(wanted: Any, found: Any) -> bool:
    """Whether `found` has all that `wanted` names; the server may have filled in more, and drops what is empty."""
    if found is None:
        return not wanted
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_holds(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_holds, wanted, found))
    return bool(wanted == found)
