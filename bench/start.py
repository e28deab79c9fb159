"""What the start of a queue-proxy costs: from exec until it has announced itself, for an app that listens already.

Run in the files of the image, by its Python, so as root. One start at a time first, then `--burst` of them at once on
two cores, as a node does that gets many pods: `burst_cpu_ms` is the processor time of one start among them. `rss_mb` is
taken after 200 requests.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.report import report
from image.recipes import PYTHON, Recipes
from swell.testing.peers import App, call
from swell.testing.processes import cpu_s, rss_mb
from swell.testing.sidecar import announcements, environment

PROBE = '{"tcpSocket":{"host":"127.0.0.1","port":0},"successThreshold":1}'
PROGRAM = "activator.queueproxy"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(asyncio.run(measure(options.starts, options.burst)), as_json=options.json)


async def measure(starts: int, burst: int) -> dict[str, float]:
    """Milliseconds and megabytes."""
    app = App()
    await app.start()
    chroot = shutil.which("chroot")
    if chroot is None or os.getuid() != 0:
        raise SystemExit("bench.start runs a program in the files of the image: it needs root, and chroot")
    with tempfile.TemporaryDirectory(prefix="swell-bench-") as root, Recipes() as recipes:
        image = recipes.swell()
        for layer in image.layers:
            subprocess.run(["tar", "--extract", "--file", layer.path, "--directory", root], check=True)
        os.environ |= image.environment
        # tini is a process of its own, and what is measured is behind it.
        command = (chroot, root, *image.entrypoint[PYTHON.index("--") + 1 :], PROGRAM)
        return await _measure(app, command, starts, burst)


async def _measure(app: App, command: tuple[str, ...], starts: int, burst: int) -> dict[str, float]:
    async with announcements() as (port, announced):
        alone, cpu, memory = [], [], 0.0
        for number in range(starts + 2):
            with started(app, command, port, number) as (process, began_s):
                address = (await announced.get()).host_port
                if number >= 2:  # the first ones read files
                    alone.append(1e3 * (time.monotonic() - began_s))
                    cpu.append(1e3 * cpu_s(process))
                if number == starts + 1:
                    for _ in range(200):
                        await call(address)
                    memory = rss_mb(process)
        began_s = time.monotonic()
        pids = [start(app, command, port, number) for number in range(burst)]
        for _ in range(burst):
            await announced.get()
        took_s = time.monotonic() - began_s
        burst_cpu = [1e3 * cpu_s(pid) for pid in pids]
        for pid in pids:
            stop(pid)
    return {
        "start_ms": round(statistics.median(alone), 1),
        "start_min_ms": round(min(alone), 1),
        "start_cpu_ms": round(statistics.median(cpu), 1),
        "start_cpu_min_ms": round(min(cpu), 1),
        "burst_ms": round(1e3 * took_s, 1),
        "burst_cpu_ms": round(statistics.median(burst_cpu), 1),
        "rss_mb": round(memory, 1),
    }


def start(app: App, command: tuple[str, ...], announce_port: int, number: int) -> int:
    """A queue-proxy as a process; its pid."""
    env = environment(app.port, f"127.85.{number // 250 + 1}.{number % 250 + 1}") | {
        "SERVING_READINESS_PROBE": PROBE,
        "SWELL_ANNOUNCE_TO": f"127.0.0.1:{announce_port}",
        "SERVING_LOGGING_LEVEL": "warn",
    }
    return os.posix_spawn(command[0], command, os.environ | env)


@contextmanager
def started(app: App, command: tuple[str, ...], announce_port: int, number: int) -> Iterator[tuple[int, float]]:
    """A queue-proxy meanwhile: its pid, and when it was started."""
    began_s = time.monotonic()
    pid = start(app, command, announce_port, number)
    try:
        yield pid, began_s
    finally:
        stop(pid)


def stop(pid: int) -> None:
    os.kill(pid, 9)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
