"""Connections to apps: where they come from, and where they rest between exchanges. Knows addresses."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from activator.proxy.pool import Pool
from activator.proxy.upstream import Upstream

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.proxy.headers import Address
    from activator.proxy.http2.shared import Shared

P = TypeVar("P", bound=asyncio.Protocol)

# A connection that takes longer than this is tried anew, with a longer limit each time: 50 ms, 70 ms, ... 20 s
# in all (spec dataplane 1.5). A SYN that got lost while a pod's network came up would cost a second otherwise.
DIAL_FIRST_S: Final = 0.05
DIAL_GROWTH: Final = 1.4
DIAL_ATTEMPTS: Final = 15
DIAL_JITTER: Final = 0.1
DIAL_PAUSE_S: Final = (0.03, 0.06)
SWEEPS_PER_IDLE_TIME: Final = 10


class Dial:
    """A connection in the making, and who waits for it; nobody if `exchange` was set to None."""

    __slots__ = ("address", "exchange")

    def __init__(self, address: Address, exchange: Exchange) -> None:
        self.address = address
        self.exchange: Exchange | None = exchange


class Upstreams:
    """Takes from the pool or dials; sweeps the pool while there is something in it."""

    __slots__ = ("_dials", "_shared", "_sweep", "pool")

    def __init__(self, pool: Pool[Upstream]) -> None:
        self.pool = pool
        self._shared: Shared | None = None
        self._dials: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def shared(self) -> Shared:
        """The connections that speak HTTP/2. Their code is loaded when the first is asked for."""
        if self._shared is None:
            from activator.proxy.http2.shared import Shared

            self._shared = Shared(self._connect, self.pool.idle_s)
        return self._shared

    def take(self, address: Address) -> Upstream | None:
        """An idle connection to `address`, or None."""
        upstream = self.pool.take(address)
        while upstream is not None and upstream.transport.is_closing():
            upstream = self.pool.take(address)
        return upstream

    def put(self, upstream: Upstream) -> bool:
        """Keep an idle connection; false if it is not wanted. One that is closing is not found by `take`."""
        if not self.pool.put(upstream, time.monotonic()):
            return False
        if self._sweep is None:
            self._arm()
        return True

    def lost(self, upstream: Upstream) -> None:
        """An idle connection has closed."""
        self.pool.discard(upstream)

    def drop(self, address: Address) -> None:
        """Close the idle connections to `address`."""
        for upstream in self.pool.drop(address):
            upstream.transport.abort()
        if self._shared is not None:
            self._shared.drop(address)

    def dial(self, address: Address, exchange: Exchange) -> Dial:
        """Make a connection; the exchange is told of it, or of the failure, a little later."""
        dial = Dial(address, exchange)
        task = asyncio.ensure_future(self._dial(dial))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)
        return dial

    def close(self) -> None:
        """Close what is idle, and stop making connections."""
        for task in self._dials:
            task.cancel()
        for upstream in self.pool.clear():
            upstream.transport.abort()
        if self._shared is not None:
            self._shared.close()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    async def _dial(self, dial: Dial) -> None:
        try:
            upstream = await self._connect(dial.address, lambda: Upstream(self, dial.address))
        except OSError as error:
            if dial.exchange is not None:
                dial.exchange.unsent(dial_error(dial.address, error))
            return
        if dial.exchange is not None:
            dial.exchange.connected(upstream)
        elif not self.put(upstream):
            upstream.transport.abort()

    async def _connect(self, address: Address, protocol: Callable[[], P]) -> P:
        loop = asyncio.get_running_loop()
        started_s = time.monotonic()
        limit_s = DIAL_FIRST_S
        for attempt in range(1, DIAL_ATTEMPTS + 1):
            try:
                async with asyncio.timeout(limit_s):
                    return (await loop.create_connection(protocol, *address))[1]
            except TimeoutError:
                import random  # not above: it would take a millisecond of each cold start

                limit_s = DIAL_FIRST_S * DIAL_GROWTH**attempt * (1 + DIAL_JITTER * random.random())
                if attempt < DIAL_ATTEMPTS:
                    await asyncio.sleep(random.uniform(*DIAL_PAUSE_S))
        raise DialTimeout(address, time.monotonic() - started_s)

    def _arm(self) -> None:
        delay_s = self.pool.idle_s / SWEEPS_PER_IDLE_TIME
        self._sweep = asyncio.get_running_loop().call_later(delay_s, self._do_sweep)

    def _do_sweep(self) -> None:
        self._sweep = None
        for upstream in self.pool.sweep(time.monotonic()):
            upstream.transport.close()
        if self.pool:
            self._arm()


class DialTimeout(OSError):
    """No attempt was answered in time."""

    def __init__(self, address: Address, took_s: float) -> None:
        super().__init__(f"timed out dialing {address[0]}:{address[1]} after {took_s:.2f}s")


def dial_error(address: Address, error: OSError) -> str:
    """What a failed connection is told as, in the words of Go."""
    if isinstance(error, DialTimeout):
        return str(error)
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"dial tcp {address[0]}:{address[1]}: connect: {reason}"
