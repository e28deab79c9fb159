"""Faults of one container: image, ports, environment, security, mounts (spec api 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swell.api import fields, masks
from swell.api.field_errors import FieldError, disallowed, invalid_value, missing, neither, out_of_bounds, several
from swell.api.image_reference import is_image_reference
from swell.api.masks import disallowed_fields
from swell.api.meta import Obj
from swell.api.numbers import INT32_MAX
from swell.api.settings import Features
from swell.api.validation_probes import probe_faults, readiness_faults
from swell.api.validation_volumes import mount_faults

PORT_MAX: Final = 65535
RESERVED_NAMES: Final = frozenset({"queue-proxy"})
RESERVED_PORTS: Final = frozenset({8008, 8012, 8013, 8022, 9090, 9091})
PORT_NAMES: Final = ("", "http1", "h2c")
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
POLICIES: Final = ("", "File", "FallbackToLogsOnError")

_RESERVED_ENV: Final = frozenset({"K_SERVICE", "K_CONFIGURATION", "K_REVISION"})
_RESERVED_ENV_SERVING: Final = _RESERVED_ENV | {"PORT"}


@dataclass(frozen=True, slots=True)
class Place:
    """What surrounds a container: the features of the cluster, and the pod's volumes."""

    features: Features
    volumes: tuple[Obj, ...]


def container_faults(container: Obj, place: Place, path: str, *, serves: bool) -> Iterator[FieldError]:
    """Every fault of a container that is not an init container; `serves`: it gets the requests."""
    if not container:
        yield missing(path)
    elif serves:
        port = (fields.objects(container, "ports", path) or [{}])[0]
        for key in PROBES:
            check = readiness_faults if key == "readinessProbe" else probe_faults
            yield from check(container, key, path, port=port)
        yield from _faults(container, place, path, _RESERVED_ENV_SERVING)
    else:
        yield from _sidecar_probe_faults(container, place.features, path)
        yield from _faults(container, place, path, _RESERVED_ENV)


def init_container_faults(container: Obj, place: Place, path: str) -> Iterator[FieldError]:
    """Every fault of an init container: it runs to its end, so nothing can probe it."""
    for key in (*PROBES, "lifecycle"):
        if container.get(key) is not None:
            yield FieldError("field not allowed in an init container", (f"{path}.{key}",))
    yield from _faults(container, place, path, _RESERVED_ENV)


def _sidecar_probe_faults(container: Obj, features: Features, path: str) -> Iterator[FieldError]:
    if features.enabled("multi-container-probing"):
        for key in PROBES:
            check = readiness_faults if key == "readinessProbe" else probe_faults
            yield from check(container, key, path, port=None)
        return
    for key in PROBES:
        probe = fields.mapping(container, key, path)
        yield from (disallowed(f"{path}.{key}.{name}") for name, value in probe.items() if masks.is_set(name, value))


def _faults(container: Obj, place: Place, path: str, reserved_env: frozenset[str]) -> Iterator[FieldError]:
    yield from disallowed_fields(container, masks.CONTAINER, path)
    name = fields.text(container, "name", path)
    if name in RESERVED_NAMES:
        yield FieldError(f'"{name}" is a reserved container name', (f"{path}.name",))
    yield from _env_faults(container, place.features, path, reserved_env)
    yield from _image_faults(container, path)
    yield from _port_faults(container, path)
    yield from disallowed_fields(fields.mapping(container, "resources", path), masks.RESOURCES, f"{path}.resources")
    yield from _security_faults(container, place.features, path)
    policy = fields.text(container, "terminationMessagePolicy", path)
    if policy not in POLICIES:
        yield invalid_value(policy, f"{path}.terminationMessagePolicy")
    yield from mount_faults(container, place.volumes, place.features, path)


def _image_faults(container: Obj, path: str) -> Iterator[FieldError]:
    image = fields.text(container, "image", path)
    if not image:
        yield missing(f"{path}.image")
    elif not is_image_reference(image):
        details = f'image: "{image}", error: could not parse reference: {image}'
        yield FieldError("Failed to parse image reference", (f"{path}.image",), details)


def _port_faults(container: Obj, path: str) -> Iterator[FieldError]:
    """Of the first port: more than one is a fault by itself. The paths have no index."""
    ports = fields.objects(container, "ports", path)
    if not ports:
        return
    port, at = ports[0], f"{path}.ports"
    yield from disallowed_fields(port, masks.CONTAINER_PORT, at)
    protocol = fields.text(port, "protocol", at)
    if protocol not in ("", "TCP"):
        yield invalid_value(protocol, f"{at}.protocol")
    number = fields.integer(port, "containerPort", at) or 0
    if number in RESERVED_PORTS:
        reason = f"{number} is a reserved port"
        yield invalid_value(reason, f"{at}.containerPort", f"{reason}, please use a different value")
    if not 0 <= number <= PORT_MAX:
        yield out_of_bounds(number, 0, PORT_MAX, f"{at}.containerPort")
    name = fields.text(port, "name", at)
    if name not in PORT_NAMES:
        details = "Name must be empty, or one of: 'h2c', 'http1'"
        yield FieldError(f"Port name {name} is not allowed", (at,), details)


def _env_faults(container: Obj, features: Features, path: str, reserved: frozenset[str]) -> Iterator[FieldError]:
    for index, env in enumerate(fields.objects(container, "env", path)):
        at = f"{path}.env[{index}]"
        yield from disallowed_fields(env, masks.ENV_VAR, at)
        name = fields.text(env, "name", at)
        if not name:
            yield missing(f"{at}.name")
        elif name in reserved:
            yield FieldError(f'"{name}" is a reserved environment variable', (f"{at}.name",))
        source = fields.mapping(env, "valueFrom", at)
        yield from disallowed_fields(source, masks.env_source_mask(features), f"{at}.valueFrom")
    for index, source in enumerate(fields.objects(container, "envFrom", path)):
        at = f"{path}.envFrom[{index}]"
        yield from disallowed_fields(source, masks.ENV_FROM, at)
        given = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
        if len(given) != 1:
            yield (several if given else neither)(f"{at}.configMapRef", f"{at}.secretRef")


def _security_faults(container: Obj, features: Features, path: str) -> Iterator[FieldError]:
    context = fields.mapping(container, "securityContext", path)
    at = f"{path}.securityContext"
    yield from disallowed_fields(context, masks.security_mask(context), at)
    for key in ("runAsUser", "runAsGroup"):
        value = fields.integer(context, key, at)
        if value is not None and not 0 <= value <= INT32_MAX:
            yield out_of_bounds(value, 0, INT32_MAX, f"{at}.{key}")
    capabilities = fields.mapping(context, "capabilities", at)
    yield from disallowed_fields(capabilities, masks.capabilities_mask(capabilities, features), f"{at}.capabilities")
