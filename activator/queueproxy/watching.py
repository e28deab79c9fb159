"""What is recorded of requests beside the statistics: the request log and the user's metrics, where they are on.

Knows exchanges that are over. Off, which is usual, none of it is loaded (spec dataplane 3.11, 3.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from activator.queueproxy.usermetrics import UserMetrics
from activator.requestlog.log import RequestLog, status_of
from activator.requestlog.writer import LineWriter
from swell.api.request_log import Pod, TemplateError, parse_template
from swell.runtime import log
from swell.wire.observability import NONE, PROMETHEUS

if TYPE_CHECKING:
    from activator.admission.breaker import Breaker
    from activator.proxy.exchange import Exchange
    from activator.queueproxy.settings import Settings

_log = log.get("queue-proxy")


class Watch:
    """Told of each exchange that is over. `metrics` and `request_log` are None where they are off."""

    __slots__ = ("_pod", "_probes", "_request_log", "_writer", "metrics")

    def __init__(self, settings: Settings, breaker: Breaker[Exchange] | None) -> None:
        self.metrics: UserMetrics | None = None
        self._pod = Pod(
            settings.revision,
            settings.namespace,
            settings.service,
            settings.configuration,
            settings.pod,
            settings.pod_ip,
        )
        self._request_log: RequestLog | None = None
        self._writer: LineWriter | None = None
        self._probes = settings.observability.enable_probe_request_log
        if settings.observability.enable_request_log:
            self._open_log(settings.observability.request_log_template)
        protocol = settings.observability.request_metrics_protocol
        if protocol == PROMETHEUS:
            self.metrics = UserMetrics(settings, breaker)
        elif protocol != NONE:
            _log.warning("no request metrics: only prometheus is supported", protocol=protocol)

    def finished(self, exchange: Exchange, ran_s: float | None, now_s: float) -> None:
        """A request is over that had its slot from `ran_s` on; None: it never got one."""
        code = status_of(exchange)
        if self.metrics is not None:
            self.metrics.finished(exchange, code, ran_s, now_s)
        if self._request_log is not None:
            self._request_log.put(exchange, self._pod, code, now_s - exchange.started_s)

    def probed(self, exchange: Exchange, now_s: float) -> None:
        """A probe is over, answered by us or by the app."""
        if self._probes and self._request_log is not None:
            self._request_log.put(exchange, self._pod, status_of(exchange), now_s - exchange.started_s)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

    def _open_log(self, text: str) -> None:
        try:
            template = parse_template(text)
        except TemplateError as error:
            _log.error("no request log: its template is not usable", problem=str(error), template=repr(text))
            return
        self._writer = LineWriter()
        self._request_log = RequestLog(template, self._writer)
