"""Ports of the loopback interface: which are free, and why one is not."""

from __future__ import annotations

import errno
import itertools
import random
import socket
from typing import Final

from swell.runtime.errors import SwellError

LOOPBACK: Final = "127.0.0.1"
# Below every system's range for outgoing connections, so that none of those can sit on a port of ours
# while the program that listens there restarts. No app is on a port of a cluster that starts.
CLUSTER_PORTS: Final = range(20_000, 22_000)
APP_PORTS: Final = range(22_000, 30_000)
PORTS: Final = range(1, 65_536)


class PortTaken(SwellError):
    """A port that was asked for belongs to another program."""


class PortRefused(SwellError):
    """A port that was asked for cannot be had by this user, or by anyone."""


def require_free(port: int, what: str, option: str) -> None:
    """Raises `PortTaken` or `PortRefused`; `what` it is for and the `option` that names another are for the error."""
    if port not in PORTS:
        raise PortRefused(f"there is no port {port} for {what}: choose one from 1 to {PORTS[-1]} with {option}")
    refused = refusal_of(port)
    if refused is not None:
        raise port_error(port, what, option, refused)


def port_error(port: int, what: str, option: str, refused: OSError) -> SwellError:
    """The error to tell for a port at which the system does not let us listen."""
    if refused.errno == errno.EADDRINUSE:
        return PortTaken(
            f"port {port} for {what} is taken by another program: stop it, or choose another with {option}"
        )
    if refused.errno == errno.EACCES:
        return PortRefused(f"port {port} for {what} is not for this user: choose one from 1024 on with {option}")
    return PortRefused(f"port {port} for {what} cannot be had ({refused.strerror}): choose another with {option}")


class Reserved:
    """Ports for one cluster, kept from the others of this machine while this process or a fork of it has them.

    Others would find a port free while nobody listens there yet. As a mark the UDP port of that number is held, for
    which nothing else has a use.
    """

    def __init__(self) -> None:
        self._marks: dict[int, socket.socket] = {}

    def choose(self, preferred: int = 0) -> int:
        """`preferred` if it is free, else any free port; never the same one twice."""
        candidates = itertools.chain([preferred], random.sample(CLUSTER_PORTS, len(CLUSTER_PORTS)))
        return next(port for port in candidates if port and self.take(port))

    def take(self, port: int) -> bool:
        """Whether it was free, and is ours now."""
        if port in self._marks:
            return False
        mark = socket.socket(type=socket.SOCK_DGRAM)
        try:
            mark.bind((LOOPBACK, port))
            # Not before: who had the mark until now listens.
            refused = refusal_of(port)
        except OSError as exc:
            refused = exc
        if refused is not None:
            mark.close()
            return False
        self._marks[port] = mark
        return True

    def close(self) -> None:
        """Let go of them, in this process."""
        for mark in self._marks.values():
            mark.close()
        self._marks.clear()


def refusal_of(port: int, ip: str = LOOPBACK) -> OSError | None:
    """Why the system does not let us listen there; None if it does."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError as exc:
            return exc
    return None
