"""Faults of a revision template: its name, its annotations, its numbers (spec api 4.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from swell.api import fields, labels
from swell.api.annotation_rules import validate_annotations
from swell.api.extra_metrics import metric_faults
from swell.api.field_errors import FieldError, disallowed, invalid_key, invalid_value, join, out_of_bounds
from swell.api.front_door import front_door_faults
from swell.api.meta import Obj
from swell.api.names import dns1035_faults, dns1035_prefix_faults
from swell.api.numbers import float64, is_quantity, show_float
from swell.api.policies import policy_faults
from swell.api.schedule import schedule_faults
from swell.api.settings import ApiSettings, Defaults
from swell.api.validation_metadata import duration_faults, listed
from swell.api.validation_podspec import pod_spec_faults
from swell.api.values import diff

PERCENTAGE_MIN: Final = 0.1
PERCENTAGE_MAX: Final = 100.0
RESOURCE_PERCENTAGE: Final = f"{labels.QUEUE_SIDECAR_GROUP}/resource-percentage"
SIDECAR_RESOURCES: Final = tuple(
    f"{labels.QUEUE_SIDECAR_GROUP}/{resource}-resource-{side}"
    for resource in ("cpu", "memory", "ephemeral-storage")
    for side in ("request", "limit")
)

_NETWORKING_KEYS: Final = frozenset(
    f"{labels.NETWORKING_GROUP}/{name}"
    for name in (
        *("ingress.class", "ingress-class", "certificate.class", "certificate-class"),
        *("disableAutoTLS", "disable-auto-tls", "disable-external-domain-tls", "httpOption", "http-protocol"),
    )
)
_PROGRESS_KEYS: Final = (labels.PROGRESS_DEADLINE, labels.PROGRESS_DEADLINE_ALIAS)


def template_faults(spec: Obj, parent: Mapping[str, Any], settings: ApiSettings, *, creating: bool) -> list[FieldError]:
    """Every fault of `spec.template`; `parent` is the metadata of the object that has it."""
    template = fields.mapping(spec, "template", "spec")
    metadata = fields.mapping(template, "metadata", "spec.template")
    path = "spec.template.metadata.annotations"
    errors = revision_spec_faults(fields.mapping(template, "spec", "spec.template"), settings, "spec.template.spec")
    errors += scaling_faults(metadata, settings, path, owned=bool(parent.get("ownerReferences")))
    errors += _name_faults(metadata, parent, creating)
    annotations = fields.strings(metadata, "annotations", "spec.template.metadata")
    errors += _sidecar_faults(annotations, path)
    errors += front_door_faults(annotations, path)
    errors += duration_faults(annotations, _PROGRESS_KEYS, "progress-deadline", path)
    errors += [
        invalid_key(key, path)
        for key in annotations
        if key.startswith(labels.NETWORKING_GROUP) and key not in _NETWORKING_KEYS
    ]
    return errors


def revision_spec_faults(spec: Obj, settings: ApiSettings, path: str) -> list[FieldError]:
    """Every fault of what a revision runs."""
    errors = pod_spec_faults(spec, settings, path)
    timeout_s = fields.integer(spec, "timeoutSeconds", path)
    most_s = settings.defaults.max_revision_timeout_s
    if timeout_s and not 0 <= timeout_s <= most_s:
        errors.append(out_of_bounds(timeout_s, 0, most_s, f"{path}.timeoutSeconds"))
    return errors + concurrency_faults(spec, settings.defaults, path)


def concurrency_faults(spec: Obj, defaults: Defaults, path: str) -> list[FieldError]:
    value = fields.integer(spec, "containerConcurrency", path)
    least = 0 if defaults.allow_container_concurrency_zero else 1
    if value is None or least <= value <= defaults.container_concurrency_max:
        return []
    return [out_of_bounds(value, least, defaults.container_concurrency_max, f"{path}.containerConcurrency")]


def scaling_faults(
    metadata: Mapping[str, Any], settings: ApiSettings, path: str, *, owned: bool = False
) -> list[FieldError]:
    """Every fault of the annotations about scaling.

    `owned`: a controller wrote the object, for one whose hosts of metrics were allowed, and policy loaded, when it was
    written. They may not be any more, which must not stop the controllers; the autoscaler asks none of them then.
    """
    annotations = fields.strings(metadata, "annotations", path.rpartition(".")[0])
    limits = settings.autoscaler
    errors = validate_annotations(annotations, limits, path)
    errors += schedule_faults(annotations, path, limits.pod_autoscaler_class)
    errors += [] if owned else policy_faults(annotations, path, limits.policies)
    hosts = None if owned else limits.metrics_allowed_hosts
    return errors + metric_faults(annotations, path, limits.pod_autoscaler_class, hosts)


def name_change_faults(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[FieldError]:
    """A template whose revision the user named cannot change without a new name."""
    before, after = _template_of(old), _template_of(new)
    name = after.get("metadata", {}).get("name")
    if not name or name != before.get("metadata", {}).get("name"):
        return []
    difference = diff(before, after)
    if not difference:
        return []
    message = "Saw the following changes without a name change (-old +new)"
    return [FieldError(message, ("spec.template.metadata.name",), difference)]


def _template_of(obj: Mapping[str, Any]) -> Obj:
    return fields.mapping(fields.mapping(obj, "spec"), "template", "spec")


def _name_faults(metadata: Mapping[str, Any], parent: Mapping[str, Any], creating: bool) -> Iterator[FieldError]:
    path = "spec.template.metadata"
    name = fields.text(metadata, "name", path)
    prefix = fields.text(metadata, "generateName", path)
    if prefix and (faults := dns1035_prefix_faults(prefix)):
        yield invalid_value(f"not a DNS 1035 label prefix: {listed(faults)}", f"{path}.generateName")
        return
    if not name:
        return
    if faults := dns1035_faults(name):
        yield invalid_value(f"not a DNS 1035 label: {listed(faults)}", f"{path}.name")
        return
    wanted = f"{parent.get('name', '')}-"
    if parent.get("generateName") and (not parent.get("name") or (creating and not name.startswith(wanted))):
        # Whose name the server makes up cannot know its revision's: no name could be right.
        yield disallowed(f"{path}.name")
    elif not name.startswith(wanted):
        yield invalid_value(f'"{name}" must have prefix "{wanted}"', f"{path}.name")


def _sidecar_faults(annotations: Mapping[str, str], path: str) -> Iterator[FieldError]:
    """Resources of the queue-proxy."""
    text = annotations.get(RESOURCE_PERCENTAGE)
    if text is not None:
        at = join(path, f"[{RESOURCE_PERCENTAGE}]")
        hint = "use the annotations for each resource instead"
        yield FieldError(f"{RESOURCE_PERCENTAGE} is deprecated: {hint}", (at,), warning=True)
        value = float64(text)
        if value is None:
            yield invalid_value(text, at)
        elif not PERCENTAGE_MIN <= value <= PERCENTAGE_MAX:
            yield out_of_bounds(show_float(value), PERCENTAGE_MIN, 100, at)
    for key in SIDECAR_RESOURCES:
        text = annotations.get(key)
        if text is not None and not is_quantity(text):
            yield invalid_value(text, join(path, f"[{key}]"))
