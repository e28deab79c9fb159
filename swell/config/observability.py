"""ConfigMap config-observability (spec api 2.2, dataplane 3.11, 3.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.api.request_log import parse_template
from swell.api.text_template import TemplateError
from swell.config.reading import Reader

NAME: Final = "config-observability"
ENABLE_REQUEST_LOG: Final = "logging.enable-request-log"
REQUEST_LOG_TEMPLATE: Final = "logging.request-log-template"
REQUEST_METRICS_PROTOCOL: Final = "request-metrics-protocol"
# The reference's others push to a collector, which is not done here.
PROTOCOLS: Final = ("none", "prometheus")


@dataclass(frozen=True, slots=True)
class ObservabilityConfig:
    """What is recorded of requests by every pod's queue-proxy; the front door too has a log of them.

    An empty `request_log_template` is the default one. `revision_url_template` may hold ${REVISION_UID}.
    """

    revision_url_template: str = ""
    enable_request_log: bool = False
    request_log_template: str = ""
    enable_probe_request_log: bool = False
    request_metrics_protocol: str = "none"


def parse(data: Mapping[str, str]) -> ObservabilityConfig:
    """Read the map; unknown keys are ignored. Raises `SettingsError` at the first bad value."""
    reader = Reader(NAME, data)
    config = ObservabilityConfig(
        revision_url_template=reader.text("logging.revision-url-template", ""),
        enable_request_log=reader.flag(ENABLE_REQUEST_LOG, False),
        request_log_template=reader.text(REQUEST_LOG_TEMPLATE, ""),
        enable_probe_request_log=reader.flag("logging.enable-probe-request-log", False),
        request_metrics_protocol=reader.choice(REQUEST_METRICS_PROTOCOL, "none", PROTOCOLS),
    )
    empty = REQUEST_LOG_TEMPLATE in data and not config.request_log_template
    allowed = f"a template, or no such key for the default one, while {ENABLE_REQUEST_LOG} is true"
    reader.check(not (config.enable_request_log and empty), REQUEST_LOG_TEMPLATE, allowed)
    try:
        parse_template(config.request_log_template)
    except TemplateError as exc:
        reader.refuse(REQUEST_LOG_TEMPLATE, f"Go's text/template as far as it is supported; {exc}")
    return config
