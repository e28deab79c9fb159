"""Who owns whom, over all kinds of the cluster, and whom a change concerns. Decides and writes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from swell.api.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from swell.api.meta import Key, Obj, key_of
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.informer import Informer
from swell.local.workloads.kinds import BUILT_IN, kind_of_definition
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"
_OWNER: Final = "owner"
_WAITING: Final = "waiting"

Reconcile = Callable[[Kind, Key], Awaitable[None]]


class Graph:
    """Follows every kind that owns or is owned, those of definitions too as they come and go.

    `reconcile(kind, key)` is called for an object whose owner seems to be gone, and for one that is being
    deleted and waits for what it owns. `on_gone` hears of each object that is deleted.
    """

    def __init__(self, kube: KubeClient, clock: Clock, reconcile: Reconcile, on_gone: Callable[[Obj], object]) -> None:
        self._kube = kube
        self._clock = clock
        self._reconcile = reconcile
        self._on_gone = on_gone
        self._daemons = Daemons()
        self._tracked: dict[Kind, _Tracked] = {}
        # Also kinds that are gone: so are their objects then.
        self._references: dict[tuple[str, str], Kind] = {}
        self._uids: set[str] = set()
        self._synced = False
        self._definitions = Informer(kube, CUSTOM_RESOURCE_DEFINITION, clock=clock)
        self._definitions.add_handler(self._definition_changed)

    @property
    def kinds(self) -> list[Kind]:
        """All kinds that are followed."""
        return list(self._tracked)

    async def start(self) -> None:
        """Returns once the built-in kinds were looked at; what was left over from before is being worked on then."""
        for kind in BUILT_IN:
            await self._track(kind).informer.start()
        await self._definitions.start()
        self._synced = True
        for tracked in self._tracked.values():
            for obj in tracked.informer.items():
                self._look(tracked, obj)

    async def close(self) -> None:
        await self._daemons.close()
        await self._definitions.close()
        for tracked in tuple(self._tracked.values()):
            await tracked.informer.close()

    def get(self, kind: Kind, key: Key) -> Obj | None:
        tracked = self._tracked.get(kind)
        return None if tracked is None else tracked.informer.get(*key)

    def dependents(self, uid: str) -> list[tuple[Kind, Obj]]:
        """The objects that name `uid` as an owner."""
        return [
            (tracked.kind, obj) for tracked in self._tracked.values() for obj in tracked.informer.indexed(_OWNER, uid)
        ]

    def kind_of(self, reference: Obj) -> Kind | None:
        """The kind of an owner reference, whatever version it was written in; None if it was never served."""
        return self._references.get((reference["apiVersion"].rpartition("/")[0], reference["kind"]))

    def _definition_changed(self, old: Obj | None, new: Obj | None) -> None:
        definition = new if new is not None else old
        kind = kind_of_definition(definition) if definition is not None else None
        if kind is None:
            return
        if new is None:
            self._daemons.spawn(self._untrack(kind), f"forget {kind}")
        elif self._references.get((kind.group, kind.kind)) not in self._tracked:
            self._daemons.spawn(self._track(kind).informer.start(), f"follow {kind}")

    def _track(self, kind: Kind) -> _Tracked:
        self._references[kind.group, kind.kind] = kind
        tracked = self._tracked[kind] = _Tracked(self._kube, kind, self._clock, self._reconcile)
        tracked.informer.add_handler(lambda old, new: self._changed(tracked, old, new))
        self._daemons.spawn(tracked.controller.run(), tracked.controller.name)
        return tracked

    async def _untrack(self, kind: Kind) -> None:
        """The kind is served no more; its objects went before it."""
        tracked = self._tracked.pop(kind, None)
        if tracked is not None:
            await tracked.informer.close()

    def _changed(self, tracked: _Tracked, old: Obj | None, new: Obj | None) -> None:
        if new is not None:
            self._uids.add(new["metadata"]["uid"])
            if self._synced:
                self._look(tracked, new)
        elif old is not None:
            self._gone(old)

    def _gone(self, obj: Obj) -> None:
        self._uids.discard(obj["metadata"]["uid"])
        for kind, dependent in self.dependents(obj["metadata"]["uid"]):
            self._tracked[kind].controller.enqueue(key_of(dependent))
        for reference in owners_of(obj):
            self._enqueue_waiting(reference["uid"])
        self._on_gone(obj)

    def _enqueue_waiting(self, uid: str) -> None:
        """An owner that waits for its dependents to go may have waited for the one that went."""
        for tracked in self._tracked.values():
            for owner in tracked.informer.indexed(_WAITING, uid):
                tracked.controller.enqueue(key_of(owner))

    def _look(self, tracked: _Tracked, obj: Obj) -> None:
        """Cheap: called at every change. Whether an owner is really gone is looked up later."""
        concerned = _waits(obj) if "deletionTimestamp" in obj["metadata"] else self._seems_abandoned(obj)
        if concerned:
            tracked.controller.enqueue(key_of(obj))

    def _seems_abandoned(self, obj: Obj) -> bool:
        return any(reference["uid"] not in self._uids for reference in owners_of(obj))


class _Tracked:
    """One kind: its cache and the queue of its objects to look at."""

    def __init__(self, kube: KubeClient, kind: Kind, clock: Clock, reconcile: Reconcile) -> None:
        self.kind = kind
        self.informer = Informer(kube, kind, clock=clock)
        self.informer.add_index(_OWNER, _owner_uids)
        self.informer.add_index(_WAITING, _waiting_uid)
        self.controller = Controller(f"garbage of {kind}", lambda key: reconcile(kind, key), clock=clock, workers=1)


def owners_of(obj: Obj) -> list[Obj]:
    """Its owner references."""
    owners: list[Obj] = obj["metadata"].get("ownerReferences") or []
    return owners


def _owner_uids(obj: Obj) -> Iterator[str]:
    return (reference["uid"] for reference in owners_of(obj))


def _waiting_uid(obj: Obj) -> Iterable[str]:
    return (obj["metadata"]["uid"],) if _waits(obj) else ()


def _waits(obj: Obj) -> bool:
    """Whether the object is kept by what it owns."""
    meta = obj["metadata"]
    return "deletionTimestamp" in meta and not {ORPHAN, FOREGROUND}.isdisjoint(meta.get("finalizers") or ())
