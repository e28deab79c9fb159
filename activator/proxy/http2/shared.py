"""Connections to apps that speak HTTP/2, shared by many exchanges at a time. Knows addresses.

One for each address; more only while the streams of those there are do not suffice.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from activator.proxy.http2.heads import request_block
from activator.proxy.http2.upstream import AppConnection
from activator.proxy.upstreams import SWEEPS_PER_IDLE_TIME, Dial, dial_error

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange
    from activator.proxy.headers import Address
    from activator.proxy.http2.upstream_stream import AppStream

Connect = Callable[["Address", Callable[[], AppConnection]], Awaitable[AppConnection]]


class Shared:
    """Finds a stream or has one wait for a connection. `connect(address, protocol)` makes one, or raises `OSError`."""

    head: Final = staticmethod(request_block)

    __slots__ = ("_connect", "_connections", "_dials", "_idle_s", "_sweep", "_waiting")

    def __init__(self, connect: Connect, idle_s: float) -> None:
        self._connect = connect
        self._idle_s = idle_s
        self._connections: dict[Address, list[AppConnection]] = {}
        self._waiting: dict[Address, deque[Dial]] = {}
        self._dials: dict[Address, asyncio.Task[None]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, address: Address) -> AppStream | None:
        """A stream to `address`, to be used at once; None if there is none."""
        for connection in self._connections.get(address, ()):
            if connection.available:
                return connection.open()
        return None

    def dial(self, address: Address, exchange: Exchange) -> Dial:
        """Wait for a stream; the exchange is told of it, or of the failure, a little later."""
        dial = Dial(address, exchange)
        self._waiting.setdefault(address, deque()).append(dial)
        self._dial_if_needed(address)
        return dial

    def drop(self, address: Address) -> None:
        """No stream to `address` begins any more; those that are open go on."""
        for connection in self._connections.pop(address, ()):
            connection.ending = True
            if not connection.streams:
                connection.transport.abort()

    def close(self) -> None:
        """Close everything."""
        for task in self._dials.values():
            task.cancel()
        for address in list(self._connections):
            for connection in self._connections.pop(address):
                connection.transport.abort()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    # For the connections.

    def changed(self, connection: AppConnection) -> None:
        """It has told how many streams it takes."""
        self._serve(connection)
        self._dial_if_needed(connection.address)

    def emptied(self, connection: AppConnection) -> None:
        """It has no stream any more."""
        if connection.ending:
            connection.close()
            return
        connection.idle_since_s = time.monotonic()
        if self._sweep is None:
            self._arm()

    def lost(self, connection: AppConnection, error: str) -> None:
        """It takes no stream any more."""
        line = self._connections.get(connection.address, [])
        if connection in line:
            line.remove(connection)
            if not line:
                del self._connections[connection.address]
            if not connection.settled:
                self._fail(connection.address, error)

    def _serve(self, connection: AppConnection) -> None:
        waiting = self._waiting.get(connection.address)
        while waiting and connection.available:
            exchange = waiting.popleft().exchange
            if exchange is not None:
                exchange.connected(connection.open())
        if not waiting:
            self._waiting.pop(connection.address, None)

    def _dial_if_needed(self, address: Address) -> None:
        """One connection in the making at a time, and none while one has yet to tell how many streams it takes."""
        if not self._waiting.get(address) or address in self._dials:
            return
        if all(connection.settled for connection in self._connections.get(address, ())):
            self._dials[address] = asyncio.ensure_future(self._dial(address))

    async def _dial(self, address: Address) -> None:
        try:
            connection = await self._connect(address, lambda: AppConnection(self, address))
        except OSError as error:
            del self._dials[address]
            self._fail(address, dial_error(address, error))
            return
        del self._dials[address]
        # The loop may have read what the app says at first, and that it is gone, before it told us of the connection.
        if not connection.streams and not connection.available:
            connection.transport.abort()
            self._fail(address, f"http2: {address[0]}:{address[1]} takes no streams")
            return
        self._connections.setdefault(address, []).append(connection)
        self._serve(connection)
        if not connection.streams:
            self.emptied(connection)
        self._dial_if_needed(address)

    def _fail(self, address: Address, error: str) -> None:
        """Nobody who waits gets a stream."""
        for dial in self._waiting.pop(address, ()):
            if dial.exchange is not None:
                dial.exchange.unsent(error)

    def _arm(self) -> None:
        delay_s = self._idle_s / SWEEPS_PER_IDLE_TIME
        self._sweep = asyncio.get_running_loop().call_later(delay_s, self._do_sweep)

    def _do_sweep(self) -> None:
        self._sweep = None
        since_s = time.monotonic() - self._idle_s
        idle = [one for line in self._connections.values() for one in line if not one.streams]
        for connection in idle:
            if connection.idle_since_s <= since_s:
                connection.ending = True
                connection.close()
        if idle:
            self._arm()
