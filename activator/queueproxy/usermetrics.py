"""What a user sees of a pod's requests at 9091: counts by status, method and so on (spec dataplane 3.12).

Knows numbers and their text form. A request is a few additions; the text is made when somebody asks for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from swell.wire import headers

if TYPE_CHECKING:
    from activator.admission.breaker import Breaker
    from activator.proxy.exchange import Exchange
    from activator.queueproxy.settings import Settings

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
BYTES: Final = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
# Callers choose hosts and tags: what is more than this is put together, as `other`.
SERIES_MAX: Final = 500
METHODS: Final = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"))
OTHER: Final = "_OTHER"


class Histogram:
    """Counts of values by upper bound, as Prometheus has them."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> Iterable[str]:
        """Its text. `labels` without braces."""
        total = 0
        for bound, count in zip((*map("{:g}".format, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
        yield f"{name}_sum{{{labels}}} {self._sum:.9g}"
        yield f"{name}_count{{{labels}}} {total}"


class Labels(NamedTuple):
    """What the requests of one series have in common."""

    method: bytes
    status: int
    host: bytes
    version: str
    tag: str

    def text(self) -> str:
        """As `http.server.*` has them."""
        host, _, port = self.host.decode("latin-1").rpartition(":")
        if not (host and port.isdecimal()):
            host, port = self.host.decode("latin-1"), ""
        pairs = {
            "http_request_method": self.method.decode("latin-1"),
            "http_response_status_code": self.status,
            "kn_route_tag": self.tag,
            "network_protocol_name": "http",
            "network_protocol_version": self.version,
            "server_address": host,
            "server_port": port,
            "url_scheme": "http",
        }
        return labels_text({name: str(value) for name, value in pairs.items() if value != ""})


class Series:
    """The figures of one set of labels."""

    __slots__ = ("duration", "request_bytes", "response_bytes")

    def __init__(self) -> None:
        self.duration = Histogram(SECONDS)
        self.request_bytes = Histogram(BYTES)
        self.response_bytes = Histogram(BYTES)


class Recorded:
    """Where requests of this method, with this status and the same headers, are counted.

    `length` is the size of the body that their headers tell of, None for one of unknown size.
    """

    __slots__ = ("code", "length", "method", "series")

    def __init__(self, method: bytes, code: int, series: Series, length: int | None) -> None:
        self.method = method
        self.code = code
        self.series = series
        self.length = length


class UserMetrics:
    """All figures of a pod. `breaker` is None without a limit."""

    def __init__(self, settings: Settings, breaker: Breaker[Exchange] | None) -> None:
        self._breaker = breaker
        self._series: dict[Labels, Series] = {}
        self._invocations: dict[int, Histogram] = {}
        self._resource = labels_text(resource(settings))

    def finished(self, exchange: Exchange, code: int, ran_s: float | None, now_s: float) -> None:
        """A request is over that had its slot from `ran_s` on, None if it never got one; it was recorded as `code`."""
        method, reading = exchange.request.method, exchange.fields.memo
        recorded: Recorded | None = reading.recorded
        if recorded is None or recorded.code != code or recorded.method != method:
            reading.recorded = recorded = self._recorded(exchange, code)
        if ran_s is not None:
            invocation = self._invocations.get(code)
            if invocation is None:
                self._invocations[code] = invocation = Histogram(SECONDS)
            invocation.add(now_s - ran_s)
        series = recorded.series
        series.duration.add(now_s - exchange.started_s)
        series.response_bytes.add(exchange.sent_bytes - exchange.overhead_bytes)
        if recorded.length is not None:
            series.request_bytes.add(recorded.length)

    def text(self) -> bytes:
        """All of it, in Prometheus' text form."""
        lines = ["# TYPE target_info gauge", f"target_info{{{self._resource}}} 1"]
        name = "kn_serving_invocation_duration_seconds"
        lines.append(f"# TYPE {name} histogram")
        for code, invocation in self._invocations.items():
            lines += invocation.lines(name, f'http_response_status_code="{code}"')
        if self._breaker is not None:
            depth = self._breaker.waiting + self._breaker.running
            lines += ["# TYPE kn_serving_queue_depth gauge", f"kn_serving_queue_depth {depth}"]
        series = [(labels.text(), found) for labels, found in self._series.items()]
        for name, of in _SERVER:
            lines.append(f"# TYPE {name} histogram")
            for labels_, found in series:
                lines += of(found).lines(name, labels_)
        return ("\n".join(lines) + "\n").encode()

    def _recorded(self, exchange: Exchange, code: int) -> Recorded:
        fields = exchange.fields
        named = fields.named
        version = "2" if exchange.http2 else fields.version
        labels = Labels(exchange.method, code, headers.asked_host(named), version, route_tag(named))
        length = named.get(b"content-length")
        size = int(length) if length is not None else None if fields.has_body else 0
        return Recorded(labels.method, code, self._series.get(labels) or self._new(labels), size)

    def _new(self, labels: Labels) -> Series:
        """A series for labels that are new, or, when there are too many, one for all that follow."""
        if labels.method not in METHODS:
            labels = labels._replace(method=OTHER.encode())
        if len(self._series) >= SERIES_MAX:
            labels = labels._replace(host=OTHER.encode(), tag=OTHER, method=OTHER.encode())
        found = self._series.get(labels)
        if found is None:
            self._series[labels] = found = Series()
        return found


_SERVER: Final[tuple[tuple[str, Callable[[Series], Histogram]], ...]] = (
    ("http_server_request_duration_seconds", lambda series: series.duration),
    ("http_server_request_body_size_bytes", lambda series: series.request_bytes),
    ("http_server_response_body_size_bytes", lambda series: series.response_bytes),
)


def route_tag(named: Mapping[bytes, bytes]) -> str:
    """The tag that a request was routed by (spec dataplane 3.10)."""
    tag, default = named.get(headers.SERVING_TAG, b""), named.get(headers.SERVING_DEFAULT_ROUTE)
    if not tag:
        return "kn:disabled" if default is None else "kn:default"
    return "kn:undefined" if default == b"true" else tag.decode("latin-1")


def resource(settings: Settings) -> dict[str, str]:
    """Who the figures are of."""
    names = (settings.service, settings.configuration, settings.revision, settings.pod)
    return {
        "container_name": "queue-proxy",
        "k8s_namespace_name": settings.namespace,
        "k8s_pod_name": settings.pod,
        "kn_configuration_name": settings.configuration,
        "kn_revision_name": settings.revision,
        "kn_service_name": settings.service,
        "service_instance_id": settings.pod,
        "service_name": next((name for name in names if name), ""),
    }


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels without braces."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
