"""Which processes belong to a running cluster, read from /proc (Linux)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def children(pid: int) -> Iterator[int]:
    """The direct children of `pid`, living or waiting to be reaped."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # ended while we looked
        # The name, in parentheses, may hold anything; the parent is the second field behind it.
        if int(text.rpartition(")")[2].split()[1]) == pid:
            yield int(stat.parent.name)


def family(pid: int) -> list[int]:
    """`pid` and all below it, parents first."""
    found = [pid]
    for member in found:
        found.extend(children(member))
    return found


def command_line(pid: int) -> str:
    """The command line, or "" for a process that has ended."""
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def program(host_pid: int, module: str) -> int:
    """The process id of the program that the host runs with `-m module`."""
    for pid in children(host_pid):
        if f"-m {module} " in command_line(pid) + " ":
            return pid
    raise LookupError(f"no process with -m {module} below {host_pid}")


def rss_mb(pid: int) -> float:
    """Resident memory in MB, shared pages included; 0 for a process that has ended."""
    try:
        status = Path("/proc", str(pid), "status").read_text()
    except OSError:
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    """CPU seconds used so far by its threads, user and system, to the nanosecond; 0 for a process that has ended."""
    used_ns = 0
    for schedstat in Path("/proc", str(pid), "task").glob("[0-9]*/schedstat"):
        try:
            used_ns += int(schedstat.read_text().split()[0])
        except OSError:
            continue  # ended while we looked
    return used_ns / 1e9
