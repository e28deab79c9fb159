"""The embedded cluster on disk: where its state lies, which ports it has, who may run it.

Knows files, ports and the lock; starts nothing.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import random
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from swell.runtime.errors import SwellError

LOOPBACK: Final = "127.0.0.1"
GATEWAY_PORT: Final = 8080
# Below every system's range for outgoing connections, so that none of those can sit on a port of ours
# while the program that listens there restarts.
ASSIGNED_PORTS: Final = range(20_000, 30_000)
# A unix socket's path holds 107 bytes on Linux, 103 elsewhere; ours adds a short file name.
SOCKET_DIRECTORY_BYTES_MAX: Final = 80


class AlreadyRunning(SwellError):
    """Another `swell up` holds this state."""


class PortTaken(SwellError):
    """A port that was asked for belongs to another program."""


class NoCluster(SwellError):
    """There is no cluster in this state."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What the programs of one embedded cluster must agree on; written to `cluster.json` in the state."""

    state: str
    run: str
    gateway_port: int
    admin_port: int
    api_port: int
    autoscaler_port: int
    via_rest: bool = False
    pid: int = 0

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self.gateway_port}"

    @property
    def autoscaler_url(self) -> str:
        return f"http://{LOOPBACK}:{self.autoscaler_port}"

    @property
    def admin_url(self) -> str:
        return f"http://{LOOPBACK}:{self.admin_port}"

    @property
    def kubeconfig(self) -> Path:
        return Path(self.state, "kubeconfig")

    @property
    def database(self) -> Path:
        return Path(self.state, "cluster.db")

    @property
    def pki(self) -> Path:
        return Path(self.state, "pki")

    @property
    def logs(self) -> Path:
        return Path(self.state, "logs")

    @property
    def link_socket(self) -> Path:
        return Path(self.run, "link.sock")

    @property
    def host_socket(self) -> Path:
        return Path(self.run, "host.sock")

    def save(self) -> None:
        """Write `cluster.json` in one step, so that a reader never sees half of it."""
        target = Path(self.state, "cluster.json")
        draft = target.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(target)


def default_state(environ: Mapping[str, str]) -> Path:
    """Where `swell up` keeps its state unless told otherwise: $SWELL_STATE, or the XDG data folder."""
    if "SWELL_STATE" in environ:
        return Path(environ["SWELL_STATE"])
    home = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "/"), ".local", "share"))
    return Path(home, "swell")


def load(state: Path) -> ClusterConfig:
    """The configuration of the cluster in `state`; `NoCluster` if there never was one."""
    try:
        found: dict[str, Any] = json.loads(Path(state, "cluster.json").read_text())
    except FileNotFoundError:
        raise NoCluster(f"no cluster in {state}: start one with `swell up --state {state}`") from None
    return ClusterConfig(**found)


def is_running(state: Path) -> bool:
    """True while some process holds the lock of `state`."""
    lock = Path(state, "lock")
    if not lock.exists():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Hold the state for this process; `AlreadyRunning` if another has it.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Path(state, "lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_who_runs(state)) from None
        yield


def _who_runs(state: Path) -> str:
    try:
        config = load(state)
        who = f" (process {config.pid}, gateway {config.gateway_url})"
    except NoCluster:
        who = ""
    return (
        f"a cluster already runs on {state}{who}. Use it, stop it with Ctrl-C, "
        "or start another with --state DIR and --port PORT"
    )


def prepare(state: Path, *, gateway_port: int, via_rest: bool) -> ClusterConfig:
    """Choose ports and folders for a start on `state`; raises `PortTaken`.

    `gateway_port` 0 takes a free one. The other ports stay what they were in this state if they can: kubeconfigs
    hold the API's, and pod templates the admin port.
    """
    state = state.resolve()
    if gateway_port:
        _require_free(gateway_port, "the gateway", "--port PORT")
    for folder in ("", "logs", "images"):
        Path(state, folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    admin_port, api_port, autoscaler_port = _ports_before(state)
    taken: set[int] = set()
    gateway_port = gateway_port or _choose(0, taken)
    taken.add(gateway_port)
    config = ClusterConfig(
        state=str(state),
        run=str(_run_folder(state)),
        gateway_port=gateway_port,
        admin_port=_choose(admin_port, taken),
        api_port=_choose(api_port, taken),
        autoscaler_port=_choose(autoscaler_port, taken),
        via_rest=via_rest,
        pid=os.getpid(),
    )
    config.save()
    return config


def _ports_before(state: Path) -> tuple[int, int, int]:
    """The admin, API and autoscaler ports of the last start on `state`; 0 for any."""
    try:
        last = load(state)
    except NoCluster:
        return 0, 0, 0
    return last.admin_port, last.api_port, last.autoscaler_port


def _run_folder(state: Path) -> Path:
    """The folder for sockets: in the state, unless its path is too long for a socket's name."""
    run = Path(state, "run")
    if len(os.fsencode(run)) > SOCKET_DIRECTORY_BYTES_MAX:
        return Path(tempfile.mkdtemp(prefix="swell-run-"))
    run.mkdir(mode=0o700, exist_ok=True)
    return run


def _require_free(port: int, what: str, option: str) -> None:
    if not _is_free(port):
        raise PortTaken(f"port {port} for {what} is taken by another program: stop it, or choose another with {option}")


def _choose(preferred: int, taken: set[int]) -> int:
    """`preferred` if it is free, else any free port; never one of `taken`, to which it is added.

    At random: two clusters that start at the same moment would both find the first one free.
    """
    candidates = itertools.chain([preferred], random.sample(ASSIGNED_PORTS, len(ASSIGNED_PORTS)))
    port = next(port for port in candidates if port and port not in taken and _is_free(port))
    taken.add(port)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
