"""A connection that may begin with a PROXY header: reads that, then hands over. Knows a transport, not HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.proxy_protocol import read_announcement

if TYPE_CHECKING:
    from activator.proxy.downstream import Downstream
    from activator.proxy.trust import Trust


class Announced(asyncio.Protocol):
    """Stands before `downstream` until it is known who the caller is; costs nothing afterwards.

    To the server the connection is `downstream`'s from the start: the time limit for the first head is for both.
    """

    __slots__ = ("_data", "_downstream", "_transport", "_trust")

    _transport: asyncio.Transport

    def __init__(self, downstream: Downstream, trust: Trust) -> None:
        self._downstream = downstream
        self._trust = trust
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._downstream.connection_made(transport)
        if not self._trust.may_announce(self._downstream.peer[0]):
            self._transport.set_protocol(self._downstream)

    def data_received(self, data: bytes) -> None:
        self._data += data
        try:
            found = read_announcement(self._data)
        except RemoteProtocolError:
            # Who sends this is no HTTP client, and would not read an answer.
            self._transport.abort()
            return
        if found is None:
            return
        if found.caller is not None:
            self._downstream.comes_from(found.caller)
        self._transport.set_protocol(self._downstream)
        rest = self._data[found.size :]
        if rest:
            self._downstream.data_received(rest)

    def eof_received(self) -> None:
        self._downstream.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._downstream.connection_lost(exc)
