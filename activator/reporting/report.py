"""What the autoscaler is told: concurrency and request counts per revision (spec dataplane 2.10).

Pure but for one timer: knows revisions by name and request counts, not connections. A revision's first
request is reported at once (the poke); after that all revisions are reported once a second, until they
have been quiet for a whole period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from activator.reporting.concurrency import RequestStats
from activator.reporting.history import History
from swell.wire.history import encode_history
from swell.wire.report import ProvenPod, encode_messages, encode_proven
from swell.wire.stats import Stat

if TYPE_CHECKING:
    from swell.runtime.clock import Cancellable, Clock

PERIOD_S: Final = 1.0

Key = tuple[str, str]
Send = Callable[[bytes], object]
Hearer = Callable[[], str]


class Reports(Protocol):
    """Who reports of revisions that have requests."""

    def revision(self, namespace: str, name: str) -> RevisionReport:
        """The figures of a revision, closed until its first request."""
        ...

    def begin(self, report: RevisionReport) -> None:
        """Open a revision's figures: the autoscaler hears of it at once."""
        ...


class RevisionReport:
    """The running figures of one revision. `concurrency` is what the last period came to."""

    __slots__ = ("_reporter", "_stats", "already_told", "concurrency", "key", "open")

    def __init__(self, reporter: Reports, key: Key) -> None:
        self.key = key
        self.open = False
        self.already_told = 0
        self.concurrency = 0.0
        self._reporter = reporter
        self._stats = RequestStats(0.0)

    def arrive(self, now_s: float) -> None:
        """A request came in: from now until `leave` it counts, waiting included."""
        if not self.open:
            self._stats = RequestStats(now_s)
            self._reporter.begin(self)
        self._stats.arrive(now_s)

    def leave(self, now_s: float) -> None:
        """Its answer, or its tunnel, has ended."""
        self._stats.leave(now_s)

    def period(self, now_s: float) -> Stat:
        """The figures since the last call, less what the poke has told; closes itself when all is quiet."""
        seen = self._stats.report(now_s)
        told, self.already_told = self.already_told, 0
        if seen.average_concurrency == 0 and self._stats.concurrency == 0:
            self.open = False
        self.concurrency = max(0.0, seen.average_concurrency - told)
        return Stat(average_concurrent_requests=self.concurrency, request_count=seen.request_count - told)


class Reporter:
    """Collects the reports of all revisions into messages for `send`.

    `hearer()` is the autoscaler that gets what is sent now, "" for one that does not ask for histories, or none.
    The timer runs only while a revision is open, so an idle activator does not wake up.
    """

    def __init__(self, pod_name: str, clock: Clock, send: Send, hearer: Hearer) -> None:
        self._pod_name = pod_name
        self._clock = clock
        self._send = send
        self._hearer = hearer
        self._history = History(clock.now())
        self._open: dict[RevisionReport, None] = {}
        self._timer: Cancellable | None = None

    def revision(self, namespace: str, name: str) -> RevisionReport:
        """See `Reports`."""
        return RevisionReport(self, (namespace, name))

    def begin(self, report: RevisionReport) -> None:
        """See `Reports`."""
        report.open = True
        report.already_told = 1
        self.poke([report.key])
        self._history.add(self._clock.now(), self._hearer(), [(report.key, 1.0, 1.0)])
        self.adopt(report)

    def adopt(self, report: RevisionReport) -> None:
        """Report of open figures from now on."""
        self._open[report] = None
        if self._timer is None:
            self._timer = self._clock.call_later(PERIOD_S, self._tick)

    def hand_over(self) -> list[RevisionReport]:
        """Report no more; returns the figures that are open, for others to adopt."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        found = list(self._open)
        self._open.clear()
        return found

    def poke(self, keys: Iterable[Key]) -> None:
        """Say that these revisions have a request; also after a reconnect, for those that still wait."""
        poke = Stat(pod_name=self._pod_name, average_concurrent_requests=1.0, request_count=1.0)
        messages = [(namespace, name, poke) for namespace, name in keys]
        if messages:
            self._send(encode_messages(messages))

    def remind(self) -> None:
        """Tell an autoscaler that asks for it what it has not heard: all of the last minute, if it has just begun."""
        hearer, now_s = self._hearer(), self._clock.now()
        if hearer:
            history = self._history
            self._send(encode_history(self._pod_name, history.age_s(now_s), history.tell(hearer, now_s)))

    def proven(self, namespace: str, pod: str, uid: str) -> None:
        """Say that a pod answers, which Kubernetes has not said yet."""
        self._send(encode_proven([ProvenPod(namespace, pod, uid)]))

    def flush(self) -> None:
        """Report the period until now, one message for all revisions; none if none is open."""
        now_s = self._clock.now()
        messages, reported = [], []
        for report in list(self._open):
            stat = report.period(now_s)
            stat.pod_name = self._pod_name
            messages.append((*report.key, stat))
            reported.append((report.key, stat.average_concurrent_requests, stat.request_count))
            if not report.open:
                del self._open[report]
        if messages:
            self._send(encode_messages(messages))
            self._history.add(now_s, self._hearer(), reported)

    def close(self) -> None:
        """Report what is left and stop."""
        self.flush()
        self.hand_over()

    def _tick(self) -> None:
        self._timer = None
        self.flush()
        if self._open:
            self._timer = self._clock.call_later(PERIOD_S, self._tick)
