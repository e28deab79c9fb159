"""The front door itself: host -> site -> revision -> lane. One dispatcher for all exchanges.

Knows where a request belongs; how it gets there is the lane's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from activator import answers
from activator.admission.buffer import Room
from activator.gateway import Gateway, Site, Target
from activator.lane import Lane
from activator.revision import RevisionFacts
from activator.tracing import new_traces
from swell.wire import headers

if TYPE_CHECKING:
    from activator.admission.throttler import Backend
    from activator.backends import Backends
    from activator.proxy.exchange import Exchange
    from activator.proxy.replies import Answer
    from activator.reporting.report import Reports
    from activator.requestlog.live import LiveLog
    from activator.settings import Settings
    from swell.runtime.clock import Clock


class Health:
    """Whether this program should get traffic: it serves, and is not on its way out.

    The autoscaler is looked for when the program starts, but only then, and not for ever: what has pods is served
    without it, what has none can wait here as well as anywhere, and no front door at all is worse than either.
    """

    __slots__ = ("looking", "serving", "terminating")

    def __init__(self) -> None:
        self.serving = False
        self.looking = True
        self.terminating = False

    def unready(self) -> str:
        """Why not, where it has them in the reference's words; "" when ready."""
        if self.terminating:
            return "received SIGTERM from kubelet"
        if not self.serving:
            return "caches are being filled"
        return "connection has not yet been established" if self.looking else ""


