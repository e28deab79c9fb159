"""Create and replace: from what a client sends to what is stored, by the same steps for every kind.

All of it is synchronous: when a write returns it is committed, and its event is on the way to watchers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import orjson

from swell.api.kinds import NAMESPACE
from swell.api.meta import Obj, rfc3339
from swell.kube.errors import AlreadyExists
from swell.local.apiserver import scale
from swell.local.apiserver.conform import body_changed, conform, drop_unknown
from swell.local.apiserver.failures import already_exists, bad_request, forbidden, invalid, not_found
from swell.local.apiserver.hub import Change, Hub
from swell.local.apiserver.metadata import (
    carry_over,
    generate_name,
    require_current,
    sent_metadata,
    stamp_new,
)
from swell.local.apiserver.registry import Registry
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.schema import faults_of
from swell.local.apiserver.store import Store
from swell.runtime.clock import Clock

Validation = Literal["Ignore", "Warn", "Strict"]
NAME_ATTEMPTS_MAX: Final = 8


class Admit(Protocol):
    """Defaulting and validation of some kinds; returns the object to store.

    `obj` may be changed; what `warn` is told reaches the writer. Raises `swell.api.admission.Denied`; the message
    reaches the client as it is.
    """

    def __call__(
        self,
        obj: Obj,
        *,
        old: Obj | None,
        operation: str,
        user: str,
        subresource: str,
        warn: Callable[[str], None],
    ) -> Obj: ...


def no_warnings(_: str) -> None:
    """For callers whose unknown fields are dropped in silence."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who writes, and how: `validation` says what becomes of unknown fields.

    `managed` are the managedFields to store; None leaves them as they are.
    """

    user: str = "system:admin"
    dry_run: bool = False
    validation: Validation = "Ignore"
    warn: Callable[[str], None] = no_warnings
    managed: list[Obj] | None = None


SYSTEM: Final = Caller(user="system:apiserver")
"""The server itself."""


class Writes:
    """The write path over a store and the hub that tells watchers."""

    def __init__(self, store: Store, hub: Hub, registry: Registry, clock: Clock, admit: Admit) -> None:
        self._store = store
        self._hub = hub
        self._registry = registry
        self._clock = clock
        self._admit = admit
        self.on_commit: Callable[[Resource, Change], None] = lambda _resource, _change: None

    def create(self, resource: Resource, namespace: str, sent: Obj, caller: Caller) -> Obj:
        """Raises `AlreadyExists`, `NotFound` (no such namespace), `Forbidden` (it is terminating), `Invalid`."""
        obj = self._private(resource, sent)
        meta = obj["metadata"]
        self._place(resource, namespace, meta)
        if meta.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if meta.get("name") or not meta.get("generateName"):
            return self._create_named(resource, obj, caller)
        for _ in range(NAME_ATTEMPTS_MAX):
            attempt = {**obj, "metadata": {**meta, "name": generate_name(meta["generateName"])}}
            try:
                return self._create_named(resource, attempt, caller)
            except AlreadyExists as exc:
                clash = exc
        raise clash

    def replace(self, resource: Resource, old: Obj, sent: Obj, caller: Caller, subresource: str = "") -> Obj:
        """Write `sent` over `old`; with a subresource only its part. Writes nothing where nothing changes.

        What `sent` shares with `old` may be shared still. Raises `Conflict`, `Invalid`.
        """
        if subresource == "scale":
            return self._replace_scale(resource, old, sent, caller)
        require_current(resource, old["metadata"], sent_metadata(sent))
        new = self._merged_part(resource, old, sent, subresource)
        carry_over(old["metadata"], new["metadata"])
        _set_managed(new["metadata"], caller)
        self._check(resource, new, old, caller)
        new = self._admitted(new, old, caller, subresource)
        self._count_generation(resource, new, old)
        if _same(new, old):
            return old
        if caller.dry_run:
            return {**new, "metadata": {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}}
        if is_finished(resource, new):
            return self.remove(resource, old, new)
        return self.commit(resource, old, new)

    def commit(self, resource: Resource, old: Obj | None, new: Obj) -> Obj:
        stored = self._store.put(resource.storage, new)
        self._publish(resource, Change(self._store.version, old, stored))
        return stored

    def remove(self, resource: Resource, old: Obj, last: Obj) -> Obj:
        """Delete for good; watchers see `last`."""
        meta = old["metadata"]
        gone = self._store.remove(resource.storage, meta.get("namespace", ""), meta["name"])
        gone = {**last, "metadata": {**last["metadata"], "resourceVersion": gone["metadata"]["resourceVersion"]}}
        self._publish(resource, Change(self._store.version, old, gone, removed=True))
        return gone

    def _publish(self, resource: Resource, change: Change) -> None:
        self._hub.publish(resource.storage, change)
        self.on_commit(resource, change)

    def _create_named(self, resource: Resource, obj: Obj, caller: Caller) -> Obj:
        meta = obj["metadata"]
        stamp_new(meta, rfc3339(self._clock.wall()), counts_generations=resource.counts_generations)
        _set_managed(meta, caller)
        self._check(resource, obj, None, caller)
        obj = self._admitted(obj, None, caller, "")
        if self._store.get(resource.storage, meta.get("namespace", ""), meta["name"]) is not None:
            raise already_exists(resource.kind, meta["name"])
        return obj if caller.dry_run else self.commit(resource, None, obj)

    def _private(self, resource: Resource, sent: Any) -> Obj:
        """A copy that is ours to change, of the right kind, with metadata."""
        obj = orjson.loads(orjson.dumps(sent))
        if not isinstance(obj, dict):
            raise bad_request(f"the body is no object: want a {resource.kind.kind}")
        for key, wanted in (("apiVersion", resource.kind.api_version), ("kind", resource.kind.kind)):
            found = obj.setdefault(key, wanted)
            if found != wanted:
                raise bad_request(f"the {key} in the data ({found}) does not match the expected {key} ({wanted})")
        self._metadata_of(resource, obj)
        return obj

    def _metadata_of(self, resource: Resource, obj: Obj) -> None:
        meta = obj["metadata"] = sent_metadata(obj)
        faults = faults_of(self._registry.types.schema("ObjectMeta"), meta, "metadata")
        if faults:
            raise invalid(resource.kind, str(meta.get("name", "")), faults)

    def _place(self, resource: Resource, namespace: str, meta: Obj) -> None:
        """Check the namespace of a new object, and that it takes new objects."""
        if not resource.kind.namespaced:
            if meta.pop("namespace", ""):
                raise bad_request(f"namespace is not allowed on {resource.kind}, which are cluster-wide")
            return
        if meta.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        home = self._store.get(str(NAMESPACE), "", namespace)
        if home is None:
            raise not_found(NAMESPACE, namespace)
        if home["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource.kind, meta.get("name") or meta.get("generateName", ""), why)

    def _merged_part(self, resource: Resource, old: Obj, sent: Obj, subresource: str) -> Obj:
        """A new object: what `sent` may change, from it; the rest, from `old`. Changed parts are copies."""
        if subresource == "status":
            taken = {"status": sent["status"]} if "status" in sent else {}
            kept = {key: value for key, value in old.items() if key != "status"}
        elif subresource == "finalize":
            kept, taken = old, {"spec": sent.get("spec", {})}
        else:
            kept = {key: old[key] for key in ("apiVersion", "kind")}
            taken = {key: value for key, value in sent.items() if key not in kept}
            for subresource, part in (("status", "status"), ("finalize", "spec")):
                if resource.has(subresource):
                    taken.pop(part, None)
                    kept |= {part: old[part]} if part in old else {}
        new = {**kept, **{key: _own(value, old.get(key)) for key, value in taken.items()}}
        self._metadata_of(resource, new)
        new["metadata"] = dict(new["metadata"])
        return new

    def _check(self, resource: Resource, new: Obj, old: Obj | None, caller: Caller) -> None:
        """Prune, default and validate in place, whatever differs from `old`."""
        unknown = drop_unknown(resource, new, old, self._registry.types.schema("ObjectMeta"))
        if unknown and caller.validation != "Ignore":
            _complain(resource, unknown, caller)
        conform(resource, new, old)

    def _admitted(self, new: Obj, old: Obj | None, caller: Caller, subresource: str) -> Obj:
        operation = "CREATE" if old is None else "UPDATE"
        return self._admit(
            new,
            old=old,
            operation=operation,
            user=caller.user,
            subresource=subresource,
            warn=caller.warn,
        )

    def _count_generation(self, resource: Resource, new: Obj, old: Obj) -> None:
        if resource.counts_generations and body_changed(new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1

    def _replace_scale(self, resource: Resource, old: Obj, sent: Obj, caller: Caller) -> Obj:
        require_current(resource, old["metadata"], sent_metadata(sent))
        written = self.replace(resource, old, scale.scaled(resource, old, sent), caller)
        return scale.scale_of(resource, written)


def is_finished(resource: Resource, obj: Obj) -> bool:
    """Whether an object that is being deleted has nothing left that keeps it."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if resource.kind == NAMESPACE:
        return not obj.get("spec", {}).get("finalizers")
    return int(meta.get("deletionGracePeriodSeconds", 0)) == 0


