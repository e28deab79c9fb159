"""The namespaces of one node: network, mounts and processes, all held by one init process.

When init ends, the kernel ends all that runs inside and drops its mounts and its network, whoever was killed before.
Knows nothing of Kubernetes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swell.testing.node.errors import NodeError
from swell.testing.node.layout import GATEWAY_IP, INSIDE, NODE_NETWORK
from swell.testing.node.packages import SEARCHED
from swell.testing.processes import children

END_S: Final = 30.0
_CLONE_NEWNET: Final = 0x40000000
_UNSHARE: Final = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

# Nothing happens before the caller has written down who we are. Then: the folder at its short name, a /run and a /var
# of our own (reads of /var fall through), so that no part leaves a trace outside; the network; and nothing more to do
# than to be the parent of all, with SIGCHLD ignored so that the kernel reaps them.
_INIT: Final = f"""set -eu
read -r go
mount --bind "$1" /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {INSIDE} /run/var/upper /run/var/work
mount --move /mnt {INSIDE}
mount -t overlay -o lowerdir=/var,upperdir=/run/var/upper,workdir=/run/var/work overlay /var
ip link set lo up
ip link add node0 type bridge
ip address add {NODE_NETWORK} dev node0
ip link set node0 up
ip link add port0 type veth peer name port1
ip link set port0 master node0 up
ip link set port1 up
ip route add default via {GATEWAY_IP} dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
[ -d /proc/sys/net/bridge ] || modprobe br_netfilter
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
echo ready
trap '' CHLD
exec sleep infinity <&- >&- 2>&-
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told from a later one with the same number by its start, in clock ticks after boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process `pid`, or None if it has ended."""
        try:
            stat = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        # The fields behind the name: the state is the third of all, the start the 22nd.
        return None if stat[0] in "ZX" else cls(pid, int(stat[19]))

    def alive(self) -> bool:
        return Process.of(self.pid) == self

    def kill(self) -> None:
        """Returns once it has ended. Raises `NodeError` if it does not."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            if not select.select([descriptor], [], [], END_S)[0]:
                raise NodeError(f"process {self.pid} does not end within {END_S:.0f} s of SIGKILL")
        finally:
            os.close(descriptor)


class Sandbox:
    """The namespaces whose init process is `init`."""

    def __init__(self, init: Process) -> None:
        self.init = init

    @classmethod
    def make(cls, folder: Path, record: Path) -> Sandbox:
        """New namespaces in which `folder` is at `INSIDE`; `record` is written before anything is done."""
        process = subprocess.Popen(
            [*_UNSHARE, "sh", "-c", _INIT, "init", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={"PATH": SEARCHED},
            cwd="/",
            start_new_session=True,
        )
        holder = Process.of(process.pid)
        if holder is not None:
            record.write_text(json.dumps({"pid": holder.pid, "started": holder.started}))
        # Reaped when it ends, however long this process lives.
        threading.Thread(target=process.wait, daemon=True).start()
        assert process.stdin and process.stdout and process.stderr
        with process.stdin, process.stdout, process.stderr:
            with contextlib.suppress(BrokenPipeError):  # it ended: what it printed says why
                process.stdin.write(b"go\n")
            if process.stdout.readline() != b"ready\n":
                raise NodeError(f"the node's namespaces cannot be made: {process.stderr.read().decode().strip()}")
        sandbox = cls.find(record)
        if sandbox is None:
            raise NodeError("the node's init process ended at once")
        return sandbox

    @classmethod
    def find(cls, record: Path) -> Sandbox | None:
        """The namespaces that were made with `record`, or None if they are gone."""
        holder = _holder(record)
        if holder is None:
            return None
        for pid in children(holder.pid):
            init = Process.of(pid)
            if init is not None:
                return cls(init)
        return None

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """The calling thread, and what it starts meanwhile, is in the node's network."""
        with open("/proc/thread-self/ns/net") as before, open(f"/proc/{self.init.pid}/ns/net") as node:
            _setns(node.fileno())
            try:
                yield
            finally:
                _setns(before.fileno())

    def command(self, command: Sequence[str]) -> list[str]:
        """A command line that runs `command` in all of the namespaces."""
        return ["nsenter", f"--target={self.init.pid}", "--net", "--mount", "--pid", "--", *command]

    def start(self, command: Sequence[str], environ: Mapping[str, str], log: str, pid_file: str) -> None:
        """Start a process that lives on without us; `log` and `pid_file` are paths inside.

        Its number inside is in `pid_file` when we return.
        """
        launch = 'log=$1 pid=$2; shift 2; setsid "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid"'
        subprocess.run(
            self.command(["sh", "-c", launch, "start", log, pid_file, *command]),
            env=dict(environ),
            cwd="/",
            check=True,
        )

    def process(self, pid_inside: int) -> Process | None:
        """The living child of init with that number inside, as seen from outside."""
        for pid in children(self.init.pid):
            if _number_inside(pid) == pid_inside:
                return Process.of(pid)
        return None


def end(record: Path) -> None:
    """End all that runs in the namespaces that were made with `record`; they go with it."""
    holder = _holder(record)
    if holder is None:
        return
    inits = [init for pid in children(holder.pid) if (init := Process.of(pid)) is not None]
    # The kernel lets init end only after all others inside have.
    for process in (*inits, holder):
        process.kill()


def _holder(record: Path) -> Process | None:
    """The parent of init; it ends with init, and init with it."""
    try:
        holder = Process(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return None  # never written, or only half: then nothing was done
    return holder if holder.alive() else None


def _number_inside(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(pid), "status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return None


def _setns(descriptor: int) -> None:
    """`os.setns`, which Python 3.11 has not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise NodeError(f"cannot enter the node's network: {os.strerror(number)}")
