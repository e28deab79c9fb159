"""What the host is told when it starts. Imports nothing: everything forked from the host pays for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """A program that the host keeps running. A stop ends those with the lowest `stop_order` first."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log_path: str
    stop_order: int = 0


@dataclass(frozen=True, slots=True)
class HostConfig:
    """One host. `preload` are modules whose `main()` can be forked without loading them anew.

    `programs_grace_s`: how long a stop waits for the programs of one `stop_order` before it kills them and goes on
    with the next; `pods_grace_s`: the same for everything else, which is stopped after them.
    """

    socket_path: str
    preload: Sequence[str]
    programs: Sequence[Program]
    programs_grace_s: float = 45.0
    pods_grace_s: float = 8.0
