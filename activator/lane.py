"""One revision's way through the front door: its slots, its line, its deadlines, its figures.

Knows exchanges and backends; does not know hosts, Kubernetes or sockets. All calls are synchronous and
none of them blocks: a request that cannot go now is put into the line and goes when a slot comes free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activator import answers, page
from activator.admission.throttler import Backend, Throttler
from activator.asleep import Asleep
from activator.counts import Counts
from activator.deadlines import Deadlines
from activator.footprint import size_of
from activator.patience import Patience
from activator.phases import Phases
from activator.proxy.replies import Answer
from activator.reading import Reading
from activator.revision import RevisionFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from activator.admission.buffer import Room
    from activator.backends import Backends
    from activator.gateway import Target
    from activator.proxy.exchange import Exchange
    from activator.proxy.headers import Extra
    from activator.reporting.report import Reports
    from activator.requestlog.live import LiveLog
    from activator.settings import Settings
    from swell.runtime.clock import Cancellable, Clock

# A revision that a Route names but that our caches do not know. They may be a moment behind.
NOT_FOUND: Final = "NotFound: no such revision"


class Lane:
    """The requests of one revision. `facts` is None while the Revision is not known to our caches."""

    __slots__ = (
        "_asleep",
        "_backends",
        "_behind_ingress",
        "_body_bytes_default",
        "_body_bytes_max",
        "_clock",
        "_http2",
        "_known_backends",
        "_log",
        "_now",
        "_nowhere",
        "_patience",
        "_pumping",
        "_special",
        "_traces",
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
        reporter: Reports,
        traces: Iterator[bytes],
        request_log: LiveLog,
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
        self._traces = traces
        self._log = request_log
        self._body_bytes_default = settings.body_bytes_max
        self._behind_ingress = settings.trust_revision_headers
        self._patience = Patience(target, settings, clock, self.throttler.line, self.cause, self._dismiss)
        self._set_rules(facts)
        self._http2 = False
        self._known_backends: list[Backend] = []
        self._waiting = False
        self._pumping: Cancellable | None = None
        # What an exchange is tagged with while it has no backend.
        self._nowhere = Backend(("", 0))
        self._nowhere.lane = self

    def admit(self, exchange: Exchange, marks: Extra = ()) -> None:
        """A new request: to a pod if there is a slot, else into the line. `marks` are its site's."""
        if self._special and self._answer_at_once(exchange):
            return
        fields = exchange.fields
        reading: Reading | None = fields.memo
        if reading is None or reading.marks is not marks:
            fields.memo = Reading(exchange.named, exchange.disbelieved, marks, behind_ingress=self._behind_ingress)
        self.report.arrive(exchange.started_s)
        self.deadlines.begin(exchange)
        backend = self.throttler.take()
        if backend is None:
            self._wait(exchange, front=False)
        else:
            self._send(exchange, backend)

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
        now_s = self._now()
        self.report.leave(now_s)
        self.deadlines.end(exchange)
        if exchange.gone:
            self.counts.gone += 1
        else:
            self.counts.answered(exchange.status, now_s - exchange.started_s)
        if self._log.on:
            self._log.put(exchange, self.target, self.facts, now_s)
        if backend is self._nowhere:
            self._leave_line(exchange)
        else:
            self.throttler.release(backend)
            if exchange.hung_up:
                self._backends.refused(backend)
            if not self.throttler.line.items:
                return
            if exchange.gone:
                self._pump_soon()
            else:
                self.pump()

    def pump(self) -> None:
        """Start those in the line for whom there is a slot."""
        while (started := self.throttler.next()) is not None:
            exchange, backend = started
            exchange.head_fields = Phases(exchange.started_s, backend.usable_s, self._now(), self._now).fields
            self._send(exchange, backend)
        self._line_changed()

    def revision_changed(self, facts: RevisionFacts) -> None:
        """The Revision exists, with these limits. Requests in flight keep their slots."""
        before, self.facts = self.facts, facts
        self._http2 = facts.http2
        if before is None or before.container_concurrency != facts.container_concurrency:
            self.throttler.set_limit(facts.container_concurrency)
        if before is None or before.timeout_s != facts.timeout_s:
            self.deadlines.set_limits(facts.head_timeout_s, facts.timeout_s)
        if before is None or before.rules != facts.rules:
            self._set_rules(facts)
        self.pump()
        self._patience.judge()

    def revision_removed(self) -> None:
        """The Revision is gone: what waits is told so once its patience is over."""
        self.facts = None
        self._patience.judge()

    def pods_changed(self) -> None:
        """Its pods are others now, or fare differently."""
        usable = self._backends.usable(self.target)
        if usable is not self._known_backends:
            before, self._known_backends = set(self._known_backends), usable
            for backend in usable:
                backend.lane = self
                if backend not in before:
                    backend.usable_s = self._now()
            self.throttler.set_backends(usable)
            self.pump()
        self._patience.judge()

    def cause(self) -> str:
        """Why no pod of this revision can be expected, or "". The pods know best, if there are any on a node."""
        if self.throttler.backends:
            return ""
        facts = self.facts
        if facts is None:
            return NOT_FOUND
        pods = [pod.facts for pod in self._backends.pods(self.target) if not pod.facts.leaving]
        told = [pod.trouble or (facts.failed if pod.unplaced or facts.overdue else "") for pod in pods]
        if told:
            return told[0] if all(told) else ""
        return facts.failed

    def shut(self) -> None:
        """Answer all who still wait: nothing will serve them any more."""
        for exchange in self.deadlines.items():
            if exchange.tag is self._nowhere:
                self._dismiss(exchange, answers.SHUTTING_DOWN)

    def close(self) -> None:
        """Stop all timers."""
        self.deadlines.close()
        self._patience.close()
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None

    def turn_away(self, exchange: Exchange) -> None:
        """The room is full, and this one has to leave the line it was taken from."""
        self.counts.turned_away += 1
        self._dismiss(exchange, answers.LINE_FULL)

    def _set_rules(self, facts: RevisionFacts) -> None:
        self._asleep = Asleep(facts.rules)
        self._body_bytes_max = facts.rules.body_bytes_max or self._body_bytes_default
        self._special = bool(self._body_bytes_max or facts.rules.cold_start_page or facts.rules.no_wake_paths)

    def _answer_at_once(self, exchange: Exchange) -> bool:
        """Answer what is not to go on to a pod, or not to wait for one; false if this is no such request."""
        if self._body_bytes_max and exchange.limit_body(self._body_bytes_max):
            self._reply(exchange, answers.body_too_large(self._body_bytes_max))
        elif self.throttler.backends:
            return False
        elif self._asleep.lets_sleep(exchange.target):
            cause, as_json = self.cause(), answers.prefers_json(exchange.named)
            self._reply(exchange, answers.failed_revision(self.target, cause, as_json) if cause else answers.ASLEEP)
        elif self._asleep.shows_page(exchange.method, exchange.named):
            # It does not wait, but it is a request all the same, and wakes the revision.
            self.report.arrive(exchange.started_s)
            self.report.leave(self._now())
            self._reply(exchange, page.starting(exchange.host, self.cause()))
        else:
            return False
        return True

    def _reply(self, exchange: Exchange, answer: Answer) -> None:
        now_s = self._now()
        self.counts.answered(answer.status, now_s - exchange.started_s)
        exchange.reply(answer.status, answer.body, answer.headers)
        if self._log.on:
            self._log.put(exchange, self.target, self.facts, now_s)

    def _send(self, exchange: Exchange, backend: Backend) -> None:
        exchange.tag = backend
        reading: Reading = exchange.fields.memo
        exchange.forward(
            backend.address,
            set_headers=reading.set_headers,
            drop_headers=reading.drop_headers,
            trace=b"" if reading.traced else next(self._traces),
            http2=self._http2,
        )

    def _wait(self, exchange: Exchange, *, front: bool) -> None:
        exchange.tag = self._nowhere
        self.counts.waited += 1
        low = exchange.fields.memo.low
        for other in self.throttler.line.join(exchange, size_of(exchange), front=front, low=low):
            other.tag.lane.turn_away(other)
        self._line_changed()

    def _pump_soon(self) -> None:
        """Once all that has happened by now is known: of callers that leave together, none is to be sent for."""
        if self._pumping is None:
            self._pumping = self._clock.call_later(0.0, self._pump_now)

    def _pump_now(self) -> None:
        self._pumping = None
        self.pump()

    def _leave_line(self, exchange: Exchange) -> None:
        if self.throttler.line.leave(exchange):
            self._line_changed()

    def _line_changed(self) -> None:
        waiting = bool(self.throttler.line)
        if waiting != self._waiting:
            self._waiting = waiting
            self._backends.wait(self.target, waiting)
            self._patience.judge()

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
            self._dismiss(exchange, answers.TIMEOUT)
