"""The small ports beside the traffic: drain (8022), statistics (9090), user metrics (9091). Each is a dispatcher."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from activator.proxy.replies import Answer
from activator.queueproxy import answers
from swell.wire import headers

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.queueproxy.drain import Drain
    from activator.queueproxy.statistics import Statistics
    from activator.queueproxy.usermetrics import UserMetrics

WAIT_FOR_DRAIN: Final = b"/wait-for-drain"
METRICS: Final = b"/metrics"
PROMETHEUS: Final = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),)
_PROTOBUF: Final = ((b"content-type", headers.STATS_CONTENT_TYPE),)


class DrainPort:
    """`/wait-for-drain` answers once the pod may go: the preStop hook of every container of the app calls it."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    def on_request(self, exchange: Exchange) -> None:
        if _path(exchange) != WAIT_FOR_DRAIN:
            _answer(exchange, answers.NOT_FOUND)
            return

        def done() -> None:
            exchange.tag = None
            _answer(exchange, answers.DRAINED)

        exchange.tag = done
        self._drain.ask(done)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        raise AssertionError("nothing is forwarded here")

    def on_done(self, exchange: Exchange) -> None:
        waiting: Callable[[], object] | None = exchange.tag
        if waiting is not None:
            self._drain.forget(waiting)


class UserMetricsPort:
    """`/metrics`: what a user's Prometheus reads (spec dataplane 3.12)."""

    def __init__(self, metrics: UserMetrics) -> None:
        self._metrics = metrics

    def on_request(self, exchange: Exchange) -> None:
        if _path(exchange) == METRICS:
            exchange.reply(200, self._metrics.text(), PROMETHEUS)
        else:
            _answer(exchange, answers.NOT_FOUND)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        raise AssertionError("nothing is forwarded here")

    def on_done(self, exchange: Exchange) -> None:
        """Nothing is kept of a scrape."""


class StatisticsPort:
    """`/metrics`: protobuf; Prometheus' text for who accepts text and does not name protobuf (spec dataplane 3.9)."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    def on_request(self, exchange: Exchange) -> None:
        if _path(exchange) != METRICS:
            _answer(exchange, answers.NOT_FOUND)
        elif _wants_text(exchange.named.get(b"accept", b"")):
            exchange.reply(200, self._statistics.text(), PROMETHEUS)
        else:
            exchange.reply(200, self._statistics.protobuf(), _PROTOBUF)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        raise AssertionError("nothing is forwarded here")

    def on_done(self, exchange: Exchange) -> None:
        """Nothing is kept of a scrape."""


def _wants_text(accept: bytes) -> bool:
    return b"text/plain" in accept and headers.STATS_CONTENT_TYPE not in accept


def _path(exchange: Exchange) -> bytes:
    return exchange.target.partition(b"?")[0]


def _answer(exchange: Exchange, answer: Answer) -> None:
    exchange.reply(answer.status, answer.body, answer.headers)
