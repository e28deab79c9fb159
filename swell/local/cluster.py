"""The embedded cluster on disk: where its state lies, which ports it has, who may run it.

Knows files and the lock; starts nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from swell.local.ports import LOOPBACK, Reserved, require_free
from swell.runtime.errors import SwellError

GATEWAY_PORT: Final = 8080
RUN_PREFIX: Final = "swell-run-"
# A unix socket's path holds 107 bytes on Linux, 103 elsewhere; ours adds a short file name.
SOCKET_DIRECTORY_BYTES_MAX: Final = 80


class AlreadyRunning(SwellError):
    """Another `swell up` holds this state."""


class StateUnusable(SwellError):
    """The state's folder, or a file in it, cannot be read or written."""


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
    def ledger(self) -> Path:
        return Path(self.state, "ledger.db")

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


# None of the fields' types is written as anything else in JSON.
_TYPES: Final = {each.name: {"str": str, "int": int, "bool": bool}[str(each.type)] for each in fields(ClusterConfig)}


def default_state(environ: Mapping[str, str]) -> Path:
    """Where `swell up` keeps its state unless told otherwise: $SWELL_STATE, or the XDG data folder."""
    if "SWELL_STATE" in environ:
        return Path(environ["SWELL_STATE"])
    home = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "/"), ".local", "share"))
    return Path(home, "swell")


def load(state: Path) -> ClusterConfig:
    """The configuration of the cluster in `state`; `NoCluster` if there never was one, else `StateUnusable`.

    What another version of Swell wrote there besides is left out.
    """
    path = Path(state, "cluster.json")
    try:
        found: Any = json.loads(path.read_text())
        kept = {each.name: found[each.name] for each in fields(ClusterConfig) if each.name in found}
        config = ClusterConfig(**kept)
        if any(not isinstance(value, _TYPES[key]) for key, value in kept.items()):
            raise TypeError("a value is of the wrong type")
    except FileNotFoundError:
        raise NoCluster(f"no cluster in {state}: start one with `swell up --state {state}`") from None
    except (ValueError, TypeError) as exc:
        raise StateUnusable(f"{path} is damaged ({exc}): delete it; the next start writes it anew") from exc
    except OSError as exc:
        raise _unusable(state, exc) from exc
    return config


def is_running(state: Path) -> bool:
    """True while some process holds the lock of `state`; False too for a state that we may not look into."""
    try:
        with Path(state, "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Hold the state for this process; `AlreadyRunning` if another has it, `StateUnusable` if it cannot be written.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    with usable(state):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Path(state, "lock").open("wb")  # noqa: SIM115 - held while the caller works
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_who_runs(state)) from None
        yield


@contextmanager
def usable(state: Path) -> Iterator[None]:
    """What the system refuses in here becomes `StateUnusable`."""
    try:
        yield
    except OSError as exc:
        raise _unusable(state, exc) from exc


def _unusable(state: Path, refused: OSError) -> StateUnusable:
    what = f"{refused.strerror or refused}: {refused.filename}" if refused.filename else str(refused)
    return StateUnusable(f"{state} cannot hold a cluster's state ({what}): choose another folder with --state DIR")


def _who_runs(state: Path) -> str:
    try:
        config = load(state)
        who = f" (process {config.pid}, gateway {config.gateway_url})"
    except SwellError:
        who = ""
    return (
        f"a cluster already runs on {state}{who}. Use it, stop it with Ctrl-C, "
        "or start another with --state DIR and --port PORT"
    )


def prepare(state: Path, reserved: Reserved, *, gateway_port: int, via_rest: bool) -> ClusterConfig:
    """Choose ports and folders for a start on `state`; raises `PortTaken`, `PortRefused`, `StateUnusable`.

    `gateway_port` 0 takes a free one. The other ports stay what they were in this state if they can: kubeconfigs
    hold the API's, and pod templates the admin port. All are in `reserved` then.
    """
    state = state.resolve()
    if gateway_port:
        require_free(gateway_port, "the gateway", "--port PORT")
        # If another cluster has it reserved, we were still told to take it.
        reserved.take(gateway_port)
    with usable(state):
        for folder in ("", "logs", "images"):
            Path(state, folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        last = _last(state)
        run = _run_folder(state, last.run)
    config = ClusterConfig(
        state=str(state),
        run=str(run),
        gateway_port=gateway_port or reserved.choose(),
        admin_port=reserved.choose(last.admin_port),
        api_port=reserved.choose(last.api_port),
        autoscaler_port=reserved.choose(last.autoscaler_port),
        via_rest=via_rest,
        pid=os.getpid(),
    )
    with usable(state):
        config.save()
    return config


def remove_run_folder(config: ClusterConfig) -> None:
    """Remove the folder for sockets if it is outside of the state: nobody else would."""
    if _is_ours(Path(config.run)):
        shutil.rmtree(config.run, ignore_errors=True)


def _last(state: Path) -> ClusterConfig:
    """The configuration of the last start on `state`; ports of 0 if there was none."""
    try:
        return load(state)
    except NoCluster:
        return ClusterConfig(str(state), "", 0, 0, 0, 0)


def _run_folder(state: Path, before: str) -> Path:
    """The folder for sockets: in the state, unless its path is too long for a socket's name.

    `before`: that of the last start, which is still there if that did not end in order.
    """
    run = Path(state, "run")
    if len(os.fsencode(run)) > SOCKET_DIRECTORY_BYTES_MAX:
        return Path(before) if _is_ours(Path(before)) else Path(tempfile.mkdtemp(prefix=RUN_PREFIX))
    run.mkdir(mode=0o700, exist_ok=True)
    return run


def _is_ours(run: Path) -> bool:
    """Whether it is a folder for sockets that this user made outside of a state."""
    try:
        found = run.lstat()
    except OSError:
        return False
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    return run.name.startswith(RUN_PREFIX) and private and found.st_uid == os.geteuid()
