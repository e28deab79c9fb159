"""Signals that end a program."""

from __future__ import annotations

import asyncio
import os
import signal


def signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; a second signal exits at once with code 1."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop
