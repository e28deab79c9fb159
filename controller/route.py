"""Route -> its URL, its traffic by ready revisions, and its name inside the cluster (spec api 5.5, 6.9 to 6.11).

`status.traffic` is what the front door goes by: it never names a revision that is not ready, and stays as it
is while a target cannot be used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from controller.apply import Applier
from controller.caches import Caches
from controller.ownership import is_leftover
from controller.plan import Child, Plan, begin, finish
from controller.resources.services import make_placeholder
from controller.status_rules import (
    ALL_TRAFFIC_ASSIGNED,
    CERTIFICATE_PROVISIONED,
    INGRESS_READY,
    ROUTE_RULES,
)
from controller.traffic.domains import Names
from controller.traffic.targets import Known, resolve
from swell.api import labels
from swell.api.conditions import Conditions
from swell.api.kinds import CORE_SERVICE, ROUTE
from swell.api.meta import Key, Obj, is_controlled_by
from swell.api.naming_template import TemplateError
from swell.api.serving import Configuration, Revision, Route
from swell.api.statuses import RouteStatus

_RULES = ROUTE_RULES


@dataclass(frozen=True, slots=True)
class Seen:
    """A Route, what its targets name, and the Kubernetes Service of its name. `front_door` is a DNS name."""

    route: Route
    known: Known = field(default_factory=Known)
    placeholder: Obj | None = None
    names: Names = field(default_factory=Names)
    front_door: str = "activator-local.swell-system.svc.cluster.local"


def see(key: Key, caches: Caches) -> Seen | None:
    """What the caches have; None if there is nothing to do."""
    obj = caches.routes.get(*key)
    if obj is None:
        return None
    route = Route.parse(obj)
    if route.meta.deleting:
        return None
    config = caches.config
    return Seen(
        route, known_to(route, caches), caches.core_services.get(*key), config.names, caches.settings.front_door
    )


def known_to(route: Route, caches: Caches) -> Known:
    """The Configurations and Revisions that the targets name, as far as they exist."""
    namespace = route.meta.namespace
    configurations: dict[str, Configuration] = {}
    revisions: dict[str, Revision] = {}
    for target in route.traffic:
        name, revision_name = target.configuration_name, target.revision_name
        if name and (obj := caches.configurations.get(namespace, name)):
            configurations[name] = Configuration.parse(obj)
            revision_name = configurations[name].status.latest_ready_revision_name
        if revision_name and (obj := caches.revisions.get(namespace, revision_name)):
            revision = revisions[revision_name] = Revision.parse(obj)
            owner = revision.meta.labels.get(labels.CONFIGURATION, "")
            if owner not in configurations and (obj := caches.configurations.get(namespace, owner)):
                configurations[owner] = Configuration.parse(obj)
    return Known(configurations, revisions)


def plan(seen: Seen, now_s: float) -> Plan:
    """The Kubernetes Service to have, and the status. `now_s` is unix seconds."""
    route = seen.route
    conditions = begin(_RULES, route.meta, route.status, now_s)
    message = "external-domain-tls is not enabled"
    conditions = _RULES.mark_true(conditions, CERTIFICATE_PROVISIONED, now_s, "TLSNotEnabled", message)
    hidden = _is_hidden(seen.placeholder)
    try:
        url = seen.names.url(route, hidden=hidden)
        traffic, fault = resolve(route, seen.known)
        traffic = seen.names.with_urls(route, traffic)
    except TemplateError as exc:
        conditions = _RULES.mark_false(conditions, ALL_TRAFFIC_ASSIGNED, "ErrorConfig", str(exc), now_s)
        return Plan(status=_ended(seen, route.status, conditions))
    status = replace(route.status, url=url, address_url=seen.names.address(route))
    children, conditions, error = _placeholder(seen, conditions, now_s)
    if fault is not None:
        mark = _RULES.mark_false if fault.final else _RULES.mark_unknown
        conditions = mark(conditions, ALL_TRAFFIC_ASSIGNED, fault.reason, fault.message, now_s)
        return Plan(ensure=children, status=_ended(seen, status, conditions), error=error)
    conditions = _RULES.mark_true(conditions, ALL_TRAFFIC_ASSIGNED, now_s)
    status = replace(status, traffic=traffic)
    return Plan(ensure=children, status=_ended(seen, status, conditions), error=error)


async def reconcile(key: Key, caches: Caches, applier: Applier, now_s: float) -> float | None:
    """Look at one Route, and do what is to be done."""
    seen = see(key, caches)
    obj = caches.routes.get(*key)
    if seen is None or obj is None:
        return None
    return await applier.apply(ROUTE, obj, plan(seen, now_s))


def _placeholder(seen: Seen, conditions: Conditions, now_s: float) -> tuple[tuple[Child, ...], Conditions, str]:
    """The Service to have, the conditions after it, and the error if its name is somebody else's.

    There is no ingress to wait for: the front door follows `status.traffic` itself.
    """
    route, obj = seen.route, seen.placeholder
    name = route.meta.name
    if obj is not None and is_leftover(obj, ROUTE, route.meta):
        message = "Ingress has not yet been reconciled."
        return (), _RULES.mark_unknown(conditions, INGRESS_READY, "IngressNotConfigured", message, now_s), ""
    if obj is not None and not is_controlled_by(obj, route.meta.uid):
        message = f'There is an existing placeholder Service "{name}" that we do not own.'
        conditions = _RULES.mark_false(conditions, INGRESS_READY, "NotOwned", message, now_s)
        return (), conditions, f'route: "{name}" does not own Service: "{name}"'
    child = Child(
        CORE_SERVICE, make_placeholder(route, seen.front_door, obj), obj, f'Created placeholder service "{name}"'
    )
    return (child,), _RULES.mark_true(conditions, INGRESS_READY, now_s), ""


def _is_hidden(placeholder: Obj | None) -> bool:
    """Whether somebody has labelled the Service so that the Route is for the cluster only."""
    return bool(((placeholder or {}).get("metadata", {}).get("labels") or {}).get(labels.VISIBILITY))


def _ended(seen: Seen, status: RouteStatus, conditions: Conditions) -> RouteStatus:
    return finish(seen.route.status, status, conditions, seen.route.meta)
