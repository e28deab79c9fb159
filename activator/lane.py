"""One revision's way through the front door: its slots, its line, its deadlines, its figures.

Knows exchanges and backends; does not know hosts, Kubernetes or sockets. All calls are synchronous and
none of them blocks: a request that cannot go now is put into the line and goes when a slot comes free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activator.admission.throttler import Backend, Throttler
from activator.answers import LINE_FULL, SHUTTING_DOWN, TIMEOUT, failed_revision
from activator.deadlines import Deadlines
from activator.proxy.exchange import BODY_AHEAD_BYTES_MAX
from activator.proxy.replies import Answer
from activator.revision import RevisionFacts
from swell.wire import headers

if TYPE_CHECKING:
    from activator.admission.buffer import Room
    from activator.backends import Backends
    from activator.gateway import Target
    from activator.proxy.exchange import Exchange
    from activator.reporting.report import Reporter
    from activator.settings import Settings
    from swell.runtime.clock import Cancellable, Clock

# What the front door adds, and what it takes off: only the front door may say these things, so what a
# caller says of them is dropped (spec dataplane 1.2 and 6).
SET_HEADERS: Final = ((headers.PROXY_REQUEST, headers.PROXY_REQUEST_ACTIVATOR),)
DROP_HEADERS: Final = frozenset(
    {
        headers.PROXY_REQUEST,
        headers.KUBELET_PROBE,
        headers.NETWORK_PROBE,
        headers.NETWORK_HASH,
        headers.ORIGINAL_HOST,
        headers.SERVING_NAMESPACE,
        headers.SERVING_REVISION,
    }
)
# A revision that a Route names but that our caches do not know. They may be a moment behind.
NOT_FOUND: Final = "NotFound: no such revision"
# Size of a waiting request beside the bytes of its head and body: the exchange and its connection.
EXCHANGE_BYTES: Final = 4096
# A head is held as it came and in its parts.
HEAD_COPIES: Final = 3
# Those whose patience ends within so short a time are answered together.
GIVE_UP_STEP_S: Final = 0.01


def size_of(exchange: Exchange) -> int:
    """Bytes that a waiting request may hold: its head, and as much of a body as is read ahead."""
    ahead = BODY_AHEAD_BYTES_MAX if exchange.has_body else 0
    return EXCHANGE_BYTES + HEAD_COPIES * exchange.head_bytes + ahead


class Counts:
    """Plain numbers for metrics: answers by status, requests that had to wait, and second attempts."""

    __slots__ = ("by_status", "gone", "retried", "turned_away", "waited")

    def __init__(self) -> None:
        self.by_status: dict[int, int] = {}
        self.waited = 0
        self.turned_away = 0
        self.retried = 0
        self.gone = 0


class Lane:
    """The requests of one revision. `facts` is None while the Revision is not known to our caches."""

    __slots__ = (
        "_backends",
        "_clock",
        "_http2",
        "_known_backends",
        "_now",
        "_nowhere",
        "_patience_s",
        "_timer",
        "_waiting",
        "counts",
        "deadlines",
        "facts",
        "report",
        "target",
        "throttler",
    )

    def __init__(
        self,
        target: Target,
        settings: Settings,
        clock: Clock,
        room: Room[Exchange],
        backends: Backends,
        reporter: Reporter,
    ) -> None:
        facts = RevisionFacts()
        self.target = target
        self.facts: RevisionFacts | None = None
        self.counts = Counts()
        self.report = reporter.revision(target.namespace, target.name)
        self.throttler: Throttler[Exchange] = Throttler(room.line(), facts.container_concurrency)
        self.deadlines: Deadlines[Exchange] = Deadlines(clock, facts.head_timeout_s, facts.timeout_s, self._late)
        self._backends = backends
        self._clock = clock
        self._now = clock.now
        self._patience_s = settings.failed_patience_s
        self._http2 = False
        self._known_backends: list[Backend] = []
        self._waiting = False
        self._timer: Cancellable | None = None
        # What an exchange is tagged with while it has no backend.
        self._nowhere = Backend(("", 0))
        self._nowhere.lane = self

    def admit(self, exchange: Exchange) -> None:
        """A new request: to a pod if there is a slot, else into the line."""
        self.report.arrive(exchange.started_s)
        self.deadlines.begin(exchange)
        backend = self.throttler.take()
        if backend is None:
            self._wait(exchange, front=False)
        else:
            exchange.tag = backend
            exchange.forward(backend.address, set_headers=SET_HEADERS, drop_headers=DROP_HEADERS, http2=self._http2)

    def unsent(self, exchange: Exchange, backend: Backend) -> None:
        """Nothing of the request has reached the pod: another one, or the head of the line."""
        self.counts.retried += 1
        self.throttler.release(backend)
        # First into the line, so that whatever the pod's loss sets free goes to the longest waiting.
        self._wait(exchange, front=True)
        self._backends.refused(backend)
        self.pump()

    def done(self, exchange: Exchange, backend: Backend) -> None:
        """The exchange is over, in whatever way."""
        self.report.leave(self._now())
        self.deadlines.end(exchange)
        counts = self.counts
        if exchange.gone:
            counts.gone += 1
        else:
            counts.by_status[exchange.status] = counts.by_status.get(exchange.status, 0) + 1
        if backend is self._nowhere:
            self._leave_line(exchange)
        else:
            self.throttler.release(backend)
            if self.throttler.line.items:
                self.pump()

    def pump(self) -> None:
        """Start those in the line for whom there is a slot."""
        while (started := self.throttler.next()) is not None:
            exchange, backend = started
            exchange.tag = backend
            exchange.forward(backend.address, set_headers=SET_HEADERS, drop_headers=DROP_HEADERS, http2=self._http2)
        self._line_changed()

    def revision_changed(self, facts: RevisionFacts) -> None:
        """The Revision exists, with these limits. Requests in flight keep their slots."""
        before, self.facts = self.facts, facts
        self._http2 = facts.http2
        if before is None or before.container_concurrency != facts.container_concurrency:
            self.throttler.set_limit(facts.container_concurrency)
        if before is None or before.timeout_s != facts.timeout_s:
            self.deadlines.set_limits(facts.head_timeout_s, facts.timeout_s)
        self.pump()
        self.judge()

    def revision_removed(self) -> None:
        """The Revision is gone: what waits is told so once its patience is over."""
        self.facts = None
        self.judge()

    def pods_changed(self) -> None:
        """Its pods are others now, or fare differently."""
        usable = self._backends.usable(self.target)
        if usable is not self._known_backends:
            self._known_backends = usable
            for backend in usable:
                backend.lane = self
            self.throttler.set_backends(usable)
            self.pump()
        self.judge()

    def judge(self) -> None:
        """See to it that nobody waits for a revision that cannot start, longer than patience asks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        longest = self.throttler.line.first()
        if longest is not None and self.cause():
            due_s = longest.started_s + self._patience_s - self._clock.now()
            self._timer = self._clock.call_later(max(GIVE_UP_STEP_S, due_s), self._give_up)

    def cause(self) -> str:
        """Why no pod of this revision can be expected, or "". The pods know best, if there are any."""
        if self.throttler.backends:
            return ""
        if self.facts is None:
            return NOT_FOUND
        pods = [pod.facts for pod in self._backends.pods(self.target) if not pod.facts.leaving]
        if pods:
            troubles = [pod.trouble for pod in pods]
            return troubles[0] if all(troubles) else ""
        return self.facts.failed

    def shut(self) -> None:
        """Answer all who still wait: nothing will serve them any more."""
        for exchange in self.deadlines.items():
            if exchange.tag is self._nowhere:
                self._dismiss(exchange, SHUTTING_DOWN)

    def close(self) -> None:
        """Stop all timers."""
        self.deadlines.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def turn_away(self, exchange: Exchange) -> None:
        """The room is full, and this one has to leave the line it was taken from."""
        self.counts.turned_away += 1
        self._dismiss(exchange, LINE_FULL)

    def _wait(self, exchange: Exchange, *, front: bool) -> None:
        exchange.tag = self._nowhere
        self.counts.waited += 1
        for other in self.throttler.line.join(exchange, size_of(exchange), front=front):
            other.tag.lane.turn_away(other)
        self._line_changed()

    def _leave_line(self, exchange: Exchange) -> None:
        if self.throttler.line.leave(exchange):
            self._line_changed()

    def _line_changed(self) -> None:
        waiting = bool(self.throttler.line)
        if waiting != self._waiting:
            self._waiting = waiting
            self._backends.wait(self.target, waiting)
            self.judge()

    def _give_up(self) -> None:
        self._timer = None
        since_s = self._clock.now() - self._patience_s
        cause = self.cause()
        while cause and (longest := self.throttler.line.first()) and longest.started_s <= since_s:
            self._dismiss(longest, failed_revision(self.target, cause))
        self.judge()

    def _dismiss(self, exchange: Exchange, answer: Answer) -> None:
        self._leave_line(exchange)
        exchange.reply(answer.status, answer.body, answer.headers)

    def _late(self, exchange: Exchange) -> None:
        """Past a deadline. Once an answer has begun its status cannot change, so it is cut instead."""
        over = exchange.started_s + self.deadlines.total_s <= self._clock.now()
        if exchange.status:
            if over:
                exchange.abort()
        elif over or not exchange.informed:  # an interim response meets the time to the head (spec dataplane C36)
            self._dismiss(exchange, TIMEOUT)
