"""What an object of ours gets where its writer said nothing (spec api 3). Pure: the objects given stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.api import fields, labels
from swell.api.defaults_podspec import fill_pod_spec
from swell.api.kinds import CONFIGURATION, POD_AUTOSCALER, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Obj
from swell.api.settings import ApiSettings, Defaults
from swell.api.values import clone

STOCK: Final = ApiSettings()

_METRICS: Final[Mapping[str, str]] = {
    labels.CLASS_KPA: labels.METRIC_CONCURRENCY,
    labels.CLASS_HPA: labels.METRIC_CPU,
}


@dataclass(frozen=True, slots=True)
class _Context:
    settings: ApiSettings
    old: Obj | None
    creating: bool


def apply_defaults(obj: Obj, settings: ApiSettings = STOCK, *, old: Obj | None = None, creating: bool = False) -> Obj:
    """The object with its defaults; other kinds come back as they are.

    Controllers call this with the object alone. Admission says whether it is being created, or gives the
    stored object of an update. Raises `Malformed`.
    """
    fill = _FILLERS.get((obj.get("apiVersion", ""), obj.get("kind", "")))
    return obj if fill is None else fill(obj, _Context(settings, old, creating))


def fill_traffic(targets: list[Obj]) -> list[Obj]:
    """Traffic targets with `latestRevision` and `percent` said."""
    return [_filled_target(target) for target in targets]


def _service(obj: Obj, context: _Context) -> Obj:
    spec = _template_spec(obj, context)
    targets = fields.objects(spec, "traffic", "spec") or [{"percent": 100, "latestRevision": True}]
    spec["traffic"] = fill_traffic(targets)
    return {**obj, "spec": spec}


def _configuration(obj: Obj, context: _Context) -> Obj:
    return {**obj, "spec": _template_spec(obj, context)}


def _route(obj: Obj, _: _Context) -> Obj:
    spec = fields.mapping(obj, "spec")
    targets = fields.objects(spec, "traffic", "spec")
    return {**obj, "spec": {**spec, "traffic": fill_traffic(targets)}} if targets else obj


def _revision(obj: Obj, context: _Context) -> Obj:
    """A revision never changes, so one that is stored already gets nothing new."""
    if context.old is not None:
        return obj
    spec = clone(fields.mapping(obj, "spec"))
    _fill_revision_spec(spec, context, fields.mapping(obj, "metadata"), "spec")
    return {**obj, "spec": spec}


def _pod_autoscaler(obj: Obj, context: _Context) -> Obj:
    metadata = fields.mapping(obj, "metadata")
    annotations = dict(fields.strings(metadata, "annotations", "metadata"))
    scaling_class = annotations.setdefault(labels.AUTOSCALER_CLASS, context.settings.autoscaler.pod_autoscaler_class)
    annotations.setdefault(labels.METRIC, _METRICS.get(scaling_class, ""))
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _template_spec(obj: Obj, context: _Context) -> Obj:
    """A private spec of a Service or Configuration, its template filled."""
    spec = dict(fields.mapping(obj, "spec"))
    template = fields.mapping(spec, "template", "spec")
    if _keeps_name(template, context.old):
        # The user named this revision, and it exists: a default that is new since would change it.
        return spec
    template = {**template, "spec": clone(fields.mapping(template, "spec", "spec.template"))}
    _fill_revision_spec(template["spec"], context, fields.mapping(obj, "metadata"), "spec.template.spec")
    spec["template"] = template
    return spec


def _keeps_name(template: Mapping[str, Any], old: Obj | None) -> bool:
    if old is None:
        return False
    before = fields.mapping(fields.mapping(old, "spec"), "template", "spec")
    name = _name_of(template)
    return bool(name) and name == _name_of(before)


def _name_of(template: Mapping[str, Any]) -> str:
    return fields.text(fields.mapping(template, "metadata", "spec.template"), "name", "spec.template.metadata")


def _fill_revision_spec(spec: Obj, context: _Context, parent: Mapping[str, Any], path: str) -> None:
    """In place. `parent` is the metadata that container names may refer to."""
    defaults = context.settings.defaults
    _fill_timeouts(spec, defaults, path)
    if spec.get("containerConcurrency") is None:
        spec["containerConcurrency"] = defaults.container_concurrency
    fill_pod_spec(spec, context.settings, parent, path)
    if context.creating and spec.get("enableServiceLinks") is None and defaults.enable_service_links is not None:
        spec["enableServiceLinks"] = defaults.enable_service_links
    if context.creating and spec.get("automountServiceAccountToken") is None and not defaults.automount_token:
        spec["automountServiceAccountToken"] = False


def _fill_timeouts(spec: Obj, defaults: Defaults, path: str) -> None:
    timeout_s = fields.integer(spec, "timeoutSeconds", path) or defaults.revision_timeout_s
    spec["timeoutSeconds"] = timeout_s
    for key, default_s in (
        ("idleTimeoutSeconds", defaults.revision_idle_timeout_s),
        ("responseStartTimeoutSeconds", defaults.revision_response_start_timeout_s),
    ):
        if spec.get(key) is None and default_s != 0 and default_s < timeout_s:
            spec[key] = default_s


def _filled_target(target: Obj) -> Obj:
    filled = dict(target)
    if filled.get("latestRevision") is None:
        filled["latestRevision"] = not filled.get("revisionName")
    if filled.get("percent") is None:
        filled["percent"] = 0
    return filled


def _names(kind: Kind) -> tuple[str, str]:
    return kind.api_version, kind.kind


_FILLERS: Final[Mapping[tuple[str, str], Callable[[Obj, _Context], Obj]]] = {
    _names(SERVICE): _service,
    _names(CONFIGURATION): _configuration,
    _names(REVISION): _revision,
    _names(ROUTE): _route,
    _names(POD_AUTOSCALER): _pod_autoscaler,
}
