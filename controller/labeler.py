"""Which Routes use a revision: marked on Revisions and Configurations themselves (spec api 6.7).

Routes have no finalizer for this: what a deleted Route has left is found by the annotation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.apply import Applier
from controller.caches import Caches
from controller.plan import NOTHING, Patch, Plan
from controller.resources.serving import split_routes
from swell.api import labels
from swell.api.kinds import CONFIGURATION, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Key, ObjectMeta, controller_of, rfc3339
from swell.api.serving import Configuration, Revision, Route, is_failed, is_ready


@dataclass(frozen=True, slots=True)
class Seen:
    """A Route by name, itself if it is still there, and all that it uses or is marked as used by it.

    `coming`: it is not there, and its Service makes it in this moment.
    """

    name: str
    route: Route | None
    revisions: tuple[Revision, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    coming: bool = False


def see(key: Key, caches: Caches) -> Seen:
    """What the caches have."""
    obj = caches.routes.get(*key)
    route = Route.parse(obj) if obj is not None else None
    if route is not None and route.meta.deleting:
        route = None
    revisions = {each.meta.name: each for each in caches.revisions_marked(key)}
    configurations = {each.meta.name: each for each in caches.configurations_marked(key)}
    for target in (*route.traffic, *route.status.traffic) if route is not None else ():
        for kind, name in ((CONFIGURATION, target.configuration_name), (REVISION, target.revision_name)):
            _add(kind, name, key.namespace, caches, revisions, configurations)
    for revision in list(revisions.values()):
        owner = revision.meta.labels.get(labels.CONFIGURATION, "")
        _add(CONFIGURATION, owner, key.namespace, caches, revisions, configurations)
    for configuration in list(configurations.values()):
        latest = configuration.status.latest_created_revision_name
        _add(REVISION, latest, key.namespace, caches, revisions, configurations)
    staying = (each for each in configurations.values() if not _is_going(each, caches))
    coming = route is None and caches.services.get(*key) is not None
    return Seen(key.name, route, tuple(revisions.values()), tuple(staying), coming)


def plan(seen: Seen, now_s: float) -> Plan:
    """Marks to set and to clear. They are cleared only when the Route has settled, or is gone."""
    used_revisions, used_configurations = _used(seen)
    patches: list[Patch] = []
    # A Configuration is marked when its Service makes it, and may be seen before its Route.
    settled = not seen.coming if seen.route is None else is_ready(seen.route) or is_failed(seen.route)
    for configuration in seen.configurations:
        used = configuration.meta.name in used_configurations
        if used or settled:
            patches += _marked(CONFIGURATION, configuration.meta, seen.name, used, now_s)
    owners = {configuration.meta.name for configuration in seen.configurations if not configuration.meta.deleting}
    for revision in seen.revisions:
        used = revision.meta.name in used_revisions
        if not used and revision.meta.labels.get(labels.CONFIGURATION, "") not in owners:
            continue  # its Configuration is going, and takes it along
        if used or (settled and revision.meta.labels.get(labels.ROUTING_STATE) == labels.ROUTING_ACTIVE):
            patches += _marked(REVISION, revision.meta, seen.name, used, now_s)
    return Plan(patches=tuple(patches)) if patches else NOTHING


async def reconcile(key: Key, caches: Caches, applier: Applier, now_s: float) -> float | None:
    """Look at one Route, and do what is to be done."""
    wanted = plan(see(key, caches), now_s)
    if wanted is NOTHING:
        return None
    gone = {"apiVersion": ROUTE.api_version, "kind": ROUTE.kind, "metadata": key._asdict()}
    return await applier.apply(ROUTE, caches.routes.get(*key) or gone, wanted)


def _used(seen: Seen) -> tuple[set[str], set[str]]:
    """The names of the Revisions and of the Configurations that the Route uses, or is about to."""
    if seen.route is None:
        return set(), set()
    targets = (*seen.route.traffic, *seen.route.status.traffic)
    revisions = {target.revision_name for target in targets if target.revision_name}
    owners = {
        revision.meta.labels.get(labels.CONFIGURATION, "")
        for revision in seen.revisions
        if revision.meta.name in revisions
    }
    configurations = {target.configuration_name for target in targets if target.configuration_name}
    latest = {
        configuration.status.latest_created_revision_name
        for configuration in seen.configurations
        if configuration.meta.name in configurations
    }
    return revisions | latest, configurations | owners


def _marked(kind: Kind, meta: ObjectMeta, route: str, used: bool, now_s: float) -> Iterator[Patch]:
    """The patch that adds the Route's name or takes it away; none where it is so already."""
    if meta.deleting:
        return
    before = split_routes(meta.annotations.get(labels.ROUTES, ""))
    names = sorted({*before, route} if used else {*before} - {route})
    annotations: dict[str, str | None] = {}
    if names != before:
        annotations[labels.ROUTES] = ",".join(names) or None
    changed: dict[str, str | None] = {}
    if kind is REVISION:
        state = labels.ROUTING_ACTIVE if names else labels.ROUTING_RESERVE
        if meta.labels.get(labels.ROUTING_STATE) != state:
            changed[labels.ROUTING_STATE] = state
            annotations[labels.ROUTING_STATE_MODIFIED] = rfc3339(now_s)
    if annotations or changed:
        # Another Route may be adding itself at the same moment: neither must lose the other's name.
        yield Patch(kind, meta.namespace, meta.name, changed, annotations, version=meta.resource_version)


def _is_going(configuration: Configuration, caches: Caches) -> bool:
    """Whether its Service is deleted already, so that whatever is written here is for nothing."""
    owner = controller_of({"metadata": {"ownerReferences": configuration.meta.owner_references}})
    if owner is None or owner["kind"] != SERVICE.kind:
        return configuration.meta.deleting
    return caches.services.get(configuration.meta.namespace, owner["name"]) is None


def _add(
    kind: Kind,
    name: str,
    namespace: str,
    caches: Caches,
    revisions: dict[str, Revision],
    configurations: dict[str, Configuration],
) -> None:
    """Put the object of that name among the others, if it exists."""
    if not name:
        return
    if kind is REVISION and name not in revisions and (obj := caches.revisions.get(namespace, name)):
        revisions[name] = Revision.parse(obj)
    if kind is CONFIGURATION and name not in configurations and (obj := caches.configurations.get(namespace, name)):
        configurations[name] = Configuration.parse(obj)
