"""What the controller knows of the cluster: informers with the indexes that reconcilers look things up by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from controller.configmaps import Config, ConfigMaps
from controller.resources.serving import split_routes
from controller.settings import Settings
from swell.api import labels
from swell.api.kinds import (
    CONFIG_MAP,
    CONFIGURATION,
    CORE_SERVICE,
    DEPLOYMENT,
    POD,
    POD_AUTOSCALER,
    REVISION,
    ROUTE,
    SERVICE,
    Kind,
)
from swell.api.meta import Key, Obj, is_controlled_by
from swell.api.serving import Configuration, Revision
from swell.kube.client import KubeClient
from swell.kube.informer import Handler, Informer
from swell.runtime.clock import Clock

_BY_CONFIGURATION = "configuration"
_BY_REVISION = "revision"
_BY_ROUTE = "route"
_BY_TEMPLATE = "template"
_BY_TARGET = "target"


class Caches:
    """Every kind that is read; objects that it hands out are shared and never changed."""

    def __init__(self, kube: KubeClient, settings: Settings, clock: Clock) -> None:
        def informer(kind: Kind, **selection: str) -> Informer:
            return Informer(kube, kind, clock=clock, **selection)  # type: ignore[arg-type]

        self.settings = settings
        self.services = informer(SERVICE)
        self.configurations = informer(CONFIGURATION)
        self.revisions = informer(REVISION)
        self.routes = informer(ROUTE)
        self.podautoscalers = informer(POD_AUTOSCALER)
        # Of these, others' too: a name that is somebody else's must be seen.
        self.deployments = informer(DEPLOYMENT)
        self.core_services = informer(CORE_SERVICE)
        self.pods = informer(POD, label_selector=labels.REVISION)
        self._config_informer = informer(CONFIG_MAP, namespace=settings.system_namespace)
        self._config_maps = ConfigMaps(settings.system_namespace, settings.cluster_domain, lambda: self.on_config())
        self._config_informer.add_handler(self._config_maps.seen)
        self.on_config: Callable[[], None] = lambda: None
        """Called when the cluster's settings have changed."""
        self._index()

    @property
    def config(self) -> Config:
        """The cluster's settings as they are now."""
        return self._config_maps.config

    def on_config_map(self, handler: Handler) -> None:
        """Have `handler(old, new)` called for the ConfigMaps of the system namespace. Before `start`."""
        self._config_informer.add_handler(handler)

    async def start(self) -> None:
        """Returns once all is in the caches; settings come first, so that nothing is made by the stock ones."""
        await self._config_informer.start()
        await asyncio.gather(*(informer.start() for informer in self._objects()))

    async def close(self) -> None:
        await asyncio.gather(*(informer.close() for informer in (self._config_informer, *self._objects())))

    def revisions_of(self, configuration: Configuration) -> tuple[Revision, ...]:
        """The Revisions that carry the Configuration's label, and are its own: not those of a predecessor."""
        found = self.revisions.indexed(_BY_CONFIGURATION, str(configuration.meta.key))
        return tuple(Revision.parse(obj) for obj in found if is_controlled_by(obj, configuration.meta.uid))

    def revisions_marked(self, route: Key) -> tuple[Revision, ...]:
        """The Revisions that are marked as used by the Route."""
        return tuple(Revision.parse(obj) for obj in self.revisions.indexed(_BY_ROUTE, str(route)))

    def configurations_marked(self, route: Key) -> tuple[Configuration, ...]:
        """The Configurations that are marked as used by the Route."""
        return tuple(Configuration.parse(obj) for obj in self.configurations.indexed(_BY_ROUTE, str(route)))

    def configurations_wanting(self, revision: Key) -> list[Obj]:
        """The Configurations whose template asks for a Revision of this name."""
        return self.configurations.indexed(_BY_TEMPLATE, str(revision))

    def routes_to(self, kind: Kind, key: Key) -> list[Obj]:
        """The Routes with a target of that kind and name."""
        return self.routes.indexed(_BY_TARGET, f"{kind.kind} {key}")

    def pods_of(self, revision: Key) -> tuple[Obj, ...]:
        return tuple(self.pods.indexed(_BY_REVISION, str(revision)))

    def _objects(self) -> tuple[Informer, ...]:
        return (
            self.services,
            self.configurations,
            self.revisions,
            self.routes,
            self.podautoscalers,
            self.deployments,
            self.core_services,
            self.pods,
        )

    def _index(self) -> None:
        self.revisions.add_index(_BY_CONFIGURATION, lambda obj: _labelled(obj, labels.CONFIGURATION))
        self.pods.add_index(_BY_REVISION, lambda obj: _labelled(obj, labels.REVISION))
        self.revisions.add_index(_BY_ROUTE, _marks)
        self.configurations.add_index(_BY_ROUTE, _marks)
        self.configurations.add_index(_BY_TEMPLATE, _template_name)
        self.routes.add_index(_BY_TARGET, _targets)


def _labelled(obj: Obj, key: str) -> Iterable[str]:
    """The key of the object in the same namespace that the label names."""
    meta = obj["metadata"]
    name = (meta.get("labels") or {}).get(key)
    return (str(Key(meta["namespace"], name)),) if name else ()


def _marks(obj: Obj) -> Iterable[str]:
    return [str(key) for key in marked_routes(obj)]


def marked_routes(obj: Obj) -> Iterable[Key]:
    """The Routes that the object is marked as used by."""
    meta = obj["metadata"]
    names = split_routes((meta.get("annotations") or {}).get(labels.ROUTES, ""))
    return [Key(meta["namespace"], name) for name in names]


def _template_name(obj: Obj) -> Iterable[str]:
    name = ((obj.get("spec") or {}).get("template", {}).get("metadata") or {}).get("name")
    return (str(Key(obj["metadata"]["namespace"], name)),) if name else ()


def _targets(obj: Obj) -> Iterable[str]:
    namespace = obj["metadata"]["namespace"]
    found = set()
    for target in (obj.get("spec") or {}).get("traffic") or ():
        for kind, field in ((CONFIGURATION, "configurationName"), (REVISION, "revisionName")):
            if name := target.get(field):
                found.add(f"{kind.kind} {Key(namespace, name)}")
    return found
