"""Annotation swell.dev/metrics: what a revision scales by beside its requests (docs/metrics.md). Pure.

Admission refuses what cannot be read; the autoscaler counts what has got past it as absent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from swell.api import labels
from swell.api.allowed_hosts import URL, endpoint_of, is_allowed
from swell.api.field_errors import FieldError, disallowed, invalid_value, join, missing, out_of_bounds, several, shown
from swell.api.numbers import float64, is_quantity
from swell.api.values import quantity

METRICS_MAX: Final = 8
TEXT_CHARACTERS_MAX: Final = 16 * 1024
QUERY_CHARACTERS_MAX: Final = 4096
TARGET_MAX: Final = 1e15
ALLOWED_HOSTS_KEY: Final = "swell.metrics-allowed-hosts"

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


class MetricType(Enum):
    """Where a metric's value comes from."""

    CONCURRENCY = "concurrency"
    RPS = "rps"
    CPU = "cpu"
    MEMORY = "memory"
    PROMETHEUS = "prometheus"
    JSON = "json"


REQUESTS: Final = frozenset({MetricType.CONCURRENCY, MetricType.RPS})
RESOURCES: Final = frozenset({MetricType.CPU, MetricType.MEMORY})
REMOTE: Final = frozenset({MetricType.PROMETHEUS, MetricType.JSON})

_COMMON: Final = ("type", "name", "target")
_KEYS: Final[Mapping[MetricType, tuple[str, ...]]] = {
    **dict.fromkeys(MetricType, _COMMON),
    MetricType.PROMETHEUS: (*_COMMON, "server", "query"),
    MetricType.JSON: (*_COMMON, "url", "path"),
}
_REQUIRED: Final = frozenset({"target", "server", "query", "url"})


@dataclass(frozen=True, slots=True)
class ExtraMetric:
    """One entry. `target` is what one pod should carry: requests in flight, requests per second, cores, bytes, or
    what the source counts; with `of_request` a fraction of what the pod requests of cpu or memory.

    `url` is the server of Prometheus or the JSON document; `path` is a JSON pointer (RFC 6901).
    """

    type: MetricType
    name: str
    target: float
    of_request: bool = False
    url: str = ""
    query: str = ""
    path: str = ""


def read_metrics(annotations: Mapping[str, str]) -> tuple[ExtraMetric, ...]:
    """What a revision's annotations say; a list with a fault counts as absent."""
    text = annotations.get(labels.METRICS)
    return () if text is None else _read(text)


@lru_cache(maxsize=512)
def _read(text: str) -> tuple[ExtraMetric, ...]:
    """Kept, as objects are read at each of their changes, and these seldom have any."""
    reader = _Reader("")
    metrics = reader.read(text)
    return () if reader.errors else metrics


def metric_faults(
    annotations: Mapping[str, str], path: str, scaling_class: str, hosts: Collection[str] | None
) -> list[FieldError]:
    """Every fault of the list; `path` is where the annotations are.

    `scaling_class` applies where the annotations name none. `hosts` are those that sources may be at; None: whether
    a source is allowed is not asked here.
    """
    text = annotations.get(labels.METRICS)
    if text is None:
        return []
    at = join(path, labels.METRICS)
    if annotations.get(labels.AUTOSCALER_CLASS, scaling_class) != labels.CLASS_KPA:
        return [FieldError(f"works with class {labels.CLASS_KPA} only", (at,))]
    reader = _Reader(at)
    metrics = reader.read(text)
    errors = list(reader.errors)
    own = annotations.get(labels.METRIC, labels.METRIC_CONCURRENCY)
    if labels.TARGET in annotations and any(metric.type.value == own for metric in metrics):
        errors.append(several(join(path, labels.TARGET), f"{at}: target of type {own}"))
    for index, metric in enumerate(metrics):
        endpoint = endpoint_of(metric.url)
        if hosts is not None and endpoint is not None and not is_allowed(endpoint, hosts):
            key = "server" if metric.type is MetricType.PROMETHEUS else "url"
            allowed = ", ".join(hosts) or "none"
            details = f"hosts that {ALLOWED_HOSTS_KEY} in ConfigMap config-autoscaler allows: {allowed}"
            errors.append(invalid_value(metric.url, f"{at}[{index}].{key}", details))
    return errors


