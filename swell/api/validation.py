"""Which objects of ours are valid (spec api 4), and every fault of those that are not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.api import fields, labels
from swell.api.field_errors import FieldError, disallowed, invalid_value, missing
from swell.api.front_door import front_door_faults
from swell.api.kinds import CONFIGURATION, POD_AUTOSCALER, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Obj
from swell.api.names import dns1123_label_faults
from swell.api.settings import ApiSettings
from swell.api.validation_metadata import (
    misplaced_annotation_faults,
    object_name_faults,
    owner_label_faults,
    rollout_faults,
    user_faults,
)
from swell.api.validation_template import (
    concurrency_faults,
    name_change_faults,
    revision_spec_faults,
    scaling_faults,
    template_faults,
)
from swell.api.validation_traffic import traffic_faults
from swell.api.values import diff

PROTOCOLS: Final = ("http1", "h2c")
REACHABILITIES: Final = ("", "Reachable", "Unreachable")
_REFERENCE_FIELDS: Final = frozenset({"apiVersion", "kind", "name"})


@dataclass(frozen=True, slots=True)
class Request:
    """One write: the object with its defaults, the stored one with defaults of today, what part is written."""

    kind: Kind
    obj: Obj
    settings: ApiSettings
    old: Obj | None = None
    subresource: str = ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        return fields.mapping(self.obj, "metadata")

    @property
    def spec(self) -> Obj:
        return fields.mapping(self.obj, "spec")

    @property
    def owned(self) -> bool:
        return bool(self.metadata.get("ownerReferences"))


def validate(request: Request) -> list[FieldError]:
    """Every fault, warnings among them; empty for kinds that are not ours. Raises `Malformed`."""
    check = _CHECKS.get(request.kind)
    return [] if check is None else check(request)


def _service(request: Request) -> list[FieldError]:
    errors: list[FieldError] = []
    if not request.subresource:
        # On /status neither can change; a ConfigMap may have, and must not stop the controllers.
        errors += object_name_faults(request.metadata)
        errors += misplaced_annotation_faults(request.metadata)
        errors += rollout_faults(request.metadata)
        errors += template_faults(request.spec, request.metadata, request.settings, creating=request.old is None)
        errors += traffic_faults(request.spec, within_service=True)
    if request.old is not None:
        errors += user_faults(request.old, request.obj)
        errors += name_change_faults(request.old, request.obj)
    return errors


def _configuration(request: Request) -> list[FieldError]:
    errors: list[FieldError] = []
    if not request.subresource:
        errors += object_name_faults(request.metadata)
        errors += misplaced_annotation_faults(request.metadata)
        errors += owner_label_faults(request.metadata, labels.SERVICE, "Service")
        errors += template_faults(request.spec, request.metadata, request.settings, creating=request.old is None)
    if request.old is not None:
        if not request.owned:
            errors += user_faults(request.old, request.obj)
        errors += name_change_faults(request.old, request.obj)
    return errors


def _route(request: Request) -> list[FieldError]:
    errors = object_name_faults(request.metadata)
    errors += misplaced_annotation_faults(request.metadata)
    errors += owner_label_faults(request.metadata, labels.SERVICE, "Service")
    errors += rollout_faults(request.metadata)
    errors += traffic_faults(request.spec, within_service=False)
    if request.old is not None and not request.owned:
        errors += user_faults(request.old, request.obj)
    return errors


def _revision(request: Request) -> list[FieldError]:
    """A change of the spec is the only fault told of: nothing else about it matters then."""
    if request.old is not None and (difference := diff(request.old.get("spec"), request.spec)):
        return [FieldError("Immutable fields changed (-old +new)", ("spec",), difference)]
    errors = object_name_faults(request.metadata)
    errors += scaling_faults(request.metadata, request.settings, "metadata.annotations", owned=request.owned)
    annotations = fields.strings(request.metadata, "annotations", "metadata")
    errors += front_door_faults(annotations, "metadata.annotations")
    errors += owner_label_faults(request.metadata, labels.CONFIGURATION, "Configuration")
    if request.old is None:
        errors += revision_spec_faults(request.spec, request.settings, "spec")
    return errors


def _pod_autoscaler(request: Request) -> list[FieldError]:
    spec = request.spec
    errors = object_name_faults(request.metadata)
    errors += scaling_faults(request.metadata, request.settings, "metadata.annotations", owned=request.owned)
    if not spec:
        return [*errors, missing("spec")]
    errors += _reference_faults(fields.mapping(spec, "scaleTargetRef", "spec"), "spec.scaleTargetRef")
    errors += concurrency_faults(spec, request.settings.defaults, "spec")
    protocol = fields.text(spec, "protocolType", "spec")
    if not protocol:
        errors.append(missing("spec.protocolType"))
    elif protocol not in PROTOCOLS:
        errors.append(invalid_value(protocol, "spec.protocolType"))
    reachability = fields.text(spec, "reachability", "spec")
    if reachability not in REACHABILITIES:
        errors.append(invalid_value(reachability, "spec.reachability"))
    return errors


def _reference_faults(reference: Mapping[str, Any], path: str) -> list[FieldError]:
    """A reference to an object of the same namespace: apiVersion, kind and name, and nothing else."""
    errors = [disallowed(f"{path}.{key}") for key, value in reference.items() if value and key not in _REFERENCE_FIELDS]
    errors += [missing(f"{path}.{key}") for key in sorted(_REFERENCE_FIELDS) if not fields.text(reference, key, path)]
    name = fields.text(reference, "name", path)
    if name and (faults := dns1123_label_faults(name)):
        errors.append(invalid_value(", ".join(faults), f"{path}.name"))
    return errors


_CHECKS: Final[Mapping[Kind, Callable[[Request], list[FieldError]]]] = {
    SERVICE: _service,
    CONFIGURATION: _configuration,
    REVISION: _revision,
    ROUTE: _route,
    POD_AUTOSCALER: _pod_autoscaler,
}
