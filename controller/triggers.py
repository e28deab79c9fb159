"""Which change of which object makes which reconciler look again. Knows keys, not what reconcilers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from controller import trouble
from controller.caches import Caches, marked_routes
from swell.api import labels
from swell.api.kinds import CONFIGURATION, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Key, Obj, condition_of, controller_of, key_of

Changed = Callable[[Obj | None, Obj | None], None]


class Queue(Protocol):
    """Where keys are put: a `swell.kube.controller.Controller`."""

    def enqueue(self, key: Key) -> None: ...
    def enqueue_soon(self, key: Key) -> None: ...


SERVICES: Final = "service"
CONFIGURATIONS: Final = "configuration"
REVISIONS: Final = "revision"
ROUTES: Final = "route"
LABELER: Final = "labeler"
GC: Final = "gc"


def connect(caches: Caches, queues: Mapping[str, Queue]) -> None:
    """Have every change lead to the reconcilers that it may matter to."""
    links = _Links(caches, queues)
    caches.services.add_handler(links.itself(SERVICES))
    caches.configurations.add_handler(links.configuration)
    caches.revisions.add_handler(links.revision)
    caches.routes.add_handler(links.route)
    caches.deployments.add_handler(links.child(REVISIONS, REVISION))
    caches.podautoscalers.add_handler(links.podautoscaler)
    caches.core_services.add_handler(links.owner(ROUTES, ROUTE))
    caches.pods.add_handler(links.pod)
    caches.on_config = links.config


class _Links:
    def __init__(self, caches: Caches, queues: Mapping[str, Queue]) -> None:
        self._caches = caches
        self._queues = queues

    def itself(self, queue: str) -> Changed:
        """The object's own key."""
        return lambda old, new: self._queues[queue].enqueue(key_of(_either(old, new)))

    def owner(self, queue: str, kind: Kind) -> Changed:
        """The key of the object's controller, if that is of `kind`."""

        def changed(old: Obj | None, new: Obj | None) -> None:
            self._owner(queue, kind, _either(old, new))

        return changed

    def child(self, queue: str, kind: Kind) -> Changed:
        """As `owner`, for objects whose numbers change often; only one that comes or goes needs an answer at once."""

        def changed(old: Obj | None, new: Obj | None) -> None:
            self._owner(queue, kind, _either(old, new), soon=old is not None and new is not None)

        return changed

    def podautoscaler(self, old: Obj | None, new: Obj | None) -> None:
        """As `child`, but whoever waits for a start waits for nothing more."""
        soon = (
            old is not None and new is not None and condition_of(old).get("status") == condition_of(new).get("status")
        )
        self._owner(REVISIONS, REVISION, _either(old, new), soon=soon)

    def configuration(self, old: Obj | None, new: Obj | None) -> None:
        obj = _either(old, new)
        key = key_of(obj)
        self._queues[CONFIGURATIONS].enqueue(key)
        self._queues[GC].enqueue(key)
        routes = self._caches.routes_to(CONFIGURATION, key)
        # Where traffic moves its Route follows, and with that the Service's status is another once more.
        moves = old is not None and new is not None and _latest_ready(old) != _latest_ready(new)
        self._owner(SERVICES, SERVICE, obj, soon=moves and bool(routes))
        for route in routes:
            self._queues[ROUTES].enqueue(key_of(route))
            self._queues[LABELER].enqueue(key_of(route))

    def revision(self, old: Obj | None, new: Obj | None) -> None:
        obj = _either(old, new)
        key = key_of(obj)
        self._queues[REVISIONS].enqueue(key)
        if old is None:
            for route in marked_routes(obj):
                self._queues[LABELER].enqueue(route)
        # Replica counts change often, and matter to nobody above.
        if old is None or new is None or _essence(old) != _essence(new):
            self._revision_users(key, obj)

    def route(self, old: Obj | None, new: Obj | None) -> None:
        obj = _either(old, new)
        self._queues[ROUTES].enqueue(key_of(obj))
        self._queues[LABELER].enqueue(key_of(obj))
        self._owner(SERVICES, SERVICE, obj)

    def pod(self, old: Obj | None, new: Obj | None) -> None:
        """A pod that has a fault, or lost one; the rest is told by the Deployment."""
        if trouble.summary(old) != trouble.summary(new):
            meta = _either(old, new)["metadata"]
            self._queues[REVISIONS].enqueue(Key(meta["namespace"], meta["labels"][labels.REVISION]))

    def config(self) -> None:
        """Settings have changed: everything may look different."""
        for queue, informer in (
            (REVISIONS, self._caches.revisions),
            (ROUTES, self._caches.routes),
            (GC, self._caches.configurations),
        ):
            for obj in informer.items():
                self._queues[queue].enqueue(key_of(obj))

    def _revision_users(self, key: Key, obj: Obj) -> None:
        configuration = Key(key.namespace, (obj["metadata"].get("labels") or {}).get(labels.CONFIGURATION, ""))
        self._queues[CONFIGURATIONS].enqueue(configuration)
        self._queues[GC].enqueue(configuration)
        for wanting in self._caches.configurations_wanting(key):
            self._queues[CONFIGURATIONS].enqueue(key_of(wanting))
            self._owner(SERVICES, SERVICE, wanting)
        for route in (
            *self._caches.routes_to(REVISION, key),
            *self._caches.routes_to(CONFIGURATION, configuration),
        ):
            self._queues[ROUTES].enqueue(key_of(route))

    def _owner(self, queue: str, kind: Kind, obj: Obj, *, soon: bool = False) -> None:
        owner = controller_of(obj)
        if owner is not None and owner["kind"] == kind.kind and owner["apiVersion"] == kind.api_version:
            found = self._queues[queue]
            (found.enqueue_soon if soon else found.enqueue)(Key(obj["metadata"]["namespace"], owner["name"]))


def _either(old: Obj | None, new: Obj | None) -> Obj:
    obj = new if new is not None else old
    assert obj is not None
    return obj


def _essence(revision: Obj) -> Any:
    """What Configurations and Routes go by: labels, annotations, generation and Ready."""
    meta, status = revision["metadata"], revision.get("status") or {}
    return (
        meta.get("labels"),
        meta.get("annotations"),
        meta.get("generation"),
        meta.get("deletionTimestamp"),
        status.get("observedGeneration"),
        condition_of(revision),
    )


def _latest_ready(configuration: Obj) -> str | None:
    return (configuration.get("status") or {}).get("latestReadyRevisionName")
