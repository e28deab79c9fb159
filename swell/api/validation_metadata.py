"""Faults of an object's own metadata: names, annotations in the wrong place, who wrote it (spec api 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from swell.api import fields, labels
from swell.api.field_errors import FieldError, invalid_key, invalid_value, missing
from swell.api.front_door import misplaced_faults
from swell.api.names import dns1035_faults, dns1035_prefix_faults
from swell.api.numbers import duration_ns
from swell.api.values import same

SECOND_NS: Final = 1_000_000_000


def object_name_faults(metadata: Mapping[str, Any]) -> list[FieldError]:
    """The first fault of name or generateName."""
    name = fields.text(metadata, "name", "metadata")
    prefix = fields.text(metadata, "generateName", "metadata")
    if prefix and (faults := dns1035_prefix_faults(prefix)):
        return [FieldError(f"not a DNS 1035 label prefix: {listed(faults)}", ("metadata.generateName",))]
    if name and (faults := dns1035_faults(name)):
        return [FieldError(f"not a DNS 1035 label: {listed(faults)}", ("metadata.name",))]
    if not name and not prefix:
        return [FieldError("name or generateName is required", ("metadata.name",))]
    return []


def listed(faults: list[str]) -> str:
    """Several reasons as the reference shows them: in brackets, a space between."""
    return f"[{' '.join(faults)}]"


def misplaced_annotation_faults(metadata: Mapping[str, Any]) -> list[FieldError]:
    """Annotations of a revision outside the template, where they would do nothing."""
    hint = 'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'
    annotations = fields.strings(metadata, "annotations", "metadata")
    autoscaling = [
        invalid_key(key, "metadata.annotations", hint)
        for key in annotations
        if key.startswith(labels.AUTOSCALING_GROUP) or key in labels.SCALING_KEYS
    ]
    return autoscaling + misplaced_faults(annotations, "metadata.annotations")


def rollout_faults(metadata: Mapping[str, Any]) -> list[FieldError]:
    annotations = fields.strings(metadata, "annotations", "metadata")
    keys = (labels.ROLLOUT_DURATION, labels.ROLLOUT_DURATION_ALIAS)
    return list(duration_faults(annotations, keys, "rollout-duration", "metadata.annotations"))


def duration_faults(
    annotations: Mapping[str, str], keys: tuple[str, ...], title: str, path: str
) -> Iterator[FieldError]:
    """Faults of a duration in whole seconds under the first of `keys` that is present."""
    key = next((key for key in keys if key in annotations), None)
    text = annotations[key] if key else ""
    if key is None or not text:
        return
    ns = duration_ns(text)
    at = f"{path}.{key}"
    if ns is None:
        yield invalid_value(text, at)
    elif ns % SECOND_NS:
        yield FieldError(f"{title}={text} is not at second precision", (at,))
    elif ns < 0:
        yield FieldError(f"{title}={text} must be positive", (at,))


def owner_label_faults(metadata: Mapping[str, Any], label: str, owner_kind: str) -> list[FieldError]:
    """The label promises an owner of that kind and name; it must be among the owner references."""
    value = fields.strings(metadata, "labels", "metadata").get(label)
    if value is None:
        return []
    owners = fields.objects(metadata, "ownerReferences", "metadata")
    owned = any(owner.get("kind") == owner_kind and owner.get("name") == value for owner in owners)
    return [] if owned else [missing(f"metadata.labels.{label}")]


def user_faults(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[FieldError]:
    """The creator never changes; the last modifier only with the spec."""
    before, after = _annotations(old), _annotations(new)
    errors = []
    if before.get(labels.CREATOR, "") != after.get(labels.CREATOR, ""):
        errors.append(FieldError("annotation value is immutable", (f"metadata.annotations.{labels.CREATOR}",)))
    modifier = after.get(labels.LAST_MODIFIER, "")
    if modifier != before.get(labels.LAST_MODIFIER, "") and same(old.get("spec"), new.get("spec")):
        errors.append(invalid_value(modifier, f"metadata.annotations.{labels.LAST_MODIFIER}"))
    return errors


def _annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    return fields.strings(fields.mapping(obj, "metadata"), "annotations", "metadata")