class _Reader:
    """Reads one list; `errors` are its faults. An entry with a fault is left out only if it has no type."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.errors: list[FieldError] = []

    def read(self, text: str) -> tuple[ExtraMetric, ...]:
        entries = self._entries(text)
        if entries is None:
            return ()
        if not 1 <= len(entries) <= METRICS_MAX:
            self.errors.append(out_of_bounds(len(entries), 1, METRICS_MAX, f"{self.path}: number of metrics"))
            return ()
        found = [self._entry(entry, f"{self.path}[{index}]") for index, entry in enumerate(entries)]
        self._unique(found)
        return tuple(metric for metric in found if metric is not None)

    def _entries(self, text: str) -> list[Any] | None:
        import yaml  # few revisions have metrics, and every program reads annotations

        allowed = "must be a list in YAML or JSON, such as [{type: rps, target: 100}]"
        if len(text) > TEXT_CHARACTERS_MAX:
            self._fault(text, self.path, f"at most {TEXT_CHARACTERS_MAX} characters")
            return None
        try:
            found = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError):
            found = None
        if isinstance(found, list):
            return found
        self._fault(text, self.path, allowed)
        return None

    def _entry(self, entry: Any, path: str) -> ExtraMetric | None:
        if not isinstance(entry, dict):
            self._fault(entry, path, "must be a metric, such as {type: rps, target: 100}")
            return None
        if "type" not in entry:
            self.errors.append(missing(f"{path}.type"))
            return None
        try:
            kind = MetricType(entry["type"])
        except ValueError:
            self._fault(entry["type"], f"{path}.type", f"allowed: {', '.join(each.value for each in MetricType)}")
            return None
        keys = _KEYS[kind]
        self.errors += [disallowed(f"{path}.{key}") for key in entry if key not in keys]
        self.errors += [missing(f"{path}.{key}") for key in keys if key in _REQUIRED and key not in entry]
        target, of_request = self._target(entry, kind, f"{path}.target")
        return ExtraMetric(
            type=kind,
            name=self._name(entry, kind, f"{path}.name"),
            target=target,
            of_request=of_request,
            url=self._server(entry, f"{path}.server") if "server" in keys else self._url(entry, "url", f"{path}.url"),
            query=self._query(entry, f"{path}.query"),
            path=self._pointer(entry, f"{path}.path"),
        )

    def _name(self, entry: dict[str, Any], kind: MetricType, path: str) -> str:
        name = entry.get("name", kind.value)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self._fault(name, path, "must be 1 to 63 lower case letters, digits and dashes, with no dash at an end")
            return ""
        return name

    def _target(self, entry: dict[str, Any], kind: MetricType, path: str) -> tuple[float, bool]:
        if "target" not in entry:
            return math.nan, False
        found = entry["target"]
        text = "" if isinstance(found, bool) else shown(found)
        value, of_request = _resource(text, kind) if kind in RESOURCES else (float64(text), False)
        if value is None or not 0 < value <= TARGET_MAX:
            self._fault(found, path, _TARGETS.get(kind, f"must be a number greater than 0, at most {TARGET_MAX:g}"))
            return math.nan, False
        return value, of_request

    def _server(self, entry: dict[str, Any], path: str) -> str:
        server = self._url(entry, "server", path)
        endpoint = endpoint_of(server)
        if endpoint is not None and endpoint.query:
            self._fault(server, path, "must be the server alone, without ?query")
        return server

    def _url(self, entry: dict[str, Any], key: str, path: str) -> str:
        url = entry.get(key, "")
        if key in entry and (not isinstance(url, str) or endpoint_of(url) is None):
            self._fault(url, path, f"must be {URL}")
            return ""
        return str(url)

    def _query(self, entry: dict[str, Any], path: str) -> str:
        query = entry.get("query", "")
        if "query" in entry and not (isinstance(query, str) and 0 < len(query.strip()) <= QUERY_CHARACTERS_MAX):
            self._fault(query, path, f"must be a query in PromQL, at most {QUERY_CHARACTERS_MAX} characters")
        return str(query)

    def _pointer(self, entry: dict[str, Any], path: str) -> str:
        pointer = entry.get("path", "")
        if not isinstance(pointer, str) or not _POINTER.fullmatch(pointer):
            self._fault(pointer, path, "must be a JSON pointer (RFC 6901), such as /queue/length")
        return str(pointer)

    def _unique(self, metrics: list[ExtraMetric | None]) -> None:
        seen: set[str] = set()
        for index, metric in enumerate(metrics):
            if metric is None or not metric.name:
                continue
            if metric.name in seen:
                details = "each metric needs a name of its own; it is the type if none is given"
                self._fault(metric.name, f"{self.path}[{index}].name", details)
            seen.add(metric.name)

    def _fault(self, value: object, path: str, details: str) -> None:
        self.errors.append(invalid_value(shown(value), path, details))


_TARGETS: Final[Mapping[MetricType, str]] = {
    MetricType.CPU: "must be a percentage of the pod's CPU request, such as 70, or cores with a unit, such as 500m",
    MetricType.MEMORY: "must be bytes with a unit, such as 200Mi, or a percentage of the pod's request, such as 80%",
}


def _resource(text: str, kind: MetricType) -> tuple[float | None, bool]:
    """A target of cpu or memory, and whether it is a fraction of the request."""
    if text.endswith("%") or (kind is MetricType.CPU and float64(text) is not None):
        percentage = float64(text.removesuffix("%"))
        return (None if percentage is None else percentage / 100.0), True
    number = quantity(text) if is_quantity(text) and float64(text) is None else None
    return (None if number is None else float(number)), False
