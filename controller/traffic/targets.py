"""Traffic targets: which revision each one means, and what keeps one from being used (spec api 5.5, 6.9). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from swell.api import labels
from swell.api.conditions import READY
from swell.api.serving import Configuration, Revision, Route, is_ready
from swell.api.specs import TrafficTarget

REVISION_MISSING = "RevisionMissing"


@dataclass(frozen=True, slots=True)
class Known:
    """The Configurations and Revisions of the Route's namespace that its targets name, by name."""

    configurations: Mapping[str, Configuration] = field(default_factory=dict)
    revisions: Mapping[str, Revision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a target cannot be used; one that is not `final` may pass by itself."""

    reason: str
    message: str
    final: bool = True


def resolve(route: Route, known: Known) -> tuple[tuple[TrafficTarget, ...], Fault | None]:
    """The targets of a Route, each by revision name; and the fault that counts, if any target has one.

    Of several faults the last final one counts; one that may pass never replaces another.
    """
    found: list[TrafficTarget] = []
    worst: Fault | None = None
    for target in route.traffic:
        resolved = _resolved(target, route, known)
        if isinstance(resolved, TrafficTarget):
            found.append(resolved)
        elif worst is None or resolved.final:
            worst = resolved
    return merged(found), worst


def merged(targets: Iterable[TrafficTarget]) -> tuple[TrafficTarget, ...]:
    """The targets in their order; those of the same tag, revision and latestRevision are added up."""
    found: dict[tuple[str, str, bool | None], TrafficTarget] = {}
    for target in targets:
        key = (target.tag, target.revision_name, target.latest_revision)
        before = found.get(key)
        percent = target.percent or 0
        found[key] = (
            replace(target, percent=percent)
            if before is None
            else replace(before, percent=(before.percent or 0) + percent)
        )
    return tuple(found.values())


def _resolved(target: TrafficTarget, route: Route, known: Known) -> TrafficTarget | Fault:
    if target.configuration_name:
        return _of_configuration(target, known)
    return _of_revision(target, route, known)


def _of_configuration(target: TrafficTarget, known: Known) -> TrafficTarget | Fault:
    configuration = known.configurations.get(target.configuration_name)
    if configuration is None:
        return _not_found("Configuration", target.configuration_name)
    latest = configuration.status.latest_ready_revision_name
    if not latest:
        return _never_ready(configuration)
    revision = known.revisions.get(latest)
    if revision is None:
        return _not_found("Revision", latest)
    if not is_ready(revision):
        return _unready(revision)
    return replace(target, revision_name=latest, configuration_name="", latest_revision=True)


def _of_revision(target: TrafficTarget, route: Route, known: Known) -> TrafficTarget | Fault:
    revision = known.revisions.get(target.revision_name)
    if revision is None:
        return _not_found("Revision", target.revision_name)
    if fault := _foreign(revision, route):
        return fault
    configuration = revision.meta.labels.get(labels.CONFIGURATION, "")
    if configuration not in known.configurations:
        return _not_found("Configuration", configuration)
    if not is_ready(revision):
        return _unready(revision)
    return replace(target, latest_revision=False)


def _foreign(revision: Revision, route: Route) -> Fault | None:
    """A Service's Route sends to that Service's revisions only; a Route of its own may send anywhere."""
    mine, theirs = route.meta.labels.get(labels.SERVICE), revision.meta.labels.get(labels.SERVICE)
    if not mine or mine == theirs:
        return None
    name = revision.meta.name
    if theirs:
        return Fault("RevisionNotOwned", f'Revision "{name}" belongs to Service "{theirs}", not Service "{mine}".')
    return Fault("RevisionNotOwned", f'Revision "{name}" does not belong to Service "{mine}".')


def _never_ready(configuration: Configuration) -> Fault:
    ready, name = configuration.status.condition(READY), configuration.meta.name
    if ready is not None and ready.is_false:
        return Fault(REVISION_MISSING, f'Configuration "{name}" does not have any ready Revision.')
    message = f'Configuration "{name}" is waiting for a Revision to become ready.'
    return Fault(REVISION_MISSING, message, final=False)


def _unready(revision: Revision) -> Fault:
    ready, name = revision.status.condition(READY), revision.meta.name
    if ready is not None and ready.is_false:
        return Fault(REVISION_MISSING, f'Revision "{name}" failed to become ready.')
    return Fault(REVISION_MISSING, f'Revision "{name}" is not yet ready.', final=False)


def _not_found(kind: str, name: str) -> Fault:
    return Fault(f"{kind}Missing", f'{kind} "{name}" referenced in traffic not found.')
