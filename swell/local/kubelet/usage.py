"""What pods use of processor and memory, from /proc: the numbers that a metrics server would gather.

A container is what runs in the session that its first process leads. Processor time is told as an average since it was
asked for before, at the first time since the container started; memory is what is resident.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from swell.api.kinds import POD_METRICS
from swell.api.meta import Obj, rfc3339
from swell.local.host.wire import ProcessInfo
from swell.runtime.clock import Clock

WINDOW_S_MIN: Final = 1.0
"""Asked again sooner, the numbers are the same: shorter averages are mostly noise."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_NANO: Final = 1_000_000_000


class Used(NamedTuple):
    """Of one session: processor seconds since it began, of processes that ended too; resident bytes."""

    cpu_s: float
    memory_bytes: int


class Usage:
    """Reads /proc; remembers what it read last. `proc` is where that is."""

    def __init__(self, clock: Clock, proc: Path = Path("/proc")) -> None:
        self._clock = clock
        self._proc = proc
        self._read_s = -math.inf
        self._before: dict[int, Used] = {}
        self._last: list[Obj] = []

    def read(self, pods: Iterable[tuple[Obj, Mapping[str, ProcessInfo]]]) -> list[Obj]:
        """PodMetrics of these pods, given the first process of each container. Those that run nothing have none."""
        now_s = self._clock.wall()
        if now_s - self._read_s < WINDOW_S_MIN:
            return self._last
        running = [(pod, processes) for pod, processes in pods if processes]
        used = sessions_used(self._proc, {each.pid for _, processes in running for each in processes.values()})
        self._last = [self._metrics(pod, processes, used, now_s) for pod, processes in running]
        self._before, self._read_s = used, now_s
        return self._last

    def _metrics(self, pod: Obj, processes: Mapping[str, ProcessInfo], used: Mapping[int, Used], now_s: float) -> Obj:
        meta = pod["metadata"]
        found = {name: self._used(info, used[info.pid], now_s) for name, info in processes.items() if info.pid in used}
        own = {key: meta[key] for key in ("name", "namespace", "labels") if key in meta}
        return {
            "apiVersion": POD_METRICS.api_version,
            "kind": POD_METRICS.kind,
            "metadata": {**own, "creationTimestamp": rfc3339(now_s)},
            "timestamp": rfc3339(now_s),
            "window": f"{max((window_s for window_s, _ in found.values()), default=0.0):.3f}s",
            "containers": [{"name": name, "usage": usage} for name, (_, usage) in found.items()],
        }

    def _used(self, process: ProcessInfo, used: Used, now_s: float) -> tuple[float, dict[str, str]]:
        """Over how many seconds, and as quantities."""
        before = self._before.get(process.pid)
        since_s, before_s = (process.started_s, 0.0) if before is None else (self._read_s, before.cpu_s)
        window_s = max(now_s - since_s, 1 / _TICKS)
        cores = max(0.0, used.cpu_s - before_s) / window_s
        return window_s, {"cpu": f"{round(cores * _NANO)}n", "memory": f"{used.memory_bytes // 1024}Ki"}


def sessions_used(proc: Path, sessions: set[int]) -> dict[int, Used]:
    """What each of these sessions used so far; one without a process is left out."""
    found: dict[int, Used] = {}
    for name in os.listdir(proc) if sessions and proc.is_dir() else ():
        if not name.isdecimal():
            continue
        try:
            stat = (proc / name / "stat").read_bytes()
        except OSError:
            continue  # it has ended
        # What follows the name, which may hold anything: state, ppid, pgrp, session, ..., utime at 11, rss at 21.
        fields = stat[stat.rindex(b")") + 2 :].split()
        session = int(fields[3])
        if session in sessions:
            before = found.get(session, Used(0.0, 0))
            cpu_s = sum(map(int, fields[11:15])) / _TICKS
            found[session] = Used(before.cpu_s + cpu_s, before.memory_bytes + int(fields[21]) * _PAGE_BYTES)
    return found
