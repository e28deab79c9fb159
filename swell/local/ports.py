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
# while the program that listens there restarts.
ASSIGNED_PORTS: Final = range(20_000, 30_000)
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


def choose(preferred: int, taken: set[int]) -> int:
    """`preferred` if it is free, else any free port; never one of `taken`, to which it is added.

    At random: two clusters that start at the same moment would both find the first one free.
    """
    candidates = itertools.chain([preferred], random.sample(ASSIGNED_PORTS, len(ASSIGNED_PORTS)))
    port = next(port for port in candidates if port and port not in taken and refusal_of(port) is None)
    taken.add(port)
    return port


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
