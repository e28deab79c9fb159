"""Service -> Configuration and Route, and what becomes of their statuses (spec api 5.2, 6.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.apply import Applier
from controller.caches import Caches
from controller.ownership import adopts, is_leftover
from controller.plan import Child, Plan, begin, finish
from controller.resources.meta import exactly
from controller.resources.serving import make_configuration, make_route
from controller.status_rules import CONFIGURATIONS_READY, ROUTES_READY, SERVICE_RULES
from controller.traffic.targets import merged
from swell.api import labels
from swell.api.conditions import Condition, Conditions
from swell.api.kinds import CONFIGURATION, ROUTE, SERVICE
from swell.api.meta import Key, Obj, is_controlled_by
from swell.api.serving import Configuration, Revision, Route, Service
from swell.api.specs import TrafficTarget
from swell.api.statuses import ServiceStatus

OUT_OF_DATE = "OutOfDate"
_SAYS_NOTHING = Condition("Ready")


@dataclass(frozen=True, slots=True)
class Seen:
    """A Service, and the objects of its name; `named_revision` is what has the name that its template asks for."""

    service: Service
    configuration: Obj | None = None
    route: Obj | None = None
    named_revision: Revision | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A plan in the making."""

    conditions: Conditions
    status: ServiceStatus
    children: tuple[Child, ...] = ()
    error: str = ""
    done: bool = False


def see(key: Key, caches: Caches) -> Seen | None:
    """What the caches have; None if there is nothing to do."""
    obj = caches.services.get(*key)
    if obj is None:
        return None
    service = Service.parse(obj)
    if service.meta.deleting:
        return None
    named = caches.revisions.get(key.namespace, service.template.name) if service.template.name else None
    return Seen(
        service,
        caches.configurations.get(*key),
        caches.routes.get(*key),
        Revision.parse(named) if named else None,
    )


def plan(seen: Seen, now_s: float) -> Plan:
    """Children to have, and the status that follows from theirs. `now_s` is unix seconds."""
    service = seen.service
    draft = _Draft(begin(SERVICE_RULES, service.meta, service.status, now_s), service.status)
    for step in (_configuration, _named_revision, _route, _cause_first):
        if not draft.done:
            draft = step(seen, draft, now_s)
    status = finish(service.status, draft.status, draft.conditions, service.meta)
    return Plan(ensure=draft.children, status=status, error=draft.error)


async def reconcile(key: Key, caches: Caches, applier: Applier, now_s: float) -> float | None:
    """Look at one Service, and do what is to be done."""
    seen = see(key, caches)
    obj = caches.services.get(*key)
    if seen is None or obj is None:
        return None
    return await applier.apply(SERVICE, obj, plan(seen, now_s))


def _configuration(seen: Seen, draft: _Draft, now_s: float) -> _Draft:
    service, obj = seen.service, seen.configuration
    name = service.meta.name
    if obj is not None and is_leftover(obj, SERVICE, service.meta):
        return replace(_out_of_date(draft, CONFIGURATIONS_READY, now_s), done=True)
    if obj is not None and not is_controlled_by(obj, service.meta.uid):
        return _not_owned(draft, CONFIGURATIONS_READY, "Configuration", name, now_s)
    routes = ((obj or {}).get("metadata", {}).get("annotations") or {}).get(labels.ROUTES, "")
    wanted = exactly(make_configuration(service, routes), obj)
    child = Child(CONFIGURATION, wanted, obj, f'Created Configuration "{name}"')
    draft = replace(draft, children=(*draft.children, child))
    configuration = None if obj is None or child.changes_spec else Configuration.parse(obj)
    if configuration is None or configuration.status.observed_generation != configuration.meta.generation:
        # A named revision must have been refused or accepted before traffic may ask for it.
        return replace(_out_of_date(draft, CONFIGURATIONS_READY, now_s), done=bool(service.template.name))
    status = replace(
        draft.status,
        latest_created_revision_name=configuration.status.latest_created_revision_name,
        latest_ready_revision_name=configuration.status.latest_ready_revision_name,
    )
    ready = configuration.status.condition("Ready")
    return replace(draft, status=status, conditions=_copied(draft.conditions, CONFIGURATIONS_READY, ready, now_s))


