"""The cgroup of a node: made before the kubelet starts, removed when all in it has ended.

The kubelet makes the pods' cgroup in it, beside `system` for the node's own programs: as under systemd, where pods and
system share the processors by weight. Else each thread of a program would weigh as much as all pods together.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from swell.testing.node.errors import NodeError

ROOT: Final = Path("/sys/fs/cgroup")
SYSTEM: Final = "system"
# Beside whatever else the machine does; a process that is in no cgroup weighs as much as one share.
SHARES: Final = 4
REMOVAL_S: Final = 10.0


def make(name: str) -> None:
    """Make it in every hierarchy that this machine has."""
    controllers = ROOT / "cgroup.controllers"
    if controllers.exists():
        wanted = " ".join(f"+{controller}" for controller in controllers.read_text().split())
        (ROOT / "cgroup.subtree_control").write_text(wanted)
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)
    for hierarchy in _hierarchies():
        weight = hierarchy / name / ("cpu.weight" if controllers.exists() else "cpu.shares")
        if weight.exists():
            weight.write_text(str(SHARES * int(weight.read_text())))
            (hierarchy / name / SYSTEM).mkdir(exist_ok=True)


def join_system(name: str, pid: int) -> None:
    """Have a process, and what it starts, share the processors as one of the node's own programs."""
    for hierarchy in _hierarchies():
        group = hierarchy / name / SYSTEM
        if group.exists():
            (group / "cgroup.procs").write_text(str(pid))


def remove(name: str) -> None:
    """Remove it and all below it. Raises `NodeError` if something still runs there."""
    for hierarchy in _hierarchies():
        _remove_tree(hierarchy / name)


def left(name: str) -> list[Path]:
    """Where it still is."""
    return [hierarchy / name for hierarchy in _hierarchies() if (hierarchy / name).exists()]


def _hierarchies() -> list[Path]:
    """One with cgroup v2; with v1 one per controller."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]


def _remove_tree(group: Path) -> None:
    if not group.exists():
        return
    deadline = time.monotonic() + REMOVAL_S
    for below in sorted(group.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
        if below.is_dir():
            _remove_one(below, deadline)
    _remove_one(group, deadline)


def _remove_one(group: Path, deadline: float) -> None:
    """The kernel needs a moment after the last process has ended."""
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError as exc:
            if time.monotonic() > deadline:
                raise NodeError(f"the cgroup {group} cannot be removed: {exc.strerror}") from exc
            time.sleep(0.02)
        else:
            return
