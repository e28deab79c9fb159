"""Cold start in the embedded cluster: what Swell adds to the app's own start.

Time to first byte of a request to a Service whose pods are fully gone, minus the time that the same app
needs from exec to first byte when it is started directly, measured in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from swell.local.images import Images

from swell.local.launch import RunningCluster, launch
from swell.local.samples import sample
from swell.testing.home import Home, Objects

APP = "coldstart-app"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.coldstart", description=__doc__)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--services", type=int, default=10, help="Services that take turns being cold.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(asyncio.run(measure(options.starts, options.services)), as_json=options.json)


async def measure(starts: int, services: int) -> dict[str, float]:
    """The figures of `starts` cold starts, in ms."""
    with tempfile.TemporaryDirectory(prefix="swell-bench-") as state:
        command = f"{sys.executable} {sample('hello')}/app.py"
        own = [time_app_start(command) for _ in range(20)]
        running = await asyncio.to_thread(launch, Path(state))
        try:
            Images(Path(state)).add(APP, command=command)
            first_bytes, errors = await cold_starts(running, starts, services)
        finally:
            await asyncio.to_thread(running.stop)
    own_ms = statistics.median(own) * 1000
    overhead = sorted(1000 * seconds - own_ms for seconds in first_bytes)
    return {
        "starts": len(first_bytes),
        "app_start_p50_ms": round(own_ms, 1),
        "first_byte_p50_ms": round(1000 * statistics.median(first_bytes), 1),
        "overhead_p50_ms": round(percentile(overhead, 50), 1),
        "overhead_p95_ms": round(percentile(overhead, 95), 1),
        "overhead_max_ms": round(overhead[-1], 1),
        "errors": errors,
    }


def time_app_start(command: str) -> float:
    """Seconds from starting the app to the first byte of its first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        shlex.split(command),
        env={**os.environ, "PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    connection.recv(1)
                    return time.perf_counter() - started
            except ConnectionRefusedError:
                time.sleep(0.0005)
    finally:
        process.kill()
        process.wait()


async def cold_starts(running: RunningCluster, starts: int, services: int) -> tuple[list[float], int]:
    """Time to first byte of each start, and how many requests failed."""
    port = running.config.gateway_port
    home = Home(f"127.0.0.1:{port}", f"localhost:{port}", running.config.kubeconfig, image=APP)
    names = [f"cold-{number}" for number in range(services)]
    seconds: list[float] = []
    errors = 0
    async with home.client() as objects:
        for name in names:
            await objects.apply(objects.service(name, annotations={"window": "6s"}))
        for name in names:
            await objects.ready(name)
        while len(seconds) + errors < starts:
            for name in names[: starts - len(seconds) - errors]:
                await objects.gone(name)
                # At odd moments, so that no start falls into step with a ticker.
                await asyncio.sleep(random.uniform(0.2, 0.8))
                took = await first_byte(objects, name)
                if took is None:
                    errors += 1
                else:
                    seconds.append(took)
    return seconds, errors


async def first_byte(objects: Objects, name: str) -> float | None:
    """Seconds until the first byte of the answer; None for an answer that is not 200."""
    host, _, port = objects.home.gateway.partition(":")
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET / HTTP/1.1\r\nHost: {objects.home.host(name)}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readline()
    took = time.perf_counter() - started
    await reader.read()
    writer.close()
    return took if head.split()[1:2] == [b"200"] else None


def percentile(ordered: list[float], percent: float) -> float:
    """The nearest-rank percentile of sorted values."""
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def report(figures: dict[str, float], *, as_json: bool) -> None:
    """Print the figures as a table, or as one flat JSON object."""
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:g}")
    Console().print(table)


if __name__ == "__main__":
    main()
