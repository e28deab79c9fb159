"""The statuses of Serving objects as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from swell.api import fields
from swell.api.conditions import Condition, Conditions, conditions_to_obj, find, parse_conditions
from swell.api.meta import Obj
from swell.api.specs import TrafficTarget, parse_traffic


@dataclass(frozen=True, slots=True)
class Status:
    """What every status has."""

    observed_generation: int = 0
    conditions: Conditions = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    def condition(self, type: str) -> Condition | None:
        """The condition of that type, or None."""
        return find(self.conditions, type)

    @classmethod
    def parse(cls, status: Mapping[str, Any], path: str = "status") -> Self:
        """From JSON. Raises `Malformed`."""
        return cls(**cls._read(status, path))

    def to_obj(self) -> Obj:
        """As JSON, without what is empty."""
        found = {
            "observedGeneration": self.observed_generation,
            "conditions": conditions_to_obj(self.conditions),
            "annotations": dict(self.annotations),
            **self._extra(),
        }
        return {key: value for key, value in found.items() if value not in ("", 0, None, [], {})}

    @classmethod
    def _read(cls, status: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {
            "observed_generation": fields.integer(status, "observedGeneration", path) or 0,
            "conditions": parse_conditions(status, path),
            "annotations": fields.strings(status, "annotations", path),
        }

    def _extra(self) -> Obj:
        return {}


@dataclass(frozen=True, slots=True)
class ConfigurationStatus(Status):
    """Which revision was made last, and which one became ready last."""

    latest_created_revision_name: str = ""
    latest_ready_revision_name: str = ""

    @classmethod
    def _read(cls, status: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {**Status._read(status, path), **_read_latest(status, path)}

    def _extra(self) -> Obj:
        return _latest_to_obj(self)


@dataclass(frozen=True, slots=True)
class RouteStatus(Status):
    """Where a route is reached, and who gets its traffic (always by revision name)."""

    url: str = ""
    address_url: str = ""
    traffic: tuple[TrafficTarget, ...] = ()

    @classmethod
    def _read(cls, status: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {**Status._read(status, path), **_read_reach(status, path)}

    def _extra(self) -> Obj:
        return _reach_to_obj(self)


@dataclass(frozen=True, slots=True)
class ServiceStatus(Status):
    """A configuration's status and a route's together."""

    latest_created_revision_name: str = ""
    latest_ready_revision_name: str = ""
    url: str = ""
    address_url: str = ""
    traffic: tuple[TrafficTarget, ...] = ()

    @classmethod
    def _read(cls, status: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {**Status._read(status, path), **_read_latest(status, path), **_read_reach(status, path)}

    def _extra(self) -> Obj:
        return {**_latest_to_obj(self), **_reach_to_obj(self)}


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """The image that a container of the revision runs; `image_digest` is "" when it was not resolved."""

    name: str
    image_digest: str = ""

    @classmethod
    def parse(cls, obj: Mapping[str, Any], path: str = "") -> Self:
        return cls(fields.text(obj, "name", path), fields.text(obj, "imageDigest", path))

    def to_obj(self) -> Obj:
        return {"name": self.name, **({"imageDigest": self.image_digest} if self.image_digest else {})}


@dataclass(frozen=True, slots=True)
class RevisionStatus(Status):
    """How a revision stands. Replicas are None until the autoscaler has said something."""

    log_url: str = ""
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    actual_replicas: int | None = None
    desired_replicas: int | None = None

    def to_obj(self) -> Obj:
        replicas = {"actualReplicas": self.actual_replicas, "desiredReplicas": self.desired_replicas}
        return Status.to_obj(self) | {key: value for key, value in replicas.items() if value is not None}

    @classmethod
    def _read(cls, status: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {
            **Status._read(status, path),
            "log_url": fields.text(status, "logUrl", path),
            "container_statuses": _container_statuses(status, "containerStatuses", path),
            "init_container_statuses": _container_statuses(status, "initContainerStatuses", path),
            "actual_replicas": fields.integer(status, "actualReplicas", path),
            "desired_replicas": fields.integer(status, "desiredReplicas", path),
        }

    def _extra(self) -> Obj:
        return {
            "logUrl": self.log_url,
            "containerStatuses": [status.to_obj() for status in self.container_statuses],
            "initContainerStatuses": [status.to_obj() for status in self.init_container_statuses],
        }


def _read_latest(status: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "latest_created_revision_name": fields.text(status, "latestCreatedRevisionName", path),
        "latest_ready_revision_name": fields.text(status, "latestReadyRevisionName", path),
    }


def _latest_to_obj(status: ConfigurationStatus | ServiceStatus) -> Obj:
    return {
        "latestCreatedRevisionName": status.latest_created_revision_name,
        "latestReadyRevisionName": status.latest_ready_revision_name,
    }


def _read_reach(status: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "url": fields.text(status, "url", path),
        "address_url": fields.text(fields.mapping(status, "address", path), "url", f"{path}.address"),
        "traffic": parse_traffic(status, path),
    }


def _reach_to_obj(status: RouteStatus | ServiceStatus) -> Obj:
    return {
        "url": status.url,
        "address": {"url": status.address_url} if status.address_url else {},
        "traffic": [target.to_obj() for target in status.traffic],
    }


def _container_statuses(status: Mapping[str, Any], key: str, path: str) -> tuple[ContainerStatus, ...]:
    items = fields.objects(status, key, path)
    return tuple(ContainerStatus.parse(item, f"{path}.{key}[{index}]") for index, item in enumerate(items))
