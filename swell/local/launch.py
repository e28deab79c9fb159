"""Start `swell up` as a process of its own, and wait until it is up: for the demo, tests and benches."""

from __future__ import annotations

import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from swell.local import cluster
from swell.local.cluster import ClusterConfig
from swell.local.up import KEEPS_ENDING
from swell.runtime.errors import SwellError

START_TIMEOUT_S = 60.0
# Longer than the host gives its programs and pods together.
STOP_TIMEOUT_S = 120.0


class StartFailed(SwellError):
    """`swell up` ended, or did not come up in time; carries what it printed."""


class RunningCluster:
    """A `swell up` that is up. `config` says where everything is."""

    def __init__(self, process: subprocess.Popen[bytes], config: ClusterConfig, banner: str) -> None:
        self.process = process
        self.config = config
        self.banner = banner

    def stop(self) -> int:
        """SIGTERM, as Ctrl-C would, and wait; returns the exit code. Twice is harmless."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_TIMEOUT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def launch(state: Path, *, port: int = 0, via_rest: bool = False) -> RunningCluster:
    """Start a cluster on `state` and return once it serves; raises `StartFailed`.

    `port` 0 takes a free one. Its programs log into the state's folder, not to our terminal.
    """
    command = [sys.executable, "-P", "-m", "swell.local.up", "--state", str(state), "--port", str(port)]
    if via_rest:
        command.append("--via-rest")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        banner = _read_banner(process, process.stdout)
    except BaseException:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIMEOUT_S)
        process.stdout.close()
        raise
    return RunningCluster(process, cluster.load(state), banner)


def _read_banner(process: subprocess.Popen[bytes], stdout: IO[bytes]) -> str:
    """What is printed up to the end of the banner's last line."""
    printed = b""
    deadline = time.monotonic() + START_TIMEOUT_S
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(timeout=1.0):
                continue
            chunk: bytes = stdout.read1(65536)  # type: ignore[attr-defined]
            printed += chunk
            if b"Ctrl-C drains" in printed and printed.endswith(b"\n"):
                return printed.decode()
            if KEEPS_ENDING.encode() in printed and printed.endswith(b"\n"):
                raise StartFailed(f"swell up does not come up:\n{printed.decode()}")
            if not chunk:
                code = process.wait()
                raise StartFailed(f"swell up ended with exit code {code}:\n{printed.decode()}")
    raise StartFailed(f"swell up did not come up within {START_TIMEOUT_S:.0f} s:\n{printed.decode()}")
