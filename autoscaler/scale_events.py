"""Kubernetes Events on changes of scale: few, whatever happens.

What changes within a period is told of at its end, in one Event of each reason; while a revision stays busy its periods
get longer. Knows what happened, not why it was decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from autoscaler.revisions import Ticked
from swell.api.kinds import SERVICE as SERVICE_KIND
from swell.api.labels import SERVICE, SERVICE_UID
from swell.api.meta import Key, Obj
from swell.kube.events import EventKind
from swell.runtime import log
from swell.runtime.clock import Cancellable, Clock

FIRST_S: Final = 2.0
"""The first period: so long that a start is not disturbed by writes that could wait."""
AGAIN_S: Final = 60.0
"""The second; each busy one after it is twice as long as the one before."""
PERIOD_S_MAX: Final = 960.0
WAITING_MAX: Final = 256
"""Events that wait to be written; what comes on top is dropped, and logged."""
UP: Final = "ScaledUp"
DOWN: Final = "ScaledDown"
ZERO: Final = "ScaledToZero"
PANIC: Final = "PanicBegan"

logger = log.get(__name__)


class Recorder(Protocol):
    async def event(self, obj: Obj, kind: EventKind, reason: str, message: str) -> None: ...


@dataclass(slots=True)
class _Period:
    """What happened to a revision since its last Events."""

    obj: Obj
    period_s: float = FIRST_S
    timer: Cancellable | None = None
    changes: int = 0
    panics: int = 0
    before: int = 0
    after: int = 0
    fewest: int = 0
    most: int = 0
    cause: str = ""

    def scaled(self, before: int, after: int, cause: str) -> None:
        if not self.changes:
            self.before = self.fewest = self.most = before
        self.changes += 1
        self.after, self.cause = after, cause
        self.fewest, self.most = min(self.fewest, after), max(self.most, after)

    def told(self, revision: str) -> list[tuple[str, str]]:
        """Reasons and messages; nothing happens to a period without any."""
        events = []
        if self.panics:
            times = "" if self.panics == 1 else f", {self.panics} times"
            events.append((PANIC, f"{revision}: the panic window asks for more than the panic threshold{times}"))
        if self.changes == 1:
            events.append((self._reason(), f"{revision}: {self.before} -> {self.after}: {self.cause}"))
        elif self.changes:
            between = f"{self.changes} changes between {self.fewest} and {self.most}"
            events.append((self._reason(), f"{revision}: {self.before} -> {self.after}, {between}: {self.cause}"))
        return events

    def _reason(self) -> str:
        if self.after > self.before:
            return UP
        return ZERO if self.after == 0 else DOWN


class ScaleEvents:
    """Gathers changes and has them written one after the other by `run`.

    `object_of(revision)` is its PodAutoscaler. Events are about its Service, where people look, or else about it.
    """

    def __init__(self, recorder: Recorder, clock: Clock, object_of: Callable[[Key], Obj | None]) -> None:
        self._recorder = recorder
        self._clock = clock
        self._object_of = object_of
        self._periods: dict[Key, _Period] = {}
        self._waiting: asyncio.Queue[tuple[Obj, str, str]] = asyncio.Queue(WAITING_MAX)
        self.dropped = 0

    def ticked(self, ticked: Ticked) -> None:
        """Note where panic began."""
        tick = ticked.tick
        for index in np.flatnonzero(~tick.before.on & tick.decision.panic.on):
            period = self._period(ticked.keys[index])
            if period is not None:
                period.panics += 1

    def scaled(self, revision: Key, before: int, after: int, cause: str) -> None:
        """Note that replicas were written, and what decided."""
        period = self._period(revision)
        if period is not None:
            period.scaled(before, after, cause)

    async def run(self) -> None:
        """Write Events until cancelled."""
        while True:
            obj, reason, message = await self._waiting.get()
            await self._recorder.event(obj, "Normal", reason, message)

    def close(self) -> None:
        """Tell of nothing more."""
        for period in self._periods.values():
            if period.timer is not None:
                period.timer.cancel()
        self._periods.clear()

    def _period(self, revision: Key) -> _Period | None:
        """The one under way; None of a revision that is gone."""
        period = self._periods.get(revision)
        if period is None and (found := self._object_of(revision)) is not None:
            period = self._periods[revision] = _Period(_about(found))
            period.timer = self._clock.call_later(FIRST_S, lambda: self._ended(revision))
        return period

    def _ended(self, revision: Key) -> None:
        period = self._periods.pop(revision)
        told = period.told(revision.name)
        for reason, message in told:
            try:
                self._waiting.put_nowait((period.obj, reason, message))
            except asyncio.QueueFull:
                self.dropped += 1
                logger.warning("an Event is dropped: too many wait to be written", revision=revision, reason=reason)
        if not told or self._object_of(revision) is None:
            return
        next_s = AGAIN_S if period.period_s == FIRST_S else min(2 * period.period_s, PERIOD_S_MAX)
        later = self._periods[revision] = _Period(period.obj, next_s)
        later.timer = self._clock.call_later(next_s, lambda: self._ended(revision))


def _about(podautoscaler: Obj) -> Obj:
    """The Service of a PodAutoscaler as far as an Event names it; the PodAutoscaler if it has none."""
    meta = podautoscaler["metadata"]
    labels = meta.get("labels") or {}
    if not (labels.get(SERVICE) and labels.get(SERVICE_UID)):
        return podautoscaler
    named = {"name": labels[SERVICE], "namespace": meta["namespace"], "uid": labels[SERVICE_UID]}
    return {"apiVersion": SERVICE_KIND.api_version, "kind": SERVICE_KIND.kind, "metadata": named}
