"""PodAutoscaler as a typed value, and the autoscaling annotations as a program reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from swell.api import fields, labels
from swell.api.annotation_rules import validate_annotations
from swell.api.kinds import POD_AUTOSCALER
from swell.api.meta import Obj, ObjectMeta
from swell.api.numbers import duration_ns, float64, int32
from swell.api.settings import AutoscalerLimits
from swell.api.statuses import Status

__all__ = [
    "Annotations",
    "PodAutoscaler",
    "PodAutoscalerStatus",
    "ScaleTargetRef",
    "find_annotation",
    "validate_annotations",
]

ACTIVE = "Active"
SCALE_TARGET_INITIALIZED = "ScaleTargetInitialized"
REACHABLE = "Reachable"
UNREACHABLE = "Unreachable"


@dataclass(frozen=True, slots=True)
class ScaleTargetRef:
    """The object whose `/scale` is written."""

    api_version: str = ""
    kind: str = ""
    name: str = ""

    @classmethod
    def parse(cls, obj: Mapping[str, Any], path: str = "") -> Self:
        return cls(fields.text(obj, "apiVersion", path), fields.text(obj, "kind", path), fields.text(obj, "name", path))

    def to_obj(self) -> Obj:
        return {"apiVersion": self.api_version, "kind": self.kind, "name": self.name}


@dataclass(frozen=True, slots=True)
class PodAutoscalerStatus(Status):
    """What is wanted and what there is. Scales are None until known."""

    service_name: str = ""
    metrics_service_name: str = ""
    desired_scale: int | None = None
    actual_scale: int | None = None

    def to_obj(self) -> Obj:
        scales = {"desiredScale": self.desired_scale, "actualScale": self.actual_scale}
        return Status.to_obj(self) | {
            "serviceName": self.service_name,
            "metricsServiceName": self.metrics_service_name,
            **{key: value for key, value in scales.items() if value is not None},
        }

    @classmethod
    def _read(cls, status: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {
            **Status._read(status, path),
            "service_name": fields.text(status, "serviceName", path),
            "metrics_service_name": fields.text(status, "metricsServiceName", path),
            "desired_scale": fields.integer(status, "desiredScale", path),
            "actual_scale": fields.integer(status, "actualScale", path),
        }


@dataclass(frozen=True, slots=True)
class PodAutoscaler:
    """One revision's scaling: its target, and (in annotations) its bounds.

    `reachability` is "" (unknown), "Reachable" or "Unreachable"; `protocol_type` "http1" or "h2c".
    """

    meta: ObjectMeta
    scale_target_ref: ScaleTargetRef = field(default_factory=ScaleTargetRef)
    container_concurrency: int = 0
    reachability: str = ""
    protocol_type: str = "http1"
    status: PodAutoscalerStatus = field(default_factory=PodAutoscalerStatus)

    @property
    def annotations(self) -> Annotations:
        return Annotations(self.meta.annotations)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """From JSON. Raises `Malformed`."""
        spec = fields.mapping(obj, "spec")
        target = fields.mapping(spec, "scaleTargetRef", "spec")
        return cls(
            ObjectMeta.parse(obj),
            ScaleTargetRef.parse(target, "spec.scaleTargetRef"),
            fields.integer(spec, "containerConcurrency", "spec") or 0,
            fields.text(spec, "reachability", "spec"),
            fields.text(spec, "protocolType", "spec") or "http1",
            PodAutoscalerStatus.parse(fields.mapping(obj, "status")),
        )

    def to_obj(self) -> Obj:
        """As JSON. An unknown reachability is left out."""
        spec: Obj = {
            "containerConcurrency": self.container_concurrency,
            "scaleTargetRef": self.scale_target_ref.to_obj(),
            "protocolType": self.protocol_type,
        }
        if self.reachability:
            spec["reachability"] = self.reachability
        return {
            "apiVersion": POD_AUTOSCALER.api_version,
            "kind": POD_AUTOSCALER.kind,
            "metadata": self.meta.to_obj(),
            "spec": spec,
            "status": self.status.to_obj(),
        }


def find_annotation(annotations: Mapping[str, str], *keys: str) -> str | None:
    """The value under the first of `keys` that is present, even if it is empty; None if none is."""
    return next((annotations[key] for key in keys if key in annotations), None)


@dataclass(frozen=True, slots=True)
class Annotations:
    """The autoscaling annotations of a revision or PodAutoscaler (spec autoscaling 1.1, 1.2).

    Each getter returns None when the annotation is absent or does not parse: the ConfigMap's value
    applies then. Ranges are admission's business, not checked here. `_s` are seconds.
    """

    values: Mapping[str, str]

    def scaling_class(self) -> str | None:
        return find_annotation(self.values, labels.AUTOSCALER_CLASS) or None

    def metric(self) -> str | None:
        return find_annotation(self.values, labels.METRIC) or None

    def target(self) -> float | None:
        return self._float(labels.TARGET)

    def target_utilization_percentage(self) -> float | None:
        return self._float(labels.TARGET_UTILIZATION, labels.TARGET_UTILIZATION_ALIAS)

    def target_burst_capacity(self) -> float | None:
        return self._float(labels.TARGET_BURST_CAPACITY, labels.TARGET_BURST_CAPACITY_ALIAS)

    def window_s(self) -> float | None:
        return self._seconds(labels.WINDOW)

    def panic_window_percentage(self) -> float | None:
        return self._float(labels.PANIC_WINDOW_PERCENTAGE, labels.PANIC_WINDOW_PERCENTAGE_ALIAS)

    def panic_threshold_percentage(self) -> float | None:
        return self._float(labels.PANIC_THRESHOLD_PERCENTAGE, labels.PANIC_THRESHOLD_PERCENTAGE_ALIAS)

    def min_scale(self) -> int | None:
        return self._int(labels.MIN_SCALE, labels.MIN_SCALE_ALIAS)

    def max_scale(self) -> int | None:
        return self._int(labels.MAX_SCALE, labels.MAX_SCALE_ALIAS)

    def initial_scale(self, limits: AutoscalerLimits) -> int:
        """How many pods to start with: the cluster's number too where an initial 0 is not allowed."""
        wanted = self._int(labels.INITIAL_SCALE, labels.INITIAL_SCALE_ALIAS)
        if wanted is None or (wanted == 0 and not limits.allow_zero_initial_scale):
            return limits.initial_scale
        return wanted

    def activation_scale(self) -> int | None:
        return self._int(labels.ACTIVATION_SCALE)

    def scale_down_delay_s(self) -> float | None:
        return self._seconds(labels.SCALE_DOWN_DELAY, labels.SCALE_DOWN_DELAY_ALIAS)

    def pod_retention_s(self) -> float | None:
        """How long the last pod stays although nothing is asked of it."""
        return self._seconds(labels.POD_RETENTION, labels.POD_RETENTION_ALIAS)

    def progress_deadline_s(self) -> float | None:
        return self._seconds(labels.PROGRESS_DEADLINE, labels.PROGRESS_DEADLINE_ALIAS)

    def aggregation(self) -> str | None:
        """Either "linear" or "weighted-exponential"; the latter's old spelling is read as the new one."""
        value = find_annotation(self.values, labels.AGGREGATION, labels.AGGREGATION_ALIAS)
        return "weighted-exponential" if value == "weightedExponential" else value or None

    def _int(self, *keys: str) -> int | None:
        return int32(find_annotation(self.values, *keys) or "")

    def _float(self, *keys: str) -> float | None:
        return float64(find_annotation(self.values, *keys) or "")

    def _seconds(self, *keys: str) -> float | None:
        ns = duration_ns(find_annotation(self.values, *keys) or "")
        return None if ns is None else ns / 1e9
