"""The actions of probes and hooks, for one container: HTTP, TCP, a command, a pause."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any

from swell.local.host.client import Child, HostError, HostLost
from swell.local.kubelet.attempts import http_get, http_get_of, tcp_connect
from swell.local.kubelet.command import Command
from swell.local.kubelet.podspec import PodFacts, address_of
from swell.local.kubelet.probes import Attempt
from swell.local.kubelet.runtime import CONTAINER_LABEL, POD_LABEL, CannotStart, Runtime

EXEC_CONTAINER = ""
"""The container label of what a probe or hook runs: no container of the pod has it."""


def attempt_of(
    action: Mapping[str, Any], container: Mapping[str, Any], facts: PodFacts, runtime: Runtime, command: Command
) -> Attempt:
    """What tries `action`. gRPC is tried as a TCP connection. Raises ValueError for a port that is not there."""
    if "exec" in action:
        argv = tuple(action["exec"].get("command") or ())
        return lambda timeout_s: execute(argv, command, facts, runtime, timeout_s)
    if "httpGet" in action:
        get = http_get_of(action["httpGet"], container, facts)
        return lambda timeout_s: http_get(get, timeout_s)
    if "sleep" in action:
        return lambda timeout_s: _sleep(float(action["sleep"].get("seconds") or 0), runtime, timeout_s)
    target = action.get("tcpSocket") or action.get("grpc")
    if not target:
        raise ValueError(f"container {container['name']!r}: a probe or hook without httpGet, tcpSocket, grpc or exec")
    address = address_of(container, facts, target["port"], target.get("host") or "")
    return lambda timeout_s: tcp_connect(address, timeout_s)


async def execute(argv: tuple[str, ...], command: Command, facts: PodFacts, runtime: Runtime, timeout_s: float) -> str:
    """Run a command as the container would; "" if it ends with 0 in time, else what happened."""
    inside = Command(argv, command.env, command.cwd)
    labels = {POD_LABEL: facts.uid, CONTAINER_LABEL: EXEC_CONTAINER}
    try:
        child = await _started(runtime, inside, labels)
        try:
            async with asyncio.timeout(timeout_s):
                ended = await child.wait()
        except TimeoutError:
            return f"command {argv[0]!r} did not end within {timeout_s:g} s"
        finally:
            await runtime.host.signal(child, signal.SIGKILL, group=True)
            await child.wait()
            await runtime.host.forget(child)
    except HostLost:
        raise
    except (CannotStart, HostError) as exc:
        return str(exc)
    return f"command {argv[0]!r} ended with exit code {ended.code}" if ended.code else ""


async def _started(runtime: Runtime, command: Command, labels: Mapping[str, str]) -> Child:
    """Start it; whoever cancels this meanwhile leaves no process behind."""
    starting = asyncio.ensure_future(runtime.run(command, os.devnull, labels))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(CannotStart, HostError):
            child = await starting
            await runtime.host.signal(child, signal.SIGKILL, group=True)
            await child.wait()
            await runtime.host.forget(child)
        raise


async def _sleep(seconds: float, runtime: Runtime, timeout_s: float) -> str:
    await runtime.clock.sleep(min(seconds, timeout_s))
    return ""