def _set_managed(meta: Obj, caller: Caller) -> None:
    if caller.managed is not None:
        meta["managedFields"] = caller.managed


def _own(value: Any, old: Any) -> Any:
    """A copy that is ours to change; what has not changed, down to the second level, is `old`'s own."""
    if value == old and old is not None:
        return old
    if isinstance(value, dict) and isinstance(old, dict):
        return {key: _own_leaf(each, old.get(key)) for key, each in value.items()}
    return orjson.loads(orjson.dumps(value))


def _own_leaf(value: Any, old: Any) -> Any:
    return old if value == old and old is not None else orjson.loads(orjson.dumps(value))


def _same(new: Obj, old: Obj) -> bool:
    stored = {key: value for key, value in old["metadata"].items() if key != "resourceVersion"}
    keys = (new.keys() | old.keys()) - {"metadata"}
    return bool(new["metadata"] == stored) and all(new.get(key) == old.get(key) for key in keys)


def _complain(resource: Resource, unknown: list[str], caller: Caller) -> None:
    texts = [f'unknown field "{path}"' for path in sorted(unknown)]
    if caller.validation == "Warn":
        for text in texts:
            caller.warn(text)
        return
    kind = resource.kind
    raise bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
        f"strict decoding error: {', '.join(texts)}"
    )
