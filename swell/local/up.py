"""The process behind `swell up`: prepares the state, then becomes the host of everything else.

Imports little: this process lives as long as the cluster and is the parent of every pod.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from swell.local import cluster
from swell.local.cluster import ClusterConfig, locked, prepare, remove_run_folder, usable
from swell.local.host.config import HostConfig, Program
from swell.local.images import Images
from swell.local.ports import Reserved
from swell.local.samples import sample
from swell.runtime.errors import SwellError

READY_TIMEOUT_S = 60.0
# The first end may be an accident; the next one is told of.
ENDS_TOLD = 2
LAST_LINES = 8
KEEPS_ENDING = "keeps ending"
PROGRAMS = ("control-plane", "activator")


def main(argv: list[str] | None = None) -> int:
    """Run a cluster until SIGTERM or SIGINT; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        if options.state is not None:
            return _run(options.state, options)
        state = Path(tempfile.mkdtemp(prefix="swell-"))
        try:
            return _run(state, options)
        finally:
            shutil.rmtree(state, ignore_errors=True)
    except SwellError as error:
        print(f"swell: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # Before the host runs; it takes signals itself.
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="swell up")
    parser.add_argument("--state", type=Path)
    parser.add_argument("--port", type=int, default=cluster.GATEWAY_PORT)
    parser.add_argument("--via-rest", action="store_true")
    return parser


def _run(state: Path, options: argparse.Namespace) -> int:
    with locked(state), ExitStack() as stack:
        with closing(Reserved()) as reserved:
            config = prepare(state, reserved, gateway_port=options.port, via_rest=options.via_rest)
            stack.callback(remove_run_folder, config)
            with usable(state):
                _prepare_files(config)
            # Its child has the ports reserved until the programs listen.
            _print_banner_when_ready(config)
        from swell.local.host.main import run

        return run(host_config(config))


def _prepare_files(config: ClusterConfig) -> None:
    Path(config.run, "control-plane.ready").unlink(missing_ok=True)
    Path(config.run, "activator.ready").unlink(missing_ok=True)
    if not Path(config.pki, "server.crt").exists():
        _make_certificates(config.pki)
    images = Images(Path(config.state))
    if "hello" not in {image.name for image in images.list()}:
        images.add("hello", folder=sample("hello"))


def _make_certificates(pki: Path) -> None:
    """In a process of its own: it needs 20 MB of libraries, once. Ctrl-C is for us alone, so that only we answer."""
    command = [sys.executable, "-P", "-m", "swell.local.apiserver.pki", str(pki)]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SwellError(f"the certificates in {pki} could not be made: {last[0]}")


def host_config(config: ClusterConfig) -> HostConfig:
    """The programs of the cluster, in the order in which a stop ends them: traffic first."""
    return HostConfig(
        socket_path=str(config.host_socket),
        preload=[
            "activator.queueproxy.__main__",
            "uvloop",
            "activator.proxy.http2.downstream",
            "activator.proxy.http2.shared",
        ],
        programs=[
            _program("activator", "swell.local.activator_main", config, stop_order=0),
            _program("control-plane", "swell.local.controlplane", config, stop_order=1),
        ],
    )


def _program(name: str, module: str, config: ClusterConfig, *, stop_order: int) -> Program:
    return Program(
        name=name,
        argv=[sys.executable, "-P", "-m", module, config.state],
        env=dict(os.environ),
        log_path=str(config.logs / f"{name}.log"),
        stop_order=stop_order,
    )


def _print_banner_when_ready(config: ClusterConfig) -> None:
    """From a short-lived child, so that this process keeps nothing of it."""
    sys.stdout.flush()
    if os.fork():
        return
    code = 1
    try:
        code = _await_ready(config)
        sys.stdout.flush()
    finally:
        os._exit(code)


def _await_ready(config: ClusterConfig) -> int:
    parent = os.getppid()
    waited_for = [Path(config.run, f"{name}.ready") for name in PROGRAMS]
    logs = [ProgramLog(name, config.logs / f"{name}.log") for name in PROGRAMS]
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not all(path.exists() for path in waited_for):
        if os.getppid() != parent:
            return 1
        for trouble in filter(None, (log.trouble() for log in logs)):
            print(trouble, flush=True)
        if time.monotonic() > deadline:
            print(f"not ready after {READY_TIMEOUT_S:.0f} s; what the programs say is in {config.logs}")
            return 1
        time.sleep(0.02)
    print(banner(config))
    return 0


class ProgramLog:
    """The log of a program, from now on. Whoever restarts the program notes there that it has ended."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._start = self._size()
        self._seen = self._start

    def trouble(self) -> str:
        """What to tell of a program that has ended again and again since the last time; else ""."""
        size = self._size()
        if size == self._seen:
            return ""
        self._seen = size
        with self._path.open("rb") as file:
            file.seek(self._start)
            lines = file.read(size - self._start).decode(errors="replace").splitlines()
        if sum(line.startswith(f"--- {self._name} ended ") for line in lines) < ENDS_TOLD:
            return ""
        self._start = size
        last = "\n".join(f"  {line}" for line in lines[-LAST_LINES:])
        return f"the {self._name} {KEEPS_ENDING}; the last lines of {self._path}:\n{last}"

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


def banner(config: ClusterConfig) -> str:
    """What a user sees once the cluster is up."""
    hello = f"http://hello.default.localhost:{config.gateway_port}"
    home = f"--state {config.state}"
    return f"""\
Swell is up.

  Gateway     http://NAME.NAMESPACE.localhost:{config.gateway_port}
  kubectl     export KUBECONFIG={config.kubeconfig}
  State       {config.state}  (logs of the programs in logs/)

Deploy the sample, call it, and watch it go:
  kubectl apply -f {sample("hello")}/service.yaml      or: swell apply -f ...
  curl {hello}
  swell watch hello

Your own app is a folder with a Procfile, or a command that listens on $PORT:
  swell image add NAME DIR {home}

Ctrl-C drains and stops."""


if __name__ == "__main__":
    sys.exit(main())
