"""The request log of a program: a line for each request that is over (spec dataplane 3.11).

Both programs use it: the pod that served the request is told with each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swell.api.request_log import Entry, Pod, line
from swell.api.text_template import Template
from swell.wire import headers

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.requestlog.writer import LineWriter

# What is recorded where the caller has no status from us. 499 is what others call a caller that left (spec
# dataplane 6); 500 is the reference's for an answer that was broken off.
CALLER_LEFT: Final = 499
BROKEN_OFF: Final = 500


class RequestLog:
    """Writes lines as `template` says."""

    __slots__ = ("_template", "_writer")

    def __init__(self, template: Template[Entry], writer: LineWriter) -> None:
        self._template = template
        self._writer = writer

    def put(self, exchange: Exchange, pod: Pod, code: int, latency_s: float) -> None:
        """A request is over: with this status, after so long."""
        entry = entry_of(exchange, pod, code, latency_s)
        self._writer.put(line(self._template, entry).encode("utf-8", "surrogateescape"))


def status_of(exchange: Exchange) -> int:
    """What is recorded of how it ended."""
    if exchange.gone:
        return CALLER_LEFT
    return BROKEN_OFF if exchange.aborted or not exchange.status else exchange.status


def entry_of(exchange: Exchange, pod: Pod, code: int, latency_s: float) -> Entry:
    """What the log may say of an exchange."""
    named = exchange.named
    host, port = exchange.peer
    length = named.get(b"content-length")
    return Entry(
        method=exchange.method.decode(),
        target=exchange.target.decode(),
        host=headers.asked_host(named).decode("utf-8", "surrogateescape"),
        version="2.0" if exchange.http2 else exchange.fields.version,
        content_length=int(length) if length is not None else -1 if exchange.has_body else 0,
        remote_address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        named=named,
        code=code,
        size=exchange.body_sent_bytes,
        latency_s=round(latency_s, 9),
        pod=pod,
    )
