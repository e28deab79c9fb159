"""The front door's request log: on or off, and with which template, as config-observability has it at the moment.

A line for each request that a revision was found for, whatever became of it (spec dataplane 2.2, 2.11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from activator.requestlog.log import RequestLog, status_of
from activator.requestlog.writer import LineWriter
from swell.api.request_log import Pod, parse_template
from swell.config.observability import NAME, ObservabilityConfig, parse
from swell.runtime import log
from swell.runtime.errors import SettingsError

if TYPE_CHECKING:
    from activator.gateway import Target
    from activator.proxy.exchange import Exchange
    from activator.revision import RevisionFacts
    from swell.kube.client import Obj

_log = log.get("activator")


class LiveLog:
    """`on` says whether there is anything to tell it. Off, which is usual, it holds nothing."""

    __slots__ = ("_lines", "_template", "_writer", "on")

    def __init__(self) -> None:
        self.on = False
        self._lines: RequestLog | None = None
        self._template: str | None = None
        self._writer: LineWriter | None = None

    @property
    def dropped(self) -> int:
        """Lines that whoever reads them did not take in time."""
        return self._writer.dropped if self._writer is not None else 0

    def config_changed(self, old: Obj | None, new: Obj | None) -> None:
        """A handler for an informer of config-observability. What cannot be used changes nothing."""
        try:
            config = parse((new or {}).get("data") or {})
        except SettingsError as error:
            _log.error("a ConfigMap cannot be used, what it said before stays", config_map=NAME, error=str(error))
            return
        self._switch(config)

    def put(self, exchange: Exchange, target: Target, facts: RevisionFacts | None, now_s: float) -> None:
        """A request for this revision is over."""
        assert self._lines is not None
        service, configuration = (facts.service, facts.configuration) if facts is not None else ("", "")
        pod = Pod(target.name, target.namespace, service, configuration)
        self._lines.put(exchange, pod, status_of(exchange), now_s - exchange.started_s)

    def close(self) -> None:
        """Write what is left, and nothing more."""
        self.on = False
        if self._writer is not None:
            self._writer.close()

    def _switch(self, config: ObservabilityConfig) -> None:
        template = config.request_log_template if config.enable_request_log else None
        if template == self._template:
            return
        if template is not None:
            self._writer = self._writer or LineWriter()
            self._lines = RequestLog(parse_template(template), self._writer)
        self._template, self.on = template, template is not None
        _log.info("request log", on=self.on)
