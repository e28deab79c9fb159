"""How fast pods are started: so many under way at a time as the nodes have processors for.

Pods that all start at once on few processors are all ready late. One after the other, half of them are ready in half
of the time, and the first answer requests while the last still wait for their turn. A start gives its place back when
its pod is ready, or when it takes long: then it waits for something else than a processor. Knows nodes as JSON.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from swell.api.meta import Obj

if TYPE_CHECKING:
    from swell.runtime.clock import Cancellable, Clock

# A start is busy for most of its time, and waits for others for the rest of it (bench.kubernetes).
UNDER_WAY_PER_CPU: Final = 2.0
# What takes longer pulls its image, or does not start at all.
HELD_S_MAX: Final = 5.0


class Place:
    """One start that is under way. `give_back` when it is over; more often, or late, does nothing."""

    __slots__ = ("_pace", "since_s")

    def __init__(self, pace: Pace, since_s: float) -> None:
        self._pace = pace
        self.since_s = since_s

    def give_back(self) -> None:
        self._pace.free(self)


class Pace:
    """Starts that are due now, handed out in the order in which they were asked for. Without limit until `set_cpus`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._most = math.inf
        self._under_way: dict[Place, None] = {}  # the oldest first
        self._line: deque[tuple[asyncio.Future[list[Place]], int]] = deque()
        self._timer: Cancellable | None = None

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._line)

    def set_cpus(self, cpus: float) -> None:
        """The processors that pods may run on; 0 for not known: no limit."""
        self._most = max(1, math.floor(cpus * UNDER_WAY_PER_CPU)) if cpus else math.inf
        self._next()

    async def starts(self, wanted: int) -> list[Place]:
        """The places of those of `wanted` pods, one at least, that may start now; waits for its turn.

        Who gets fewer than it wants asks again, behind those who wait: first pods do not stand behind all the pods
        of somebody else.
        """
        turn: asyncio.Future[list[Place]] = asyncio.get_running_loop().create_future()
        entry = (turn, wanted)
        self._line.append(entry)
        self._next()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                for place in turn.result():
                    place.give_back()
            raise
        finally:
            if entry in self._line:
                self._line.remove(entry)

    def takes_s(self, pods: int, start_s: float) -> float:
        """How long so many starts take that take so long each, if nobody else starts."""
        rounds = max(1, math.ceil(pods / self._most))
        return start_s + (rounds - 1) * min(start_s, HELD_S_MAX)

    def free(self, place: Place) -> None:
        """This start is over: another may be under way in its place."""
        if place in self._under_way:
            del self._under_way[place]
            self._next()

    def close(self) -> None:
        """Let nobody wait for a timer any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _next(self) -> None:
        """Serve those whose turn it is, and come back when the oldest start has held its place for long."""
        now_s = self._clock.now()
        while self._under_way and (oldest := next(iter(self._under_way))).since_s + HELD_S_MAX <= now_s:
            del self._under_way[oldest]
        while self._line and len(self._under_way) < self._most:
            turn, wanted = self._line.popleft()
            if turn.done():
                continue  # given up just now
            granted = [Place(self, now_s) for _ in range(int(min(wanted, self._most - len(self._under_way))))]
            self._under_way.update(dict.fromkeys(granted))
            turn.set_result(granted)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._line:
            oldest = next(iter(self._under_way))
            self._timer = self._clock.call_later(oldest.since_s + HELD_S_MAX - now_s, self._next)


def cpus_of(nodes: Iterable[Obj]) -> float:
    """The processors of all nodes that take pods."""
    return sum(
        _cpus(((node.get("status") or {}).get("allocatable") or {}).get("cpu", "0"))
        for node in nodes
        if not (node.get("spec") or {}).get("unschedulable")
    )


def _cpus(quantity: str) -> float:
    """Kubernetes writes whole ones, or thousandths with an m."""
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
