"""Which processes belong to a running cluster, read from /proc (Linux)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"
"""In /proc/net/tcp."""


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


def listener(ip: str, port: int) -> int:
    """The process that listens at this IPv4 address. Raises LookupError."""
    address = f"{int.from_bytes(socket.inet_aton(ip), sys.byteorder):08X}:{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1] == address and row[3] == _LISTEN}
    for file in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(file) in sockets:
                return int(file.parts[2])
        except OSError:
            continue  # ended while we looked
    raise LookupError(f"nobody listens at {ip}:{port}")


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
