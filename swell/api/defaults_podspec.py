"""Defaults inside a revision's pod spec: names, resources, probes, mounts, security (spec api 3).

Everything here changes the spec in place: callers hand over a copy of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from swell.api import fields
from swell.api.meta import Obj
from swell.api.names import child_name
from swell.api.naming_template import render_name
from swell.api.settings import ApiSettings, Defaults, SecurePodDefaults

PRIVILEGED_PORTS_END: Final = 1024
HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
# Volumes that a container may write to.
WRITABLE: Final = ("emptyDir", "persistentVolumeClaim", "ephemeral")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")


def fill_pod_spec(spec: Obj, settings: ApiSettings, parent: Mapping[str, Any], path: str) -> None:
    """Fill in all that is missing. `parent` is the metadata that name templates read."""
    containers = fields.objects(spec, "containers", path)
    init_containers = fields.objects(spec, "initContainers", path)
    given = {container["name"] for container in [*containers, *init_containers] if container.get("name")}
    defaults = settings.defaults
    _fill_names(containers, given, render_name(defaults.container_name_template, parent))
    _fill_names(init_containers, given, render_name(defaults.init_container_name_template, parent))
    for index, container in enumerate(containers):
        at = f"{path}.containers[{index}]"
        _fill_resources(container, defaults, at)
        _fill_probes(container, serves=len(containers) == 1 or bool(container.get("ports")), path=at)
    _fill_mounts(spec, containers, path)
    if settings.features.secure_pod_defaults is not SecurePodDefaults.DISABLED:
        _secure(spec, [*containers, *init_containers], settings.features.secure_pod_defaults, path)


def _fill_names(containers: list[Obj], given: set[str], base: str) -> None:
    """The bare name for one alone; else numbered, around the names that users gave."""
    number = 0
    for container in containers:
        if container.get("name"):
            continue
        name = base
        if len(containers) > 1 or base in given:
            name = child_name(base, f"-{number}")
            while name in given:
                number += 1
                name = child_name(base, f"-{number}")
            number += 1
        container["name"] = name


def _fill_resources(container: Obj, defaults: Defaults, path: str) -> None:
    resources = fields.mapping(container, "resources", path)
    container["resources"] = resources
    for side, values in (("requests", defaults.requests), ("limits", defaults.limits)):
        if values:
            resources[side] = {**values, **fields.mapping(resources, side, f"{path}.resources")}


def _fill_probes(container: Obj, *, serves: bool, path: str) -> None:
    if serves:
        probe = fields.mapping(container, "readinessProbe", path)
        container["readinessProbe"] = probe
        if not any(probe.get(handler) is not None for handler in HANDLERS):
            probe["tcpSocket"] = {"port": 0}
    if container.get("readinessProbe") is not None:
        _fill_readiness(fields.mapping(container, "readinessProbe", path))
    for key in _PROBES:
        grpc = fields.mapping(container, key, path).get("grpc")
        if isinstance(grpc, dict) and grpc.get("service") is None:
            grpc["service"] = ""


def _fill_readiness(probe: Obj) -> None:
    """A period of 0 asks for aggressive probing, which has no thresholds and timeouts."""
    probe["successThreshold"] = probe.get("successThreshold") or 1
    if probe.get("periodSeconds"):
        probe["failureThreshold"] = probe.get("failureThreshold") or 3
        probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1


def _fill_mounts(spec: Obj, containers: list[Obj], path: str) -> None:
    volumes = fields.objects(spec, "volumes", path)
    writable = {volume.get("name") for volume in volumes if any(volume.get(kind) is not None for kind in WRITABLE)}
    for index, container in enumerate(containers):
        for mount in fields.objects(container, "volumeMounts", f"{path}.containers[{index}]"):
            if mount.get("name") not in writable:
                mount["readOnly"] = True


def _secure(spec: Obj, containers: list[Obj], level: SecurePodDefaults, path: str) -> None:
    pod = fields.mapping(spec, "securityContext", path)
    for index, container in enumerate(containers):
        at = f"{path}.containers[{index}]"
        context = dict(fields.mapping(container, "securityContext", at))
        container["securityContext"] = context
        if context.get("allowPrivilegeEscalation") is None:
            context["allowPrivilegeEscalation"] = False
        _secure_seccomp(pod, context, at)
        if context.get("capabilities") is None:
            context["capabilities"] = _least_capabilities(container)
        if level is SecurePodDefaults.ENABLED and pod.get("runAsNonRoot") is None:
            context["runAsNonRoot"] = True if context.get("runAsNonRoot") is None else context["runAsNonRoot"]


def _secure_seccomp(pod: Obj, context: Obj, path: str) -> None:
    own = fields.mapping(context, "seccompProfile", f"{path}.securityContext")
    if not fields.mapping(pod, "seccompProfile").get("type") and not own.get("type"):
        context["seccompProfile"] = {**own, "type": "RuntimeDefault"}


def _least_capabilities(container: Obj) -> Obj:
    """None, or the one that a port below 1024 needs."""
    ports = container.get("ports") or []
    if any((port.get("containerPort") or 0) < PRIVILEGED_PORTS_END for port in ports):
        return {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    return {"drop": ["ALL"]}
