"""The Serving objects that others stamp out: Configuration, Route and Revision (spec api 6.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from controller.resources.meta import metadata, owner, without
from swell.api import labels
from swell.api.kinds import CONFIGURATION, REVISION, ROUTE, SERVICE
from swell.api.meta import Obj, rfc3339
from swell.api.names import child_name
from swell.api.serving import Configuration, Service
from swell.api.specs import TrafficTarget

# What a Service without traffic asks for; admission writes it down, so this is for objects that passed none.
_ALL_TO_LATEST: Final = (TrafficTarget(latest_revision=True, percent=100),)


def make_configuration(service: Service, routes: str = "") -> Obj:
    """The Configuration of a Service. `routes`: what its annotation of that name says already."""
    meta = service.meta
    own = {**meta.labels, labels.SERVICE: meta.name, labels.SERVICE_UID: meta.uid}
    notes = without(
        meta.annotations, labels.KUBECTL_LAST_APPLIED, labels.ROLLOUT_DURATION, labels.ROLLOUT_DURATION_ALIAS
    )
    notes[labels.ROUTES] = ",".join(sorted({*split_routes(routes), meta.name}))
    return {
        "apiVersion": CONFIGURATION.api_version,
        "kind": CONFIGURATION.kind,
        "metadata": metadata(meta.name, meta.namespace, own, notes, owner(SERVICE, meta)),
        "spec": {"template": service.template.to_obj()},
    }


def make_route(service: Service) -> Obj:
    """The Route of a Service: its traffic, with "the latest" spelt as the Service's Configuration."""
    meta = service.meta
    own = {**meta.labels, labels.SERVICE: meta.name}
    notes = without(meta.annotations, labels.KUBECTL_LAST_APPLIED)
    targets = [
        target if target.revision_name else replace(target, configuration_name=meta.name)
        for target in service.traffic or _ALL_TO_LATEST
    ]
    return {
        "apiVersion": ROUTE.api_version,
        "kind": ROUTE.kind,
        "metadata": metadata(meta.name, meta.namespace, own, notes, owner(SERVICE, meta)),
        "spec": {"traffic": [target.to_obj() for target in targets]},
    }


def revision_name(configuration: Configuration) -> str:
    """The name of the revision for the Configuration's present generation."""
    wanted = configuration.template.name
    return wanted or child_name(configuration.meta.name, f"-{configuration.meta.generation:05d}")


def make_revision(configuration: Configuration, now_s: float) -> Obj:
    """The Revision of the Configuration's present generation. `now_s` is unix seconds."""
    meta = configuration.meta
    routes = meta.annotations.get(labels.ROUTES, "")
    own = {
        **configuration.template.labels,
        labels.CONFIGURATION: meta.name,
        labels.CONFIGURATION_GENERATION: str(meta.generation),
        labels.CONFIGURATION_UID: meta.uid,
        **_present(meta.labels, labels.SERVICE, labels.SERVICE_UID),
        labels.ROUTING_STATE: labels.ROUTING_ACTIVE if routes else labels.ROUTING_PENDING,
    }
    notes = {**configuration.template.annotations, labels.ROUTING_STATE_MODIFIED: rfc3339(now_s)}
    if creator := meta.annotations.get(labels.LAST_MODIFIER):
        notes[labels.CREATOR] = creator
    if routes:
        notes[labels.ROUTES] = routes
    return {
        "apiVersion": REVISION.api_version,
        "kind": REVISION.kind,
        "metadata": metadata(revision_name(configuration), meta.namespace, own, notes, owner(CONFIGURATION, meta)),
        "spec": configuration.template.spec.to_obj(),
    }


def split_routes(text: str) -> list[str]:
    """The names in a `routes` annotation."""
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _present(values: Mapping[str, str], *keys: str) -> dict[str, str]:
    return {key: values[key] for key in keys if key in values}
