"""`swell watch`: the live view of one Service."""

from __future__ import annotations

import asyncio
import os

from rich.console import Console
from rich.live import Live

from swell.cli.context import connect, find_kubeconfig
from swell.cli.live import Sample, View
from swell.cli.observe import NoService, Observer, numbers_of, observe
from swell.cli.reach import ask_of

PERIOD_S = 0.5


async def watch(name: str, namespace: str, kubeconfig: str | None, seconds: float | None) -> int:
    """Show the Service until Ctrl-C, or for `seconds`; returns the exit code."""
    async with connect(kubeconfig) as client:
        numbers = numbers_of(ask_of(client, find_kubeconfig(kubeconfig, os.environ)))
        async with observe(client, namespace, name, numbers) as observer:
            try:
                async with asyncio.timeout(seconds):
                    await follow(observer, View(f"{namespace}/{name}"), Console())
            except TimeoutError:
                pass  # that long was asked for
    return 0


async def follow(observer: Observer, view: View, console: Console) -> None:
    """Draw on a terminal; elsewhere print a line whenever something changed. Runs until cancelled.

    Raises `NoService` when the Service is deleted.
    """
    last: Sample | None = None
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            if observer.service is None:
                raise NoService("the Service was deleted")
            sample = await observer.sample()
            view.add(sample)
            if console.is_terminal:
                live.update(view.render(), refresh=True)
            elif sample.replaces(last):
                print(sample.line(), flush=True)
                last = sample
            await asyncio.sleep(PERIOD_S)
