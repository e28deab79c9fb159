"""Callers that leave while they are not read. Knows sockets, not what they carry.

The end of a connection is found by reading, and back-pressure stops that: for as long as an app takes nothing, which
may be until a timeout, whoever sends to it could leave unseen and keep his slot. So the system is asked now and then.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from activator.proxy.flow import Flow

LOOK_S: Final = 1.0
# Ended or reset by the peer, with whatever it has sent still unread. Linux only: elsewhere nobody is found.
_GONE: Final = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class Hangups:
    """Cuts those that have left, about once a second while anybody is held; costs nothing otherwise."""

    __slots__ = ("_held", "_timer")

    def __init__(self) -> None:
        self._held: set[Flow] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, flow: Flow) -> None:
        """It is not read from now on."""
        self._held.add(flow)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def close(self) -> None:
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        self._held = {flow for flow in self._held if flow.holds and flow.hangups and not flow.transport.is_closing()}
        for flow in [flow for flow in self._held if _has_left(flow.transport)]:
            self._held.discard(flow)
            flow.transport.abort()
        if self._held and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)


def _has_left(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _GONE)
    return any(events & _GONE for _, events in poll.poll(0))
