"""When to decide: every two seconds while any revision needs it, and never otherwise.

Knows time and that there are decisions, not what they are. A first request does not wait for it: see
`Revisions.receive`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autoscaler.revisions import Revisions, Ticked
from swell.runtime.clock import Cancellable, Clock

TICK_S: Final = 2.0
"""Spec autoscaling 0: not configurable."""


class Ticker:
    """Decides for all lively revisions at once and hands the outcome to `act`.

    `hears` says whether silence can be told from deafness. While it is False nothing is decided by the
    clock: a revision would go to zero because its reports are lost. Reports themselves still scale up.
    `now()` is the time that windows go by.
    """

    def __init__(
        self,
        revisions: Revisions,
        clock: Clock,
        act: Callable[[Ticked], object],
        hears: Callable[[], bool],
        now: Callable[[], float],
    ) -> None:
        self._revisions = revisions
        self._clock = clock
        self._act = act
        self._hears = hears
        self._now = now
        self._timer: Cancellable | None = None
        self._closed = False
        self.ticks = 0

    def wake(self) -> None:
        """Something has changed: tick, two seconds from now, unless a tick is due already."""
        if self._timer is None and not self._closed and self._revisions.lively:
            self._timer = self._clock.call_later(TICK_S, self._tick)

    def at_once(self) -> None:
        """Tick now, and two seconds from now."""
        if self._timer is not None:
            self._timer.cancel()
        self._tick()

    def close(self) -> None:
        """Stop for good."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        try:
            if self._hears():
                self.ticks += 1
                self._act(self._revisions.tick(self._now()))
        finally:
            self.wake()
