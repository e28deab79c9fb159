"""Scraping: what is asked of pods past the front door, each revision once a second (spec autoscaling 2.4, 2.7, 2.8).

Requests that pass the front door are reported by it, and left out of what pods say: see `Revisions.record`. So this is
for callers inside the cluster that use pods' addresses. Only revisions with ready pods are scraped: at zero, a
revision costs nothing. While the pods of a revision do not answer it is `blind`: nothing asked is not known to be so.

Without a private Service per revision a mesh can only be passed by address. In mode `enabled`, and in `auto` once a
mesh has answered for all pods of a revision, nobody is asked, and what the front door reports is all that counts.
"""

from __future__ import annotations

import random
import zlib
from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from autoscaler.metrics.ask import Asker
from autoscaler.metrics.sample import Fault, Figures, Pod, Round, in_order
from autoscaler.pods import State, owner_of, state_of
from swell.api.meta import Key, Obj, parse_rfc3339
from swell.runtime import log
from swell.runtime.clock import Cancellable, Clock
from swell.wire.stats import Stat

PERIOD_S: Final = 1.0
# Figures are handed on together: one call for a thousand revisions costs little more than one for one.
HAND_ON_S: Final = 0.25
ASKING_MAX: Final = 1024
"""Questions under way at a time; a revision whose turn comes above that waits for the next second."""
NAME: Final = "service-scraper"
PORT: Final = 9090
PORT_NAME: Final = "http-autometric"
AUTO: Final = "auto"
ENABLED: Final = "enabled"
DURATIONS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the histogram of durations."""

logger = log.get(__name__)


def pod_of(obj: Obj) -> Pod | None:
    """Where a pod is asked and since when it runs; None if it is not to be asked: not ready, leaving, no address."""
    status = obj.get("status") or {}
    if state_of(obj) is not State.READY or not status.get("podIP"):
        return None
    started = status.get("startTime")
    return Pod((str(status["podIP"]), _port(obj)), parse_rfc3339(started) if started else 0.0)


def _port(obj: Obj) -> int:
    for container in obj["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == PORT_NAME:
                return int(port["containerPort"])
    return PORT


class _Scraped:
    """One revision. `window_s` None: it is not to be scraped; `blind` None: it has not been found out."""

    __slots__ = ("blind", "due_s", "error", "meshed", "pods", "round", "timer", "window_s")

    def __init__(self) -> None:
        self.window_s: float | None = None
        self.pods: dict[str, Pod] = {}
        self.timer: Cancellable | None = None
        self.due_s = 0.0
        self.round: Round | None = None
        self.meshed = False
        self.blind: bool | None = None
        self.error = ""


class Scraper:
    """Scrapes the revisions that `follow` names, by the pods that `pod_changed` tells of.

    `hand_on(stats)` gets what was found, with the second it was found in, by `now()`; `set_blind(revision, blind)` is
    told of each change.
    """

    def __init__(
        self,
        clock: Clock,
        now: Callable[[], float],
        hand_on: Callable[[list[tuple[Key, Stat]]], object],
        set_blind: Callable[[Key, bool], object],
    ) -> None:
        self._clock = clock
        self._now = now
        self._hand_on = hand_on
        self._set_blind = set_blind
        self._asker = Asker(clock)
        self._revisions: dict[Key, _Scraped] = {}
        self._found: list[tuple[Key, Stat]] = []
        self._handing: Cancellable | None = None
        self._mode = AUTO
        self._closed = False
        self.counts = [0] * (len(DURATIONS_S) + 1)
        self.seconds = 0.0
        self.failures = 0
        self.skipped = 0

    @property
    def scraped(self) -> int:
        """How many revisions are scraped now."""
        return sum(each.timer is not None for each in self._revisions.values())

    @property
    def blind(self) -> int:
        """Of how many it is not known whether anything is asked past the front door."""
        return sum(bool(each.blind) for each in self._revisions.values())

    def trouble(self, key: Key) -> str:
        """Why a revision's pods cannot be asked; "" if they can, or need not be."""
        found = self._revisions.get(key)
        return found.error if found is not None else ""

    def configure(self, mode: str, *, passthrough: bool) -> None:
        """Take `mesh-compatibility-mode` and `enable-mesh-pod-addressability` of config-network."""
        if (mode, passthrough) == (self._mode, self._asker.passthrough):
            return
        self._mode, self._asker.passthrough = mode, passthrough
        if mode == ENABLED:
            logger.warning(
                "pods are not scraped: only what passes the front door is counted",
                reason="config-network has mesh-compatibility-mode: enabled, and revisions have no private Service",
            )
        for key, each in list(self._revisions.items()):
            each.meshed = False
            self._arrange(key, each)

    def follow(self, key: Key, window_s: float | None) -> None:
        """Scrape a revision from now on, by its stable window; None: no more."""
        if window_s is None and key not in self._revisions:
            return
        found = self._revisions.setdefault(key, _Scraped())
        found.window_s = window_s
        self._arrange(key, found, anew=True)

    def pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        """Take in one event of a pod of a revision."""
        if old is not None and (new is None or _uid(old) != _uid(new)):
            self._put(old, None)
        if new is not None:
            self._put(new, pod_of(new))

    def _put(self, obj: Obj, pod: Pod | None) -> None:
        owner, uid = owner_of(obj), _uid(obj)
        if owner is None:
            return
        key = owner.revision
        each = self._revisions.get(key) or _Scraped()
        before = each.pods.pop(uid, None)
        if pod is not None:
            each.pods[uid] = pod
        if pod == before:
            return
        if before is not None and (pod is None or pod.address != before.address):
            self._asker.drop(before.address)
        self._revisions[key] = each
        self._arrange(key, each)

    async def close(self) -> None:
        """Stop for good."""
        self._closed = True
        for each in self._revisions.values():
            if each.timer is not None:
                each.timer.cancel()
        if self._handing is not None:
            self._handing.cancel()
        await self._asker.close()

    def _arrange(self, key: Key, each: _Scraped, *, anew: bool = False) -> None:
        """Start or stop what is to be done every second, and say so. `anew`: whoever listens may have forgotten."""
        wanted = each.window_s is not None and bool(each.pods) and not each.meshed and self._mode != ENABLED
        if not wanted:
            if each.timer is not None:
                each.timer.cancel()
            each.timer, each.error = None, ""
            self._tell(key, each, False, anew=anew)
            if each.window_s is None and not each.pods:
                del self._revisions[key]
            return
        if each.timer is None and not self._closed:
            # Spread over the second, so that what comes in between never waits for a thousand scrapes.
            phase_s = zlib.crc32(str(key).encode()) % 1000 / 1000 * PERIOD_S
            each.due_s = self._clock.now() + phase_s
            each.timer = self._clock.call_later(phase_s, lambda: self._scrape(key, each))
            self._tell(key, each, True, anew=anew)
        elif anew:
            self._tell(key, each, each.blind is not False, anew=True)

    def _tell(self, key: Key, each: _Scraped, blind: bool, *, anew: bool = False) -> None:
        if anew or each.blind is not blind:
            each.blind = blind
            self._set_blind(key, blind)

    def _scrape(self, key: Key, each: _Scraped) -> None:
        now_s = self._clock.now()
        each.due_s = max(each.due_s + PERIOD_S, now_s)  # what is late does not make the next one late
        each.timer = self._clock.call_later(each.due_s - now_s, lambda: self._scrape(key, each))
        if each.round is not None or self._asker.asking >= ASKING_MAX:
            self.skipped += 1
            return
        assert each.window_s is not None
        old_from_s = self._clock.wall() - each.window_s
        current = each.round = Round(in_order(list(each.pods.values()), old_from_s, random.shuffle))
        began_s = self._clock.now()

        def ask(pod: Pod) -> None:
            self._asker.ask(pod.address, told)

        def told(found: Figures | Fault) -> None:
            if isinstance(found, Fault):
                another = current.failed(found)
                if another is not None:
                    ask(another)
            else:
                current.answered(found)
            if current.done:
                each.round = None
                self._ended(key, each, current, self._clock.now() - began_s)

        for pod in current.first():
            ask(pod)

    def _ended(self, key: Key, each: _Scraped, ended: Round, took_s: float) -> None:
        self.counts[bisect_left(DURATIONS_S, took_s)] += 1
        self.seconds += took_s
        if each.timer is None or self._closed:
            return
        figures = ended.figures
        if figures is None:
            self._failed(key, each, ended.fault)
            return
        if each.error:
            logger.info("pods are scraped again", revision=key)
            each.error = ""
        self._found.append((key, Stat(NAME, *figures, timestamp=int(self._now()))))
        if self._handing is None:
            self._handing = self._clock.call_later(HAND_ON_S, self._hand)

    def _failed(self, key: Key, each: _Scraped, fault: Fault) -> None:
        self.failures += 1
        if fault.mesh and self._mode == AUTO and not self._asker.passthrough:
            logger.warning(
                "a mesh answers for the pods of a revision: only what passes the front door is counted",
                revision=key,
                error=fault.error,
            )
            each.meshed = True
            self._arrange(key, each)
            return
        if not each.error:
            logger.warning("pods cannot be scraped: nothing asked does not count", revision=key, error=fault.error)
        each.error = fault.error
        self._tell(key, each, True)

    def _hand(self) -> None:
        self._handing = None
        found, self._found = self._found, []
        self._hand_on(found)
        for key, _ in found:
            each = self._revisions.get(key)
            if each is not None and each.timer is not None and not each.error:
                self._tell(key, each, False)


def _uid(pod: Obj) -> str:
    return str(pod["metadata"]["uid"])
