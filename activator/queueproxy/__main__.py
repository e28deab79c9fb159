"""Run a queue-proxy: settings from the environment, until SIGTERM.

Importing this loads all that a queue-proxy needs but uvloop, and starts nothing, so that a warm process may
import it once and fork a queue-proxy for each pod.
"""

# ruff: noqa: E402
from __future__ import annotations

import gc

# What imports make stays: to look for garbage among it would take 5 ms of each cold start.
gc.disable()

import os
import signal
import sys

from activator.queueproxy.program import Settings, run
from swell.runtime import eventloop, log
from swell.runtime.clock import SystemClock
from swell.runtime.errors import SwellError
from swell.runtime.limits import raise_open_files
from swell.runtime.shutdown import signals

gc.freeze()
gc.enable()


def main() -> int:
    """0 after a drain; 1 with a message when a setting is wrong or the start failed."""
    # Ours follow. For a handler like Python's the loop would put another in place, with half a millisecond of ado.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        settings = Settings.parse(os.environ)
        log.setup("queue-proxy", level=settings.log_level)
        raise_open_files()
        eventloop.run(_main(settings), tls=settings.uses_tls)
    except SwellError as error:
        print(f"queue-proxy: {error}", file=sys.stderr)
        return 1
    return 0


async def _main(settings: Settings) -> None:
    await run(settings, SystemClock(), signals())


if __name__ == "__main__":
    sys.exit(main())
