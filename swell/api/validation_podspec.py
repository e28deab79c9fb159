"""Faults of a revision's pod spec: the fields that are allowed, containers, ports, security (spec api 1.5, 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from swell.api import fields
from swell.api.field_errors import FieldError, invalid_value, missing, out_of_bounds
from swell.api.masks import disallowed_fields, pod_mask, pod_security_mask
from swell.api.meta import Obj
from swell.api.names import dns1123_subdomain_faults
from swell.api.numbers import INT32_MAX
from swell.api.settings import ApiSettings, Features, SecurePodDefaults
from swell.api.validation_containers import Place, container_faults, init_container_faults
from swell.api.validation_volumes import volume_faults

_POD_USERS: Final = ("runAsUser", "runAsGroup", "fsGroup")


def pod_spec_faults(spec: Obj, settings: ApiSettings, path: str) -> list[FieldError]:
    """Every fault, warnings about insecure defaults among them. `spec` has its defaults."""
    features = settings.features
    containers = fields.objects(spec, "containers", path)
    init_containers = fields.objects(spec, "initContainers", path)
    place = Place(features, tuple(fields.objects(spec, "volumes", path)))
    errors = disallowed_fields(spec, pod_mask(spec, features, settings.defaults), path)
    errors += _pod_security_faults(spec, features, path)
    errors += volume_faults(place.volumes, [*init_containers, *containers], features, path)
    errors += _init_container_faults(init_containers, containers, place, path)
    errors += _port_count_faults(containers, path)
    errors += _containers_faults(containers, place, path)
    errors += _account_faults(spec, path)
    if features.secure_pod_defaults is SecurePodDefaults.DISABLED:
        errors += _insecure(spec, containers, path)
    return errors


def _containers_faults(containers: list[Obj], place: Place, path: str) -> Iterator[FieldError]:
    if not containers:
        yield missing(f"{path}.containers")
    if len(containers) > 1 and not place.features.enabled("multi-container"):
        yield FieldError(f"multi-container is off, but found {len(containers)} containers")
        return
    names: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}.containers[{index}]"
        yield from _name_clash(container, names, at)
        serves = len(containers) == 1 or bool(container.get("ports"))
        yield from container_faults(container, place, at, serves=serves)


def _init_container_faults(
    init_containers: list[Obj], containers: list[Obj], place: Place, path: str
) -> Iterator[FieldError]:
    if not init_containers:
        return
    if not place.features.enabled("kubernetes.podspec-init-containers"):
        count = len(init_containers)
        yield FieldError(f"pod spec support for init-containers is off, but found {count} init containers")
        return
    names = {container["name"] for container in containers if container.get("name")}
    for index, container in enumerate(init_containers):
        # Not `initContainers`: clients of the reference see these paths (spec api 8).
        at = f"{path}.containers[{index}]"
        yield from _name_clash(container, names, at)
        yield from init_container_faults(container, place, at)


def _name_clash(container: Obj, names: set[str], path: str) -> Iterator[FieldError]:
    name = fields.text(container, "name", path)
    if name in names:
        yield FieldError(f'duplicate container name "{name}"', (f"{path}.name",))
    if name:
        names.add(name)


def _port_count_faults(containers: list[Obj], path: str) -> Iterator[FieldError]:
    count = sum(len(fields.objects(container, "ports", f"{path}.containers")) for container in containers)
    at = f"{path}.containers[*].ports"
    if count > 1:
        details = "Only a single port is allowed across all containers"
        yield FieldError("more than one container port is set", (at,), details)
    elif count == 0 and len(containers) > 1:
        yield missing(at)


def _account_faults(spec: Obj, path: str) -> Iterator[FieldError]:
    account = fields.text(spec, "serviceAccountName", path)
    for reason in dns1123_subdomain_faults(account) if account else ():
        yield invalid_value(account, f"{path}.serviceAccountName", reason)


def _pod_security_faults(spec: Obj, features: Features, path: str) -> Iterator[FieldError]:
    if spec.get("securityContext") is None:
        return
    context = fields.mapping(spec, "securityContext", path)
    at = f"{path}.securityContext"
    yield from disallowed_fields(context, pod_security_mask(context, features), at)
    for key in _POD_USERS:
        yield from id_faults(fields.integer(context, key, at), f"{at}.{key}")
    for index, group in enumerate(fields.array(context, "supplementalGroups", at)):
        yield from id_faults(group, f"{at}.supplementalGroups[{index}]")


def id_faults(value: Any, path: str) -> Iterator[FieldError]:
    """A user or group that Linux cannot have."""
    if value is not None and not 0 <= value <= INT32_MAX:
        yield out_of_bounds(value, 0, INT32_MAX, path)


def _insecure(spec: Obj, containers: list[Obj], path: str) -> Iterator[FieldError]:
    """Warnings: what Kubernetes leaves open where nothing is said."""
    pod = fields.mapping(spec, "securityContext", path)
    message = "Kubernetes default value is insecure, Knative may default this to secure in a future release"
    for index, container in enumerate(containers):
        at = f"{path}.containers[{index}].securityContext"
        context = fields.mapping(container, "securityContext", f"{path}.containers[{index}]")
        for unset in _unset(pod, context):
            yield FieldError(message, (f"{at}.{unset}",), warning=True)


def _unset(pod: Obj, context: Obj) -> Iterator[str]:
    if context.get("allowPrivilegeEscalation") is None:
        yield "allowPrivilegeEscalation"
    if not fields.mapping(pod, "seccompProfile").get("type"):
        if context.get("seccompProfile") is None:
            yield "seccompProfile"
        elif not fields.mapping(context, "seccompProfile").get("type"):
            yield "seccompProfile.type"
    if pod.get("runAsNonRoot") is None and context.get("runAsNonRoot") is None:
        yield "runAsNonRoot"
    if context.get("capabilities") is None:
        yield "capabilities"
    elif fields.mapping(context, "capabilities").get("drop") is None:
        yield "capabilities.drop"
