"""Manifests and options -> the objects of one installation, in the order in which they are written. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from swell.api import kinds
from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.api.names import is_dns1123_subdomain
from swell.config import deployment, domain, network
from swell.runtime.errors import SwellError

SYSTEM_NAMESPACE: Final = "swell-system"
PROGRAMS: Final = ("activator", "autoscaler", "controller")
GATEWAY: Final = "activator"
SERVICE_TYPES: Final = ("LoadBalancer", "NodePort", "ClusterIP")
NODE_PORTS: Final = range(30000, 32768)
OPTIONS: Final = "swell.dev/install-options"
PART_OF: Final = "app.kubernetes.io/part-of"
VERSION: Final = "app.kubernetes.io/version"
SELECTOR: Final = f"{PART_OF}=swell"
EXAMPLE: Final = "_example"

# What others refer to comes first; webhooks last, because from then on writes need an answer.
KINDS: Final = (
    kinds.NAMESPACE,
    kinds.CUSTOM_RESOURCE_DEFINITION,
    kinds.SERVICE_ACCOUNT,
    kinds.CLUSTER_ROLE,
    kinds.ROLE,
    kinds.CLUSTER_ROLE_BINDING,
    kinds.ROLE_BINDING,
    kinds.CONFIG_MAP,
    kinds.CORE_SERVICE,
    kinds.DEPLOYMENT,
    kinds.POD_DISRUPTION_BUDGET,
    kinds.MUTATING_WEBHOOK,
    kinds.VALIDATING_WEBHOOK,
)
_BY_NAME: Final = {(kind.api_version, kind.kind): kind for kind in KINDS}


class BadOption(SwellError):
    """An option with a value that cannot be: which, what was found, what is allowed."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user asked for; None: nothing said about it."""

    image: str | None = None
    replicas: int | None = None
    domain: str | None = None
    service_type: str | None = None
    external_port: int | None = None

    def check(self) -> None:
        """Raises `BadOption`."""
        if self.replicas is not None and self.replicas < 1:
            raise BadOption(f"--replicas {self.replicas}: want 1 or more")
        if self.service_type is not None and self.service_type not in SERVICE_TYPES:
            raise BadOption(f"--service-type {self.service_type}: want {', '.join(SERVICE_TYPES)}")
        if self.external_port is not None and not 0 < self.external_port < 65536:
            raise BadOption(f"--external-port {self.external_port}: want 1 to 65535")
        if self.domain is not None and not is_dns1123_subdomain(self.domain):
            raise BadOption(f"--domain {self.domain}: want a domain such as example.com")
        if self.image is not None and (not self.image or any(map(str.isspace, self.image))):
            raise BadOption(f"--image {self.image!r}: want the name of an image")

    def after(self, remembered: Mapping[str, Any]) -> Options:
        """These, and for what is not said what an earlier installation was told. The image is of its version."""
        return replace(
            self,
            replicas=self.replicas or remembered.get("replicas"),
            service_type=self.service_type or remembered.get("serviceType"),
            external_port=self.external_port or remembered.get("externalPort"),
        )

    def to_annotation(self) -> str:
        """What the next installation is to know."""
        said = {"replicas": self.replicas, "serviceType": self.service_type, "externalPort": self.external_port}
        return json.dumps({key: value for key, value in said.items() if value is not None}, sort_keys=True)


def remembered(namespace: Obj | None) -> dict[str, Any]:
    """What the installation before this one was told."""
    annotations = ((namespace or {}).get("metadata") or {}).get("annotations") or {}
    found: dict[str, Any] = json.loads(annotations.get(OPTIONS, "{}"))
    return found


def kind_of(obj: Obj) -> Kind:
    """The kind of an object of ours."""
    return _BY_NAME[obj["apiVersion"], obj["kind"]]


def render(base: Iterable[Obj], budgets: Iterable[Obj], options: Options) -> list[Obj]:
    """All objects of an installation. Raises `BadOption`; takes the given objects over."""
    options.check()
    several = (options.replicas or 1) > 1
    objects = sorted((*base, *(budgets if several else ())), key=lambda obj: KINDS.index(kind_of(obj)))
    for obj in objects:
        if change := _CHANGES.get(kind_of(obj)):
            change(obj, options)
    return objects


def keeping(wanted: Obj, live: Obj | None, options: Options) -> Obj:
    """A ConfigMap as it is to be written over `live`: what stands there stays, unless it is ours to say.

    Ours are the example, the sidecar's image, and what an option names. A new default domain takes the old one's
    place.
    """
    before: dict[str, str] = (live or {}).get("data") or {}
    data: dict[str, str] = wanted["data"]
    name = wanted["metadata"]["name"]
    ours = {EXAMPLE, *(("queue-sidecar-image",) if name == deployment.NAME else ()), *_said(name, options)}
    merged = {**data, **before, **{key: data[key] for key in ours if key in data}}
    if name == domain.NAME and options.domain is not None:
        merged = {key: value for key, value in merged.items() if value.strip() or key == options.domain}
    return {**wanted, "data": merged}


def _said(name: str, options: Options) -> Iterator[str]:
    if name == domain.NAME and options.domain is not None:
        yield options.domain
    if name == network.NAME and options.external_port is not None:
        yield network.EXTERNAL_PORT


def _namespace(obj: Obj, options: Options) -> None:
    told = options.to_annotation()
    if told != "{}":
        obj["metadata"]["annotations"] = {OPTIONS: told}


def _config_map(obj: Obj, options: Options) -> None:
    name = obj["metadata"]["name"]
    if name == deployment.NAME and options.image is not None:
        obj["data"]["queue-sidecar-image"] = options.image
    if name == domain.NAME and options.domain is not None:
        obj["data"][options.domain] = ""
    if name == network.NAME and options.external_port is not None:
        obj["data"][network.EXTERNAL_PORT] = str(options.external_port)


def _core_service(obj: Obj, options: Options) -> None:
    if obj["metadata"]["name"] != GATEWAY:
        return
    obj["spec"]["type"] = options.service_type or obj["spec"]["type"]
    if obj["spec"]["type"] == "NodePort" and options.external_port in NODE_PORTS:
        obj["spec"]["ports"][0]["nodePort"] = options.external_port


def _deployment(obj: Obj, options: Options) -> None:
    if options.replicas is not None:
        obj["spec"]["replicas"] = options.replicas
    if options.image is not None:
        for container in obj["spec"]["template"]["spec"]["containers"]:
            container["image"] = options.image


_CHANGES: Final = {
    kinds.NAMESPACE: _namespace,
    kinds.CONFIG_MAP: _config_map,
    kinds.CORE_SERVICE: _core_service,
    kinds.DEPLOYMENT: _deployment,
}
