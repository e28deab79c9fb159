"""What the ledger says outlives the autoscaler, killed or stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from swell.local.launch import RunningCluster, launch
from swell.testing.home import Home, embedded, unique
from swell.testing.processes import program


async def why(home: Home, name: str) -> Any:
    """The document of the Service's only revision, once the autoscaler answers."""
    command = [sys.executable, "-m", "swell.cli.main", "why", name, "-o", "json"]
    environ = {**os.environ, "KUBECONFIG": str(home.kubeconfig)}
    async with asyncio.timeout(60):
        while True:
            told = await asyncio.to_thread(subprocess.run, command, env=environ, capture_output=True, text=True)
            if told.returncode == 0:
                return json.loads(told.stdout)[0]
            await asyncio.sleep(0.5)


async def test_rows_are_there_after_a_kill_and_after_a_stop(cluster: RunningCluster, home: Home) -> None:
    name = unique("why")
    async with home.client() as objects:
        await objects.deploy(objects.service(name, image=home.images.hello, annotations={"window": "6s"}))
        await objects.gone(name)
    before = (await why(home, name))["changes"]
    assert before[-1]["text"] == "1 -> 0 pods: nothing was asked"
    await asyncio.sleep(4)  # rows are written in batches, every two seconds
    os.kill(program(cluster.process.pid, "swell.local.controlplane"), signal.SIGKILL)
    assert (await why(home, name))["changes"] == before
    assert cluster.stop() == 0
    again = launch(Path(cluster.config.state))
    try:
        found = await why(embedded(again), name)
        assert found["changes"] == before
        assert found["text"]["to_zero"] == "it is at zero; the next request starts a pod"
    finally:
        assert again.stop() == 0
