"""The queue-proxy itself: probe or request -> limits -> the app. One dispatcher for all exchanges of a pod.

Knows its own pod and HTTP; does not know Kubernetes, sockets or other pods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from activator.admission.breaker import FULL, RUN, WAIT, Admission, Breaker
from activator.deadlines import Deadlines
from activator.network_probe import path_works
from activator.proxy.replies import Answer, bad_gateway
from activator.proxy.states import HELD
from activator.queueproxy import answers
from activator.queueproxy.drain import SERVING, Drain
from activator.queueproxy.forwarded import forwarded
from activator.queueproxy.hold import Hold
from activator.queueproxy.idle import Idle
from swell.wire import headers

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.proxy.headers import Extra, Named
    from activator.proxy.heads import RequestFields
    from activator.queueproxy.readiness import Readiness
    from activator.queueproxy.settings import Settings
    from activator.queueproxy.statistics import Statistics
    from activator.queueproxy.usermetrics import Recorded
    from activator.queueproxy.watching import Watch
    from swell.runtime.clock import Clock

# Who asks for our health, on any path (spec dataplane 3.6).
PROBERS: Final = (headers.USER_AGENT_KUBE_PROBE, headers.USER_AGENT_ACTIVATOR, headers.USER_AGENT_AUTOSCALER)
# The places at a breaker, or none, of a request that had a slot.
RAN: Final = (None, RUN)
# What the app does not get to see (spec dataplane 1.2).
ROUTING: Final = frozenset((headers.SERVING_NAMESPACE, headers.SERVING_REVISION))
ROUTING_AND_HOST: Final = ROUTING | {headers.ORIGINAL_HOST}


class Ticket:
    """What we know of a request beside its exchange: its place at the breaker, if any, and since when it has a slot.

    `ran_s` is 0 for one that had to wait for nothing.
    """

    __slots__ = ("place", "ran_s", "reading")

    def __init__(self, reading: Reading, place: Admission | None) -> None:
        self.reading = reading
        self.place = place
        self.ran_s = 0.0


class Reading:
    """What the headers of a request mean to us. Found out once for requests with the same headers (bench.proxy).

    `proxied`: it came through the front door, so it is no probe, whatever a caller out there says that it is.
    `asks`: it may be a probe that we answer. `probe`: somebody looks whether we or the app are well; such a request is
    not in log and metrics. `counted`: it is in the statistics, and needs a slot if there is a limit. `ticket` is for
    all of them that need not wait. `recorded` is where the metrics have counted the last of them.
    """

    __slots__ = ("asks", "counted", "drop_headers", "probe", "proxied", "recorded", "set_headers", "ticket")

    def __init__(self, fields: RequestFields, limited: bool) -> None:
        named = fields.named
        self.proxied = named.get(headers.PROXY_REQUEST) == headers.PROXY_REQUEST_ACTIVATOR
        self.asks = not self.proxied and (
            headers.NETWORK_PROBE in named or named.get(headers.USER_AGENT, b"").startswith(PROBERS)
        )
        self.counted = not named.get(headers.KUBELET_PROBE)
        self.probe = not self.proxied and is_probe(named)
        self.ticket = Ticket(self, RUN if limited and self.counted else None)
        self.recorded: Recorded | None = None
        self.drop_headers = ROUTING_AND_HOST if self.counted else ROUTING
        value = forwarded(named, fields.headers)
        self.set_headers: Extra = ((headers.FORWARDED, value),) if value else ()
        # The host that the caller asked for.
        if self.counted and (host := named.get(headers.ORIGINAL_HOST)):
            self.set_headers = (*self.set_headers, (b"host", host))


def is_probe(named: Named) -> bool:
    """A kubelet's probe, or one that a component of the network has marked (spec dataplane 1.2)."""
    kubelet = named.get(headers.USER_AGENT, b"").startswith(headers.USER_AGENT_KUBE_PROBE)
    return kubelet or bool(named.get(headers.KUBELET_PROBE) or named.get(headers.NETWORK_PROBE))


