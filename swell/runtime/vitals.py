"""What a program of the control plane says of itself on its admin port. Knows paths and numbers, not the program.

GET /livez (the process turns its loop), GET /readyz (it works, or stands by for the one that does), GET /metrics.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from swell.runtime.adminport import AdminPort, Answer

if TYPE_CHECKING:
    from prometheus_client.core import Metric

METRICS: Final = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),)

Source = Callable[[], "Iterable[Metric]"]


class Vitals:
    """`ready` is the program's to set. Figures are plain numbers of its parts, read at each scrape."""

    def __init__(self) -> None:
        self.ready = False
        self._sources: list[Source] = []

    def add(self, source: Source) -> None:
        """Have what `source()` yields in the metrics."""
        self._sources.append(source)

    def remove(self, source: Source) -> None:
        """The part that `source` belongs to has ended."""
        self._sources.remove(source)

    def stand_by(self) -> None:
        """Another one works; this one is ready to take over."""
        self.ready = True

    @asynccontextmanager
    async def served(self, host: str, port: int) -> AsyncIterator[None]:
        """Listen meanwhile; port 0: do not. Raises `SwellError` when the address cannot be had."""
        if not port:
            yield
            return
        admin = AdminPort(self.answer)
        await admin.start(host, port)
        try:
            yield
        finally:
            await admin.close()

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to one request."""
        match (method, path):
            case ("GET" | "HEAD", "/livez"):
                return Answer(200, b"ok\n")
            case ("GET" | "HEAD", "/healthz" | "/readyz"):
                return Answer(200, b"ok\n") if self.ready else Answer(500, b"caches are being filled\n")
            case ("GET", "/metrics"):
                return Answer(200, prometheus(self._sources), METRICS)
        return Answer(404, f"no {method} {path} here; there are /livez, /readyz and /metrics\n".encode())


def prometheus(sources: Iterable[Source]) -> bytes:
    """Prometheus text of the sources and of the process. The library is loaded at the first scrape."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    for source in sources:
        registry.register(_Collector(source))
    return generate_latest(registry)


class _Collector:
    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
        return self._source()
