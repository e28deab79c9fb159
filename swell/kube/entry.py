"""How a program starts on Kubernetes: log, settings and client from the environment, until SIGTERM."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import uvloop

from swell.kube.client import KubeClient
from swell.runtime import log
from swell.runtime.clock import Clock, SystemClock
from swell.runtime.errors import SettingsError, SwellError
from swell.runtime.shutdown import signals

S = TypeVar("S")
Run = Callable[[S, KubeClient, Clock, asyncio.Event], Awaitable[None]]


def run_program(name: str, parse: Callable[[Mapping[str, str]], S], run: Run[S]) -> int:
    """Run `run(parse(environment), client, clock, stop)`; the exit code.

    0 after a stop; 1 with a message on stderr when a setting is wrong or the start failed. `SWELL_KUBE` says where
    the API is (`in-cluster`, the default, or `kubeconfig:PATH`), `SWELL_LOG_LEVEL` how much is logged.
    """
    log.setup(name, level=os.environ.get("SWELL_LOG_LEVEL") or "info")
    try:
        uvloop.run(_run(parse, run))
    except SwellError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(parse: Callable[[Mapping[str, str]], S], run: Run[S]) -> None:
    settings = parse(os.environ)
    stop = signals()
    clock = SystemClock()
    kube = await _client(os.environ.get("SWELL_KUBE") or "in-cluster", clock)
    try:
        await run(settings, kube, clock, stop)
    finally:
        await kube.close()


async def _client(where: str, clock: Clock) -> KubeClient:
    from swell.kube.rest import RestClient

    kind, _, path = where.partition(":")
    if kind == "in-cluster" and not path:
        return await RestClient.in_cluster(clock)
    if kind == "kubeconfig" and path:
        return await RestClient.from_kubeconfig(path)
    raise SettingsError("SWELL_KUBE", where, "in-cluster or kubeconfig:PATH")
