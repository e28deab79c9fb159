"""Keeps the programs running: starts one again when it ends, at once the first time, then with back-off."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from swell.local.host.config import Program
from swell.local.host.launcher import launch, send_group
from swell.local.host.loop import Loop, Timer
from swell.local.host.wire import Ended

RESTART_FIRST_S: Final = 0.5
RESTART_LAST_S: Final = 10.0
STEADY_S: Final = 30.0
"""A program that ran this long starts with a clean slate."""


def restart_delay_s(ends: int) -> float:
    """How long to wait after `ends` ends in a row, each soon after its start."""
    return 0.0 if ends <= 1 else min(RESTART_LAST_S, RESTART_FIRST_S * 2.0 ** (ends - 2))


class _Run:
    """One program and its process, if it has one."""

    __slots__ = ("asked", "ends", "pid", "program", "started_s", "timer")

    def __init__(self, program: Program) -> None:
        self.program = program
        self.pid = 0
        self.asked = False
        self.started_s = 0.0
        self.ends = 0
        self.timer: Timer | None = None


class Programs:
    """The programs of one host. `on_stopped` is called when one that was told to stop has ended."""

    def __init__(self, programs: Sequence[Program], loop: Loop, on_stopped: Callable[[], object]) -> None:
        self._runs = [_Run(program) for program in programs]
        self._loop = loop
        self._on_stopped = on_stopped
        self._stopping = False

    def start(self) -> None:
        for run in self._runs:
            self._start(run)

    def ended(self, pid: int, ended: Ended) -> bool:
        """A child was reaped; False if it is no program."""
        run = next((run for run in self._runs if run.pid == pid), None)
        if run is None:
            return False
        run.pid = 0
        if self._stopping:
            self._on_stopped()
        else:
            self._restart(run, f"with code {ended.code}")
        return True

    def stop_next(self) -> bool:
        """Ask those that come next in the order to end; False if none runs any more. From now on none is restarted."""
        self._stopping = True
        for run in self._runs:
            if run.timer is not None:
                run.timer.cancel()
        running = [run for run in self._runs if run.pid]
        order = min((run.program.stop_order for run in running), default=0)
        for run in running:
            if run.program.stop_order == order:
                run.asked = True
                os.kill(run.pid, signal.SIGTERM)
        return bool(running)

    def kill_asked(self) -> None:
        """Kill those that were asked to end and have not; the others are left in peace."""
        for run in self._runs:
            if run.pid and run.asked:
                send_group(run.pid, signal.SIGKILL)

    def may_go_on(self) -> bool:
        """Whether all that were asked to end have ended, so that the next ones can be."""
        return not any(run.pid and run.asked for run in self._runs)

    def kill(self) -> None:
        self._stopping = True
        for run in self._runs:
            if run.pid:
                send_group(run.pid, signal.SIGKILL)

    @property
    def logs(self) -> list[str]:
        return [run.program.log_path for run in self._runs]

    def _start(self, run: _Run) -> None:
        program = run.program
        run.timer = None
        run.started_s = self._loop.now()
        try:
            run.pid = launch(program.argv, env=program.env, cwd=os.getcwd(), log_path=program.log_path)
        except OSError as exc:
            # No room for a process or its log, now: everything else runs on.
            self._restart(run, f"before it was started: {exc}")

    def _restart(self, run: _Run, how: str) -> None:
        ran_s = self._loop.now() - run.started_s
        run.ends = 1 if ran_s >= STEADY_S else run.ends + 1
        delay_s = restart_delay_s(run.ends)
        _note(run.program, f"ended {how} after {ran_s:.1f} s; starts again in {delay_s:g} s")
        run.timer = self._loop.call_later(delay_s, lambda: self._start(run))


def _note(program: Program, text: str) -> None:
    """A note that cannot be written must not be the end of the host."""
    with contextlib.suppress(OSError), open(program.log_path, "a") as log:
        log.write(f"--- {program.name} {text}\n")
