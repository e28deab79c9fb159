"""Service, Configuration, Revision and Route as typed values. The pod spec stays plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from swell.api import fields
from swell.api.conditions import READY
from swell.api.kinds import CONFIGURATION, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Obj, ObjectMeta
from swell.api.podspec import protocol, serving_container, user_port
from swell.api.specs import RevisionSpec, RevisionTemplate, TrafficTarget, parse_traffic
from swell.api.statuses import (
    ConfigurationStatus,
    ContainerStatus,
    RevisionStatus,
    RouteStatus,
    ServiceStatus,
    Status,
)

__all__ = [
    "Configuration",
    "ConfigurationStatus",
    "ContainerStatus",
    "Revision",
    "RevisionSpec",
    "RevisionStatus",
    "RevisionTemplate",
    "Route",
    "RouteStatus",
    "Service",
    "ServiceStatus",
    "TrafficTarget",
    "is_failed",
    "is_ready",
    "parse_traffic",
    "protocol",
    "serving_container",
    "user_port",
]


class _WithStatus(Protocol):
    @property
    def meta(self) -> ObjectMeta: ...
    @property
    def status(self) -> Status: ...


def is_ready(value: _WithStatus) -> bool:
    """Ready is True, and was judged at the object's present generation."""
    return _is(value, "True")


def is_failed(value: _WithStatus) -> bool:
    """Ready is False, and was judged at the object's present generation."""
    return _is(value, "False")


def _is(value: _WithStatus, wanted: str) -> bool:
    ready = value.status.condition(READY)
    observed = value.status.observed_generation == value.meta.generation
    return observed and ready is not None and ready.status == wanted


@dataclass(frozen=True, slots=True)
class Service:
    """The whole of an app: a template for its revisions, and the split of its traffic."""

    meta: ObjectMeta
    template: RevisionTemplate = field(default_factory=RevisionTemplate)
    traffic: tuple[TrafficTarget, ...] = ()
    status: ServiceStatus = field(default_factory=ServiceStatus)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """From JSON. Raises `Malformed`."""
        spec = fields.mapping(obj, "spec")
        return cls(
            ObjectMeta.parse(obj),
            RevisionTemplate.parse(fields.mapping(spec, "template", "spec")),
            parse_traffic(spec, "spec"),
            ServiceStatus.parse(fields.mapping(obj, "status")),
        )

    def to_obj(self) -> Obj:
        """As JSON."""
        spec: Obj = {"template": self.template.to_obj()}
        if self.traffic:
            spec["traffic"] = [target.to_obj() for target in self.traffic]
        return _whole(SERVICE, self.meta, spec, self.status)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Stamps out a revision for each of its generations."""

    meta: ObjectMeta
    template: RevisionTemplate = field(default_factory=RevisionTemplate)
    status: ConfigurationStatus = field(default_factory=ConfigurationStatus)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """From JSON. Raises `Malformed`."""
        spec = fields.mapping(obj, "spec")
        return cls(
            ObjectMeta.parse(obj),
            RevisionTemplate.parse(fields.mapping(spec, "template", "spec")),
            ConfigurationStatus.parse(fields.mapping(obj, "status")),
        )

    def to_obj(self) -> Obj:
        """As JSON."""
        return _whole(CONFIGURATION, self.meta, {"template": self.template.to_obj()}, self.status)


@dataclass(frozen=True, slots=True)
class Revision:
    """One frozen version of an app."""

    meta: ObjectMeta
    spec: RevisionSpec = field(default_factory=RevisionSpec)
    status: RevisionStatus = field(default_factory=RevisionStatus)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """From JSON. Raises `Malformed`."""
        return cls(
            ObjectMeta.parse(obj),
            RevisionSpec.parse(fields.mapping(obj, "spec")),
            RevisionStatus.parse(fields.mapping(obj, "status")),
        )

    def to_obj(self) -> Obj:
        """As JSON."""
        return _whole(REVISION, self.meta, self.spec.to_obj(), self.status)


@dataclass(frozen=True, slots=True)
class Route:
    """A name, and who answers under it."""

    meta: ObjectMeta
    traffic: tuple[TrafficTarget, ...] = ()
    status: RouteStatus = field(default_factory=RouteStatus)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """From JSON. Raises `Malformed`."""
        return cls(
            ObjectMeta.parse(obj),
            parse_traffic(fields.mapping(obj, "spec"), "spec"),
            RouteStatus.parse(fields.mapping(obj, "status")),
        )

    def to_obj(self) -> Obj:
        """As JSON."""
        return _whole(ROUTE, self.meta, {"traffic": [target.to_obj() for target in self.traffic]}, self.status)


def _whole(kind: Kind, meta: ObjectMeta, spec: Obj, status: Status) -> Obj:
    found: Obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta.to_obj(), "spec": spec}
    if status_obj := status.to_obj():
        found["status"] = status_obj
    return found
