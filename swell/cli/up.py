"""`swell up`: hands over to the host process."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def up(*, state: Path | None, port: int, via_rest: bool) -> None:
    """Become the cluster's host; does not return. `state` None keeps nothing.

    By exec, so that the command line's libraries do not stay in memory for the life of the cluster.
    """
    argv = [sys.executable, "-P", "-m", "swell.local.up", "--port", str(port)]
    if state is not None:
        argv += ["--state", str(state)]
    if via_rest:
        argv.append("--via-rest")
    sys.stdout.flush()
    os.execv(sys.executable, argv)
