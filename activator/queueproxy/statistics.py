"""What a scraper of this pod is told: requests and concurrency of the last second (spec dataplane 3.9).

Knows numbers and two text forms of them; not requests, not sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activator.reporting.concurrency import RequestStats
from swell.wire.stats import Stat, encode_stat

if TYPE_CHECKING:
    from activator.queueproxy.settings import Settings
    from swell.runtime.clock import Cancellable, Clock

PERIOD_S: Final = 1.0

_GAUGES: Final = (
    ("queue_requests_per_second", "request_count"),
    ("queue_proxied_operations_per_second", "proxied_request_count"),
    ("queue_average_concurrent_requests", "average_concurrent_requests"),
    ("queue_average_proxied_concurrent_requests", "average_proxied_concurrent_requests"),
    ("process_uptime", "process_uptime"),
)


class Statistics:
    """The running figures of one pod: `requests` is to be told of each one that comes and goes.

    `last` is the snapshot of the last whole second; empty before the first.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.last = Stat(pod_name=settings.pod)
        self._clock = clock
        self._started_s = clock.now()
        self.requests = RequestStats(self._started_s)
        self._timer: Cancellable | None = None
        labels = (
            ("namespace", settings.namespace),
            ("configuration", settings.configuration),
            ("revision", settings.revision),
            ("pod", settings.pod),
        )
        self._labels = ",".join(f'destination_{name}="{value}"' for name, value in labels)

    @property
    def concurrency(self) -> int:
        """Requests in flight now, waiting ones included."""
        return self.requests.concurrency

    def start(self) -> None:
        """Take a snapshot every second from now on."""
        self._timer = self._clock.call_later(PERIOD_S, self._tick)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def protobuf(self) -> bytes:
        """The snapshot as one bare `Stat`."""
        return encode_stat(self.last)

    def text(self) -> bytes:
        """The snapshot in Prometheus' text form."""
        lines = []
        for gauge, field in _GAUGES:
            lines += [f"# TYPE {gauge} gauge", f"{gauge}{{{self._labels}}} {getattr(self.last, field):g}"]
        return ("\n".join(lines) + "\n").encode()

    def _tick(self) -> None:
        now_s = self._clock.now()
        figures = self.requests.report(now_s)
        self.last = Stat(
            pod_name=self.last.pod_name,
            average_concurrent_requests=figures.average_concurrency,
            average_proxied_concurrent_requests=figures.average_proxied_concurrency,
            request_count=figures.request_count / PERIOD_S,
            proxied_request_count=figures.proxied_count / PERIOD_S,
            process_uptime=now_s - self._started_s,
        )
        self.start()
