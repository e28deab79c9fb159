"""What the controller tells a queue-proxy to record: the JSON of OBSERVABILITY_CONFIG (spec dataplane 3.1).

The reference's names; what it holds about tracing, profiling and pushed metrics is passed over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from swell.wire.errors import WireError

if TYPE_CHECKING:
    from typing import Any

NONE = "none"
PROMETHEUS = "prometheus"


class Observability(NamedTuple):
    """An empty `request_log_template` stands for the default one. `request_metrics_protocol` may be any text."""

    enable_request_log: bool = False
    request_log_template: str = ""
    enable_probe_request_log: bool = False
    request_metrics_protocol: str = NONE


def encode(observability: Observability) -> str:
    """The JSON text."""
    return json.dumps(
        {
            "enableRequestLog": observability.enable_request_log,
            "requestLogTemplate": observability.request_log_template,
            "enableProbeRequestLog": observability.enable_probe_request_log,
            "requestMetrics": {"protocol": observability.request_metrics_protocol},
        },
        separators=(",", ":"),
    )


def decode(text: str) -> Observability:
    """Read it; empty text, and what is absent, is off. Raises `WireError` naming the field that is wrong."""
    if not text:
        return Observability()
    try:
        found = json.loads(text)
    except ValueError as exc:
        raise WireError(f"it is not JSON: {exc}") from exc
    metrics = _of(found, "", dict).get("requestMetrics") or {}
    return Observability(
        _of(found.get("enableRequestLog"), "enableRequestLog", bool),
        _of(found.get("requestLogTemplate"), "requestLogTemplate", str),
        _of(found.get("enableProbeRequestLog"), "enableProbeRequestLog", bool),
        _of(_of(metrics, "requestMetrics", dict).get("protocol"), "requestMetrics.protocol", str) or NONE,
    )


def _of(value: Any, name: str, kind: type) -> Any:
    if value is None:
        return kind()
    if not isinstance(value, kind):
        allowed = {bool: "true or false", str: "a text", dict: "an object"}[kind]
        raise WireError(f"{name or 'it'} is {value!r}, allowed: {allowed}")
    return value
