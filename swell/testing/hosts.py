"""A host in a process of its own, for tests: as `swell up` runs one, with the programs and modules a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from swell.local.host.client import HostClient, HostLost

WAIT_S = 20.0
_RUN = """
import importlib, json, sys
from swell.local.host.config import HostConfig, Program
from swell.local.host.main import run
config = json.loads(sys.argv[1])
for name, stand_in in json.loads(sys.argv[2]).items():
    sys.modules[name] = importlib.import_module(stand_in)
config["programs"] = [Program(**program) for program in config["programs"]]
sys.exit(run(HostConfig(**config)))
"""


class RunningHost:
    """A host in `folder`. `stand_ins`: modules, also from that folder, that it takes for others."""

    def __init__(self, folder: Path, stand_ins: dict[str, str] | None = None, **config: Any) -> None:
        self.folder = folder
        self.path = str(folder / "host.sock")
        whole = {"socket_path": self.path, "preload": [], "programs": [], "pods_grace_s": 2.0, **config}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _RUN, json.dumps(whole), json.dumps(stand_ins or {})],
            env={**os.environ, "PYTHONPATH": str(folder)},
        )

    async def client(self) -> HostClient:
        """A new connection, once it listens."""
        async with asyncio.timeout(WAIT_S):
            while True:
                client = HostClient(self.path)
                try:
                    await client.connect()
                    return client
                except HostLost:
                    await asyncio.sleep(0.01)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, WAIT_S)

    def text(self, name: str) -> str:
        """What is in a file of its folder; "" if there is none."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.asynccontextmanager
async def running_host(
    folder: Path, stand_ins: dict[str, str] | None = None, **config: Any
) -> AsyncIterator[tuple[RunningHost, HostClient]]:
    """A host and a connection to it; killed at the end, with all that it runs."""
    host = RunningHost(folder, stand_ins, **config)
    client = await host.client()
    try:
        yield host, client
    finally:
        await client.close()
        host.kill()
