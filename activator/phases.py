"""Where the time of a cold request went, as far as the front door sees it, told in `Server-Timing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from swell.wire.headers import SERVER_TIMING

if TYPE_CHECKING:
    from activator.proxy.headers import Extra


class Phases:
    """A request that had to wait. `ready_s`: since when its pod was usable. All on the clock's monotonic scale."""

    __slots__ = ("_arrived_s", "_now", "_ready_s", "_sent_s")

    def __init__(self, arrived_s: float, ready_s: float, sent_s: float, now: Callable[[], float]) -> None:
        self._arrived_s = arrived_s
        self._ready_s = max(arrived_s, ready_s)
        self._sent_s = sent_s
        self._now = now

    def fields(self) -> Extra:
        """The header, in milliseconds: until a pod was ready, then for a slot on it, then for the app's head.

        The app's own Server-Timing stays: there may be several.
        """
        told = b"ready;dur=%.1f, queued;dur=%.1f, first-byte;dur=%.1f" % (
            1000 * (self._ready_s - self._arrived_s),
            1000 * max(0.0, self._sent_s - self._ready_s),
            1000 * (self._now() - self._sent_s),
        )
        return ((SERVER_TIMING, told),)
