"""The specs of Serving objects as typed values: what a revision runs, and who gets the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from swell.api import fields
from swell.api.meta import Obj

_NUMBERS = {
    "container_concurrency": "containerConcurrency",
    "timeout_s": "timeoutSeconds",
    "response_start_timeout_s": "responseStartTimeoutSeconds",
    "idle_timeout_s": "idleTimeoutSeconds",
}


@dataclass(frozen=True, slots=True)
class RevisionSpec:
    """What a revision runs. `pod_spec` is the PodSpec subset as JSON; numbers are None when absent."""

    pod_spec: Obj = field(default_factory=dict)
    container_concurrency: int | None = None
    timeout_s: int | None = None
    response_start_timeout_s: int | None = None
    idle_timeout_s: int | None = None

    @property
    def containers(self) -> list[Obj]:
        found: list[Obj] = self.pod_spec.get("containers") or []
        return found

    @classmethod
    def parse(cls, spec: Mapping[str, Any], path: str = "spec") -> Self:
        """From the `spec` of a revision or a template. Raises `Malformed`."""
        fields.objects(spec, "containers", path)
        numbers = {name: fields.integer(spec, key, path) for name, key in _NUMBERS.items()}
        rest = {key: value for key, value in spec.items() if key not in _NUMBERS.values()}
        return cls(pod_spec=rest, **numbers)

    def to_obj(self) -> Obj:
        """As JSON."""
        numbers = {key: getattr(self, name) for name, key in _NUMBERS.items()}
        return {**self.pod_spec, **{key: value for key, value in numbers.items() if value is not None}}


@dataclass(frozen=True, slots=True)
class RevisionTemplate:
    """The revision to stamp out. `metadata` is JSON, because it keeps what it does not know."""

    metadata: Obj = field(default_factory=dict)
    spec: RevisionSpec = field(default_factory=RevisionSpec)

    @property
    def name(self) -> str:
        """The name the user wants for the revision; "" lets the configuration choose."""
        return fields.text(self.metadata, "name")

    @property
    def labels(self) -> dict[str, str]:
        return fields.strings(self.metadata, "labels")

    @property
    def annotations(self) -> dict[str, str]:
        return fields.strings(self.metadata, "annotations")

    @classmethod
    def parse(cls, obj: Mapping[str, Any], path: str = "spec.template") -> Self:
        """From JSON. Raises `Malformed`."""
        metadata = fields.mapping(obj, "metadata", path)
        for key in ("labels", "annotations"):
            fields.strings(metadata, key, f"{path}.metadata")
        fields.text(metadata, "name", f"{path}.metadata")
        return cls(metadata, RevisionSpec.parse(fields.mapping(obj, "spec", path), f"{path}.spec"))

    def to_obj(self) -> Obj:
        """As JSON."""
        spec = self.spec.to_obj()
        return {"metadata": self.metadata, "spec": spec} if self.metadata else {"spec": spec}


@dataclass(frozen=True, slots=True)
class TrafficTarget:
    """One line of a route: who gets how many percent, under which tag."""

    revision_name: str = ""
    configuration_name: str = ""
    latest_revision: bool | None = None
    percent: int | None = None
    tag: str = ""
    url: str = ""

    @classmethod
    def parse(cls, obj: Mapping[str, Any], path: str = "") -> Self:
        """From JSON. Raises `Malformed`."""
        return cls(
            revision_name=fields.text(obj, "revisionName", path),
            configuration_name=fields.text(obj, "configurationName", path),
            latest_revision=fields.boolean(obj, "latestRevision", path),
            percent=fields.integer(obj, "percent", path),
            tag=fields.text(obj, "tag", path),
            url=fields.text(obj, "url", path),
        )

    def to_obj(self) -> Obj:
        """As JSON, without what is empty; a percent of 0 and latestRevision false stay."""
        found: Obj = {
            "tag": self.tag or None,
            "revisionName": self.revision_name or None,
            "configurationName": self.configuration_name or None,
            "latestRevision": self.latest_revision,
            "percent": self.percent,
            "url": self.url or None,
        }
        return {key: value for key, value in found.items() if value is not None}


def parse_traffic(obj: Mapping[str, Any], path: str) -> tuple[TrafficTarget, ...]:
    """The `traffic` of a spec or status. Raises `Malformed`."""
    items = fields.objects(obj, "traffic", path)
    return tuple(TrafficTarget.parse(item, f"{path}.traffic[{index}]") for index, item in enumerate(items))
