"""Back-pressure: when a connection is read. Knows a transport, not what it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from activator.proxy.hangups import Hangups

# Why a connection is not read. Plain numbers: they are or-ed in the hot path, where an IntFlag is 20 times slower.
PEER_FULL: Final = 1  # the other side does not take what it was sent
AHEAD: Final = 2  # it has sent more than can be used now


class Readable(Protocol):
    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Flow:
    """Reading of one connection: it goes on when no reason to hold it is left. `holds` are those there are.

    `hangups` looks whether the peer leaves meanwhile; None if nobody has to.
    """

    __slots__ = ("hangups", "holds", "transport")

    def __init__(self, transport: Readable, hangups: Hangups | None = None) -> None:
        # An asyncio.Transport if there are hangups to look for.
        self.transport: Any = transport
        self.hangups = hangups
        self.holds = 0

    def hold(self, reason: int) -> None:
        """Stop reading for this reason."""
        if not self.holds:
            self.transport.pause_reading()
            if self.hangups is not None:
                self.hangups.watch(self)
        self.holds |= reason

    def release(self, reason: int) -> None:
        """These reasons are gone. Releasing what is not held does nothing."""
        if self.holds & reason:
            self.holds &= ~reason
            if not self.holds:
                self.transport.resume_reading()