def _named_revision(seen: Seen, draft: _Draft, now_s: float) -> _Draft:
    name, revision = seen.service.template.name, seen.named_revision
    if not name or revision is None or seen.configuration is None:
        return draft
    if adopts(Configuration.parse(seen.configuration), revision):
        return draft
    message = f'The revision name "{name}" is taken by a conflicting Revision, so traffic will not be migrated'
    conditions = SERVICE_RULES.mark_false(draft.conditions, ROUTES_READY, "RevisionNameTaken", message, now_s)
    return replace(draft, conditions=conditions, done=True)


def _route(seen: Seen, draft: _Draft, now_s: float) -> _Draft:
    service, obj = seen.service, seen.route
    name = service.meta.name
    if obj is not None and is_leftover(obj, SERVICE, service.meta):
        return _out_of_date(draft, ROUTES_READY, now_s)
    if obj is not None and not is_controlled_by(obj, service.meta.uid):
        return _not_owned(draft, ROUTES_READY, "Route", name, now_s)
    child = Child(ROUTE, exactly(make_route(service), obj), obj, f'Created Route "{name}"')
    draft = replace(draft, children=(*draft.children, child))
    route = None if obj is None or child.changes_spec else Route.parse(obj)
    if route is None or route.status.observed_generation != route.meta.generation:
        return _out_of_date(draft, ROUTES_READY, now_s)
    status = replace(
        draft.status, url=route.status.url, address_url=route.status.address_url, traffic=route.status.traffic
    )
    ready = route.status.condition("Ready")
    conditions = _copied(draft.conditions, ROUTES_READY, ready, now_s)
    if ready is not None and ready.is_true and not _migrated(route, status):
        message = "Traffic is not yet migrated to the latest revision."
        conditions = SERVICE_RULES.mark_unknown(conditions, ROUTES_READY, "TrafficNotMigrated", message, now_s)
    return replace(draft, status=status, conditions=conditions)


def _cause_first(seen: Seen, draft: _Draft, now_s: float) -> _Draft:
    """While all is Unknown, Ready tells why the revision does not start, not that the Route waits for it."""
    cause = next(condition for condition in draft.conditions if condition.type == CONFIGURATIONS_READY)
    if not cause.is_unknown or not cause.message or cause.reason == OUT_OF_DATE:
        return draft
    conditions = SERVICE_RULES.mark_unknown(draft.conditions, CONFIGURATIONS_READY, cause.reason, cause.message, now_s)
    return replace(draft, conditions=conditions)


def _migrated(route: Route, status: ServiceStatus) -> bool:
    """Whether the traffic that is, is the traffic that was asked for; URLs and latestRevision do not count."""
    latest = status.latest_ready_revision_name
    asked = merged(
        replace(target, revision_name=latest, configuration_name="", latest_revision=True)
        if target.configuration_name
        else replace(target, latest_revision=False)
        for target in route.traffic
    )
    return [_essence(target) for target in asked] == [_essence(target) for target in route.status.traffic]


def _essence(target: TrafficTarget) -> tuple[str, str, int]:
    return target.tag, target.revision_name, target.percent or 0


def _copied(conditions: Conditions, type: str, ready: Condition | None, now_s: float) -> Conditions:
    """The child's Ready as our condition of that type."""
    ready = ready or _SAYS_NOTHING
    if ready.is_true:
        return SERVICE_RULES.mark_true(conditions, type, now_s)
    mark = SERVICE_RULES.mark_false if ready.is_false else SERVICE_RULES.mark_unknown
    return mark(conditions, type, ready.reason, ready.message, now_s)


def _out_of_date(draft: _Draft, type: str, now_s: float) -> _Draft:
    kind = "Configuration" if type == CONFIGURATIONS_READY else "Route"
    message = f"The {kind} is still working to reflect the latest desired specification."
    return replace(draft, conditions=SERVICE_RULES.mark_unknown(draft.conditions, type, OUT_OF_DATE, message, now_s))


def _not_owned(draft: _Draft, type: str, kind: str, name: str, now_s: float) -> _Draft:
    message = f'There is an existing {kind} "{name}" that we do not own.'
    conditions = SERVICE_RULES.mark_false(draft.conditions, type, "NotOwned", message, now_s)
    return replace(draft, conditions=conditions, done=True, error=f'Service: "{name}" does not own {kind}: "{name}"')
