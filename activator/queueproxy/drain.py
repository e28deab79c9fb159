"""When a pod that is to go may go (spec dataplane 3.8). Knows time and counts, not requests or signals.

Ours differs in one point from the reference, whose drain ends after the quiet time alone: while requests are in
flight, tunnels too, it does not end, so the app is not told to stop under them (spec dataplane 6). Each of them ends
at the revision's timeout at the latest, and so does the drain; the pod's grace is longer than that.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from swell.runtime.clock import Cancellable, Clock

QUIET_S: Final = 30.0
# A drain that was asked for but that no SIGTERM follows: the app alone is restarted, the pod stays.
CONFIRM_S: Final = 1.0


class State(enum.Enum):
    SERVING = enum.auto()
    ASKED = enum.auto()  # /wait-for-drain was called; SIGTERM must follow soon
    DRAINING = enum.auto()  # SIGTERM came; requests are served on until it is quiet
    DRAINED = enum.auto()  # quiet and empty; final


SERVING: Final = State.SERVING


class Event(enum.Enum):
    ASK = enum.auto()
    TERMINATE = enum.auto()
    UNCONFIRMED = enum.auto()
    QUIET = enum.auto()


NEXT: Final[dict[State, dict[Event, State]]] = {
    State.SERVING: {Event.ASK: State.ASKED, Event.TERMINATE: State.DRAINING},
    State.ASKED: {Event.ASK: State.ASKED, Event.TERMINATE: State.DRAINING, Event.UNCONFIRMED: State.SERVING},
    State.DRAINING: {Event.ASK: State.DRAINING, Event.TERMINATE: State.DRAINING, Event.QUIET: State.DRAINED},
    State.DRAINED: {Event.ASK: State.DRAINED, Event.TERMINATE: State.DRAINED},
}


class Drain:
    """The drain of one pod. `in_flight()` is asked how many requests hold it up; `state` is where it is.

    `quiet_s` is how long no request may have arrived before it ends.
    """

    __slots__ = ("_asked_s", "_clock", "_in_flight", "_last_s", "_timer", "_waiters", "quiet_s", "state")

    def __init__(self, clock: Clock, in_flight: Callable[[], int], quiet_s: float = QUIET_S) -> None:
        self.state = State.SERVING
        self.quiet_s = quiet_s
        self._clock = clock
        self._in_flight = in_flight
        self._waiters: dict[Callable[[], object], None] = {}
        self._timer: Cancellable | None = None
        self._asked_s = 0.0
        self._last_s = 0.0

    @property
    def draining(self) -> bool:
        """Probes are to fail."""
        return self.state is not State.SERVING

    def terminate(self) -> None:
        """SIGTERM came."""
        self._begin()
        self._step(Event.TERMINATE)
        self._look()

    def ask(self, done: Callable[[], object]) -> None:
        """Start a drain and call `done` when it has ended; after 1 s if no SIGTERM follows, which undoes it."""
        if self.state is State.DRAINED:
            done()
            return
        self._begin()
        self._waiters[done] = None
        self._step(Event.ASK)
        self._look()

    def forget(self, done: Callable[[], object]) -> None:
        """Whoever asked has left; the drain goes on."""
        self._waiters.pop(done, None)

    def arrived(self) -> None:
        """A request came: the quiet time begins anew."""
        self._last_s = self._clock.now()

    def finished(self) -> None:
        """A request, or a tunnel, is over."""
        if self.state is State.DRAINING and self._in_flight() == 0:
            self._look()

    def close(self) -> None:
        """Stop the timer; who waits is forgotten."""
        self._waiters.clear()
        self._stop_timer()

    def _begin(self) -> None:
        if self.state is State.SERVING:
            self._asked_s = self._last_s = self._clock.now()

    def _step(self, event: Event) -> None:
        self.state = NEXT[self.state][event]

    def _look(self) -> None:
        """Go on as far as time allows, and come back when it may allow more."""
        self._stop_timer()
        now_s = self._clock.now()
        if self.state is State.ASKED:
            left_s = self._asked_s + CONFIRM_S - now_s
            event = Event.UNCONFIRMED
        elif self.state is State.DRAINING:
            left_s = self._last_s + self.quiet_s - now_s
            event = Event.QUIET
            if left_s <= 0 and self._in_flight():
                return  # `finished` leads back here
        else:
            return
        if left_s > 0:
            self._timer = self._clock.call_later(left_s, self._look)
            return
        self._step(event)
        waiters, self._waiters = self._waiters, {}
        for done in waiters:
            done()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
