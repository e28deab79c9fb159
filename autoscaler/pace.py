"""How fast pods are started: so many under way at a time as the nodes have processors for.

Pods that all start at once on few processors are all ready late. One after the other, half of them are ready in half
of the time, and the first answer requests while the last still wait for their turn. A start gives its place back when
its pod is ready; the places of pods that take long, or never get ready, come back with time. Knows nodes as JSON.
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
# For what pulls its image, or does not start at all.
PLACES_BACK_PER_CPU_S: Final = 0.5
# What sums of small steps reach when they should reach one.
WHOLE: Final = 1 - 1e-6


class Pace:
    """Starts that are due now, handed out in the order in which they were asked for. Without limit until `set_cpus`.

    `_budget` is how many places are free, and may be a part of one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._per_s = math.inf
        self._most = math.inf
        self._budget = math.inf
        self._counted_s = clock.now()
        self._line: deque[tuple[asyncio.Future[int], int]] = deque()
        self._timer: Cancellable | None = None

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._line)

    def set_cpus(self, cpus: float) -> None:
        """The processors that pods may run on; 0 for not known: no limit."""
        self._count()
        self._per_s = cpus * PLACES_BACK_PER_CPU_S if cpus else math.inf
        self._most = max(1.0, cpus * UNDER_WAY_PER_CPU) if cpus else math.inf
        self._budget = min(self._budget, self._most) if cpus else math.inf
        self._next()

    async def starts(self, wanted: int) -> int:
        """How many of `wanted` pods, one at least, may start now; waits for its turn.

        Who gets fewer than it wants asks again, behind those who wait: first pods do not stand behind all the pods
        of somebody else.
        """
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        entry = (turn, wanted)
        self._line.append(entry)
        self._next()
        try:
            return await turn
        finally:
            if entry in self._line:
                self._line.remove(entry)

    def takes_s(self, pods: int, start_s: float) -> float:
        """How long so many starts take that take so long each, if nobody else starts."""
        if pods <= self._most:
            return start_s
        rounds = math.ceil(pods / self._most)
        return start_s + min((rounds - 1) * start_s, (pods - self._most) / self._per_s)

    def give_back(self, places: int) -> None:
        """So many starts are over: others may start in their places."""
        if places > 0:
            self._count()
            self._budget = min(self._most, self._budget + places)
            self._next()

    def close(self) -> None:
        """Let nobody wait for a timer any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _count(self) -> None:
        now_s = self._clock.now()
        if math.isfinite(self._per_s):
            self._budget = min(self._most, self._budget + (now_s - self._counted_s) * self._per_s)
        self._counted_s = now_s

    def _next(self) -> None:
        """Serve those whose turn it is, and come back when the budget has grown for the next."""
        self._count()
        while self._line and self._budget >= WHOLE:
            turn, wanted = self._line.popleft()
            if turn.done():
                continue  # given up just now
            granted = wanted if math.isinf(self._budget) else min(wanted, int(self._budget + 1 - WHOLE))
            self._budget -= granted
            turn.set_result(granted)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._line:
            self._timer = self._clock.call_later((1 - self._budget) / self._per_s, self._next)


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
