"""The table of what the host was asked to run: ids, labels, how each ended. Starts nothing by itself."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace

from swell.local.host.launcher import send_group
from swell.local.host.wire import ENDED_MAX, PROCESSES_MAX, Ended, ProcessInfo


class TooManyProcesses(Exception):
    """The bound on running processes is reached."""


class Processes:
    """Processes by id. Ids are never used twice, so a signal cannot reach a stranger with a reused process id.

    `on_ended` is told of each end.
    """

    def __init__(self, on_ended: Callable[[ProcessInfo], object]) -> None:
        self._on_ended = on_ended
        self._running: dict[int, ProcessInfo] = {}
        self._ended: OrderedDict[int, ProcessInfo] = OrderedDict()
        self._by_pid: dict[int, int] = {}
        self._logs: dict[int, str] = {}
        self._helpers: set[int] = set()
        self._last = 0

    def require_room(self) -> None:
        if len(self._running) >= PROCESSES_MAX:
            raise TooManyProcesses(f"{PROCESSES_MAX} processes run already; no more are started")

    def add(
        self, pid: int, labels: Mapping[str, str], log_path: str, started_s: float, *, helper: bool = False
    ) -> ProcessInfo:
        """A child that was just started. A `helper` need not be waited for when all is stopped."""
        self._last += 1
        info = ProcessInfo(self._last, pid, labels, started_s)
        self._running[info.id] = info
        self._by_pid[pid] = info.id
        self._logs[info.id] = log_path
        if helper:
            self._helpers.add(info.id)
        return info

    def ended(self, pid: int, ended: Ended) -> None:
        """The child `pid` was reaped; one that is not ours is nobody's concern."""
        number = self._by_pid.pop(pid, None)
        if number is None:
            return
        info = replace(self._running.pop(number), ended=ended)
        self._logs.pop(number)
        self._helpers.discard(number)
        self._ended[number] = info
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)
        self._on_ended(info)

    def all(self) -> list[ProcessInfo]:
        """Those that run, and those that ended and were not forgotten."""
        return [*self._ended.values(), *self._running.values()]

    def forget(self, number: int) -> None:
        self._ended.pop(number, None)

    def send(self, number: int, sent: int, *, group: bool) -> None:
        """Signal a process, or its group; nothing happens if it has ended."""
        info = self._running.get(number)
        if info is None:
            return
        if group:
            send_group(info.pid, sent)
        else:
            # It cannot be another's: its number is free only after we have reaped it.
            os.kill(info.pid, sent)

    def send_all(self, sent: int) -> None:
        for info in self._running.values():
            # One that has become another user's does not keep the others from it.
            with contextlib.suppress(PermissionError):
                send_group(info.pid, sent)

    @property
    def count(self) -> int:
        return len(self._running)

    @property
    def only_helpers(self) -> bool:
        """Whether nothing runs but helpers."""
        return self._running.keys() <= self._helpers

    @property
    def logs(self) -> list[str]:
        """The log files that running processes write to."""
        return list(self._logs.values())