class QueueProxy:
    """Dispatcher of the proxy. `dial()` says whether the app listens now.

    `breaker` is None without a limit. The tag of an exchange is its `Ticket`; a probe that we answer has none.
    `watch` is told of what is over; None, which is usual, costs nothing.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        readiness: Readiness,
        statistics: Statistics,
        dial: Callable[[], Awaitable[bool]],
    ) -> None:
        limit = settings.container_concurrency
        total_s, start_s, idle_s = settings.timeout_s, settings.response_start_timeout_s, settings.idle_timeout_s
        self.breaker: Breaker[Exchange] | None = Breaker(limit) if limit else None
        self.drain = Drain(clock, self.in_flight, settings.drain_quiet_s)
        self._app = settings.user_address
        self._http2 = settings.http2
        self._clock = clock
        self._readiness = readiness
        self._now = clock.now
        self._requests = statistics.requests
        self._hold: Hold[Exchange] = Hold(clock, dial, self._start, self._give_up)
        self._deadlines: Deadlines[Exchange] = Deadlines(clock, start_s or total_s, total_s, self._late)
        self._idle: Idle[Exchange] | None = Idle(clock, idle_s, self._deadlines.items, self._cut) if idle_s else None
        self._open = 0
        self._checks: set[asyncio.Task[None]] = set()
        self.watch: Watch | None = None

    def in_flight(self) -> int:
        """Requests that are not over; a tunnel is one until it closes."""
        return self._open

    async def close(self) -> None:
        """Stop all timers and tasks."""
        self.drain.close()
        self._deadlines.close()
        if self._idle is not None:
            self._idle.close()
        await self._hold.close()
        for task in self._checks:
            task.cancel()

    # The proxy calls these three.

    def on_request(self, exchange: Exchange) -> None:
        fields = exchange.fields
        reading: Reading | None = fields.memo
        if reading is None:
            fields.memo = reading = Reading(fields, self.breaker is not None)
        if not (reading.asks and self._answer_probe(exchange)):
            self._take(exchange, reading)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        """The app takes no connection. It has not seen the request, which may wait for its return."""
        self._hold.add(exchange, error)

    def on_done(self, exchange: Exchange) -> None:
        ticket: Ticket | None = exchange.tag
        now_s = self._now()
        watch = self.watch
        if ticket is None:
            if watch is not None:
                watch.probed(exchange, now_s)
            return
        self._open -= 1
        self._deadlines.end(exchange)
        reading = ticket.reading
        if watch is not None:
            if reading.probe:
                watch.probed(exchange, now_s)
            else:
                watch.finished(exchange, ticket.ran_s or exchange.started_s if ticket.place in RAN else None, now_s)
        if reading.counted:
            self._requests.leave(now_s, reading.proxied)
        # What follows is there for few requests only (bench.proxy).
        if self._hold.since:
            self._hold.discard(exchange)
        if ticket.place is not None:
            self._give_back(exchange, ticket.place)
        if self.drain.state is not SERVING:
            self.drain.finished()

    def _answer_probe(self, exchange: Exchange) -> bool:
        """Answer a probe (spec dataplane 3.6); False for a request."""
        named = exchange.named
        wanted = named.get(headers.NETWORK_PROBE, b"")
        if named.get(headers.USER_AGENT, b"").startswith(PROBERS):
            if self.drain.draining:
                _answer(exchange, answers.SHUTTING_DOWN)
            elif wanted == headers.NETWORK_PROBE_QUEUE:
                self._answer_when_checked(exchange)
            else:
                _answer(exchange, answers.unexpected_probe(wanted))
            return True
        if wanted != headers.NETWORK_PROBE_PROBE:
            return False
        hash_ = named.get(headers.NETWORK_HASH, b"")
        _answer(exchange, answers.SHUTTING_DOWN if self.drain.draining else path_works(hash_))
        return True

    def _answer_when_checked(self, exchange: Exchange) -> None:
        async def check() -> None:
            ready = await self._readiness.check()
            if exchange.state is HELD:  # else the caller has left
                _answer(exchange, answers.READY if ready else answers.NOT_READY)

        task = asyncio.create_task(check())
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    def _take(self, exchange: Exchange, reading: Reading) -> None:
        """A request: into the counts, and to the app as soon as there is a slot."""
        self._open += 1
        if self.drain.state is not SERVING:
            self.drain.arrived()
        self._deadlines.begin(exchange)
        if self._idle is not None:
            self._idle.begin()
        if reading.counted:
            self._requests.arrive(exchange.started_s, reading.proxied)
        ticket = reading.ticket
        if ticket.place is not None:
            assert self.breaker is not None
            place = self.breaker.admit(exchange)
            if place is not RUN:
                self._queue_up(exchange, Ticket(reading, place))
                return
        exchange.tag = ticket
        exchange.forward(
            self._app, set_headers=reading.set_headers, drop_headers=reading.drop_headers, http2=self._http2
        )

    def _queue_up(self, exchange: Exchange, ticket: Ticket) -> None:
        """All slots are taken: it waits, or there is no room for that either."""
        exchange.tag = ticket
        if ticket.place is FULL:
            _answer(exchange, answers.LINE_FULL)

    def _start(self, exchange: Exchange) -> None:
        """To the app, with the host that the caller asked for and a `Forwarded` if it has none."""
        reading: Reading = exchange.fields.memo
        exchange.forward(
            self._app, set_headers=reading.set_headers, drop_headers=reading.drop_headers, http2=self._http2
        )

    def _give_back(self, exchange: Exchange, place: Admission) -> None:
        """The exchange needs its slot, or its place in the line, no longer."""
        breaker = self.breaker
        assert breaker is not None
        if place is RUN:
            following = breaker.finish()
            if following is not None:
                following.tag.place = RUN
                if self.watch is not None:
                    following.tag.ran_s = self._now()
                self._start(following)
        elif place is WAIT:
            breaker.leave(exchange)

    def _give_up(self, exchange: Exchange, error: str) -> None:
        exchange.reply(*bad_gateway(error))

    def _late(self, exchange: Exchange) -> None:
        """Past the time for its first byte, or for its last (spec dataplane 3.5)."""
        began = exchange.status != 0 or exchange.informed
        if not began or exchange.started_s + self._deadlines.total_s <= self._clock.now():
            self._cut(exchange)

    def _cut(self, exchange: Exchange) -> None:
        """End it. An answer that has begun is broken off, so that the caller notices (spec dataplane 6)."""
        if exchange.status == 0:
            _answer(exchange, answers.TIMEOUT)
        else:
            exchange.abort()


def _answer(exchange: Exchange, answer: Answer) -> None:
    exchange.reply(answer.status, answer.body, answer.headers)