class Activator:
    """Dispatcher of the proxy. `lanes` holds the revisions; `unrouted` counts answers of our own by status."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        gateway: Gateway,
        backends: Backends,
        reporter: Reports,
        health: Health,
        request_log: LiveLog,
    ) -> None:
        self.gateway = gateway
        self.backends = backends
        self.lanes: dict[Target, Lane] = {}
        self.health = health
        self.request_log = request_log
        self.room: Room[Exchange] = Room(
            line_max=settings.line_max,
            line_bytes_max=settings.line_bytes_max,
            room_max=settings.room_max,
            bytes_max=settings.room_bytes_max,
        )
        self.unrouted: dict[int, int] = {}
        self._settings = settings
        self._clock = clock
        self._reporter = reporter
        self._hosts = gateway.hosts
        self._traces = new_traces(settings.trace_sampling_rate)
        self._share = (-1, 0)
        self._trusted = settings.trust_revision_headers

    # The proxy calls these three. They are the hot path: a lookup by host, one by revision, a slot.

    def on_request(self, exchange: Exchange) -> None:
        site = self._hosts.get(exchange.host)
        if site is None or self._trusted:
            self._find(exchange)
            return
        target = site.pick()
        if target is None:
            self._answer(
                exchange, answers.no_traffic(site.claim.route, site.claim.tag, answers.prefers_json(exchange.named))
            )
            return
        lane = self.lanes.get(target) or self.lane(target)
        lane.admit(exchange, site.marks)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        backend: Backend = exchange.tag
        backend.lane.unsent(exchange, backend)

    def on_done(self, exchange: Exchange) -> None:
        backend: Backend | None = exchange.tag
        if backend is not None:
            lane: Lane = backend.lane
            lane.done(exchange, backend)
            if lane.facts is None:
                self._tidy(lane)

    def lane(self, target: Target) -> Lane:
        """The lane of a revision; made when first asked for, perhaps before its object is known."""
        lane = self.lanes.get(target)
        if lane is None:
            lane = Lane(
                target,
                self._settings,
                self._clock,
                self.room,
                self.backends,
                self._reporter,
                self._traces,
                self.request_log,
            )
            lane.throttler.set_share(*self._share)
            self.lanes[target] = lane
            lane.pods_changed()
        return lane

    def revision_changed(self, target: Target, facts: RevisionFacts) -> None:
        """A Revision exists, or has changed."""
        self.backends.revision_changed(target, facts.kubernetes_decides)
        self.lane(target).revision_changed(facts)

    def revision_removed(self, target: Target) -> None:
        """A Revision is gone. Its lane is kept for what is in it, and goes with the last."""
        self.backends.revision_removed(target)
        lane = self.lanes.get(target)
        if lane is not None:
            lane.revision_removed()
            self._tidy(lane)

    def pods_changed(self, target: Target) -> None:
        """Called by the backends."""
        lane = self.lanes.get(target)
        if lane is not None:
            lane.pods_changed()

    def set_share(self, index: int, count: int) -> None:
        """Our place among the activators: pods with a container concurrency are divided between them."""
        self._share = (index, count)
        for lane in self.lanes.values():
            lane.throttler.set_share(index, count)
            lane.pump()

    def waiting(self) -> list[Target]:
        """Who has requests and no pod: an autoscaler that may have forgotten everything is told again."""
        return [lane.target for lane in self.lanes.values() if lane.throttler.line]

    def shut(self) -> None:
        """Answer those who still wait, and stop all timers."""
        for lane in self.lanes.values():
            lane.shut()
            lane.close()

    def _tidy(self, lane: Lane) -> None:
        """Forget the lane of a revision that does not exist, once nothing is in it."""
        if not len(lane.deadlines) and self.lanes.get(lane.target) is lane:
            lane.close()
            del self.lanes[lane.target]

    def refuse(self, exchange: Exchange) -> None:
        """Nothing answers at this host; a probe of our own health is answered at any."""
        named = exchange.named
        answer = answers.probe(named, self.health.unready())
        self._answer(exchange, answer or answers.unknown_host(exchange.host))

    def _find(self, exchange: Exchange) -> None:
        """A host that is no Route's, or any at all for an activator behind another ingress."""
        named = exchange.named
        site = self.gateway.find(exchange.host)
        if site is None or self._trusted:
            answer = answers.probe(named, self.health.unready())
            if answer is not None:
                self._answer(exchange, answer)
                return
        target = self._named_revision(exchange.host, named) if self._trusted else None
        if target is None and site is not None:
            target = site.pick()
            if target is None:
                self._answer(
                    exchange, answers.no_traffic(site.claim.route, site.claim.tag, answers.prefers_json(exchange.named))
                )
                return
        self._admit_or_refuse(exchange, target, site, named)

    def _admit_or_refuse(
        self, exchange: Exchange, target: Target | None, site: Site | None, named: dict[bytes, bytes]
    ) -> None:
        if target is not None and (not self._trusted or target in self.lanes):
            self.lane(target).admit(exchange, site.marks if site is not None else ())
        elif self._trusted:
            name = target.name if target else named.get(headers.SERVING_REVISION, b"").decode("latin-1")
            self._answer(exchange, answers.unknown_revision(name))
        else:
            self._answer(exchange, answers.unknown_host(exchange.host))

    def _named_revision(self, host: str, named: dict[bytes, bytes]) -> Target | None:
        """By both headers, or by a host `<revision>.<namespace>.svc.<domain>` (spec dataplane 2.3)."""
        namespace = named.get(headers.SERVING_NAMESPACE, b"").decode("latin-1")
        name = named.get(headers.SERVING_REVISION, b"").decode("latin-1")
        if namespace and name:
            return Target(namespace, name)
        local, found, _ = host.partition(f".svc.{self._settings.cluster_domain}")
        parts = local.split(".")
        if found and len(parts) == 2 and host not in self._hosts:
            return Target(parts[1], parts[0])
        return None

    def _answer(self, exchange: Exchange, answer: Answer) -> None:
        self.unrouted[answer.status] = self.unrouted.get(answer.status, 0) + 1
        exchange.reply(answer.status, answer.body, answer.headers)


class Outside:
    """The activator as callers from outside the cluster reach it: names inside the cluster are none of theirs."""

    __slots__ = ("_hosts", "_refuse", "_take", "on_done", "on_unsent")

    def __init__(self, activator: Activator) -> None:
        self._hosts = activator.gateway.public
        self._take = activator.on_request
        self._refuse = activator.refuse
        self.on_unsent = activator.on_unsent
        self.on_done = activator.on_done

    def on_request(self, exchange: Exchange) -> None:
        if exchange.host in self._hosts or exchange.host.rstrip(".") in self._hosts:
            self._take(exchange)
        else:
            self._refuse(exchange)
