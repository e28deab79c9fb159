"""A small event loop: sockets, signals, timers. Much lighter than asyncio, and safe to fork out of."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from typing import Final

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

Handler = Callable[[int], object]


class Timer:
    """A call that is due at some time; `cancel` calls it off."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Loop:
    """Calls handlers until `stop`. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._running = True

    def now(self) -> float:
        return time.monotonic()

    def watch(self, sock: socket.socket, events: int, handler: Handler) -> None:
        """Have `handler(ready)` called when `sock` is ready for one of `events`; replaces an earlier handler."""
        try:
            self._selector.modify(sock, events, handler)
        except KeyError:
            self._selector.register(sock, events, handler)

    def forget(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (self.now() + delay_s, next(self._order), timer))
        return timer

    def on_signals(self, numbers: Iterable[signal.Signals], handler: Callable[[int], object]) -> None:
        """Have `handler(number)` called in the loop for each of these signals."""
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        for number in numbers:
            signal.signal(number, _only_wake)
        # Signals of one kind may be merged by the kernel, and bytes lost when the buffer is full: both are harmless,
        # since handlers look at what there is to do.
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)

        def take(_: int) -> None:
            for number in set(os.read(woken.fileno(), 512)):
                handler(number)

        self._waker = waker
        self.watch(woken, READ, take)

    def run(self) -> None:
        while self._running:
            for key, ready in self._selector.select(self._timeout_s()):
                # An earlier handler of this round may have closed it.
                if self._selector.get_map().get(key.fd) is key:
                    key.data(ready)
            self._run_due()

    def stop(self) -> None:
        self._running = False

    def close(self) -> None:
        self._selector.close()

    def _timeout_s(self) -> float | None:
        return max(0.0, self._timers[0][0] - self.now()) if self._timers else None

    def _run_due(self) -> None:
        now_s = self.now()
        while self._timers and self._timers[0][0] <= now_s:
            heapq.heappop(self._timers)[2].run()


def _only_wake(_number: int, _frame: object) -> None:
    """The byte in the wake-up socket is what counts."""
