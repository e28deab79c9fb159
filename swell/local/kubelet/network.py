"""Addresses of pods and ports of apps on this machine. Knows sockets, not pods.

Every cluster starts at a place of its own by chance, so that two on one machine rarely meet; what another program
holds is passed over.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from swell.local.ports import APP_PORTS, refusal_of
from swell.runtime.errors import SwellError

_SECOND: Final = range(1, 255)
_THIRD: Final = range(0, 256)
_FOURTH: Final = range(1, 255)
IPS: Final = len(_SECOND) * len(_THIRD) * len(_FOURTH)
PROBE_IP: Final = "127.1.0.1"


class NoneFree(SwellError):
    """All addresses or ports are taken."""


class NoLoopbackAddresses(SwellError):
    """This system has only 127.0.0.1."""


def require_loopback_network() -> None:
    """Raises `NoLoopbackAddresses` where addresses beside 127.0.0.1 must be set up first, as on macOS."""
    if refusal_of(0, PROBE_IP) is not None:
        raise NoLoopbackAddresses(
            f"each pod needs a loopback address of its own, and this system does not have {PROBE_IP}: "
            "add addresses of 127.0.0.0/8 to its loopback interface"
        )


class PodAddresses:
    """One address of 127.0.0.0/8 for each pod; never 127.0.0.1."""

    def __init__(self) -> None:
        self._next = random.randrange(IPS)
        self._taken: set[str] = set()

    def take(self, ports: Iterable[int], preferred: str = "") -> str:
        """`preferred` if nobody has it, else the next on which all of `ports` are free."""
        wanted = list(ports)
        for candidate in self._candidates(preferred):
            if candidate not in self._taken and all(refusal_of(port, candidate) is None for port in wanted):
                self._taken.add(candidate)
                return candidate
        raise NoneFree("no loopback address is free for another pod")

    def hold(self, ip: str) -> None:
        """A pod that runs already has it."""
        self._taken.add(ip)

    def release(self, ip: str) -> None:
        self._taken.discard(ip)

    def _candidates(self, preferred: str) -> Iterable[str]:
        if preferred:
            yield preferred
        for _ in range(IPS):
            number, self._next = self._next, (self._next + 1) % IPS
            number, fourth = divmod(number, len(_FOURTH))
            second, third = divmod(number, len(_THIRD))
            yield f"127.{_SECOND[second]}.{_THIRD[third]}.{_FOURTH[fourth]}"


class AppPorts:
    """Ports of 127.0.0.1 for apps. One that was given back is not given away again for a long time."""

    def __init__(self) -> None:
        self._next = random.randrange(len(APP_PORTS))
        self._taken: set[int] = set()

    def take(self) -> int:
        for _ in APP_PORTS:
            port = APP_PORTS[self._next]
            self._next = (self._next + 1) % len(APP_PORTS)
            if port not in self._taken and refusal_of(port) is None:
                self._taken.add(port)
                return port
        raise NoneFree(f"all ports {APP_PORTS.start}..{APP_PORTS.stop - 1} for apps are taken")

    def hold(self, ports: Iterable[int]) -> None:
        self._taken.update(ports)

    def release(self, ports: Iterable[int]) -> None:
        self._taken.difference_update(ports)
