"""Tells the activators that this pod can serve, as soon as it can: POST /announce to each of them.

Knows the message and the few bytes of HTTP around it. An activator that cannot be told learns of the pod
from Kubernetes a little later, so this gives up after a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from swell.runtime import log
from swell.wire.announce import PATH, Announcement, encode

if TYPE_CHECKING:
    from activator.queueproxy.settings import Address
    from swell.runtime.clock import Clock

ANSWER_S: Final = 1.0
BACKOFF_FIRST_S: Final = 0.02
BACKOFF_LAST_S: Final = 2.0
BACKOFF_FACTOR: Final = 2.0
# By then Kubernetes has told of the pod.
GIVE_UP_S: Final = 30.0

_log = log.get(__name__)


async def announce(announcement: Announcement, addresses: Iterable[Address], clock: Clock) -> None:
    """Tell all of them, at the same time; returns when each has taken it, refused it, or was given up."""
    body = encode(announcement)
    await asyncio.gather(*(_tell_name(address, body, clock) for address in addresses))


async def _tell_name(address: Address, body: bytes, clock: Clock) -> None:
    """Tell everybody behind a name: it may stand for several activators."""
    until_s = clock.now() + GIVE_UP_S
    backoff_s = BACKOFF_FIRST_S
    told: set[Address] = set()
    while True:
        found = await _resolve(address)
        left = list(found - told)
        results = await asyncio.gather(*(_tell(one, body) for one in left))
        told |= {one for one, result in zip(left, results, strict=True) if result}
        if found and found <= told:
            return
        if clock.now() >= until_s:
            _log.warning("no announcement was taken here", address=f"{address[0]}:{address[1]}")
            return
        import random  # not above: the first word is usually taken, and it takes a millisecond to load

        await clock.sleep(backoff_s * random.uniform(0.8, 1.2))
        backoff_s = min(backoff_s * BACKOFF_FACTOR, BACKOFF_LAST_S)


async def _resolve(address: Address) -> set[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(*address, type=socket.SOCK_STREAM)
    except OSError as error:
        _log.debug("an activator's name is not known", name=address[0], error=str(error))
        return set()
    return {(str(entry[4][0]), int(entry[4][1])) for entry in found}


async def _tell(address: Address, body: bytes) -> bool:
    """True once the activator has answered for good: it took the announcement, or will never take it."""
    try:
        async with asyncio.timeout(ANSWER_S):
            status = await _post(address, body)
    except (OSError, TimeoutError, ValueError) as error:
        _log.debug("an activator was not reached", address=address, error=repr(error))
        return False
    if 400 <= status < 500:
        _log.warning("an activator refused the announcement", address=address, status=status)
    return status < 500


async def _post(address: Address, body: bytes) -> int:
    """The status of the answer. Raises `OSError` or `ValueError` without one."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(
            b"POST %b HTTP/1.1\r\nHost: %b:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (PATH.encode(), address[0].encode(), address[1], len(body), body)
        )
        return int((await reader.readline()).split()[1])
    except IndexError as exc:
        raise ValueError("no HTTP answer") from exc
    finally:
        writer.transport.abort()
