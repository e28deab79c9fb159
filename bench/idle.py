"""What an idle embedded cluster costs: CPU and memory of all its processes, with three Services at zero."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.report import parser_of, report
from swell.local.launch import RunningCluster, launch
from swell.testing.home import Objects, embedded
from swell.testing.processes import command_line, cpu_s, family, rss_mb

SERVICES = 3


def main() -> None:
    """Parse, measure, print."""
    parser = parser_of("idle", __doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    report(asyncio.run(measure(options.seconds)), as_json=options.json)


async def measure(seconds: float) -> dict[str, float]:
    """CPU in percent of one core over `seconds`; resident memory in MB, shared pages counted in each process."""
    with tempfile.TemporaryDirectory(prefix="swell-bench-") as state:
        running = await asyncio.to_thread(launch, Path(state))
        home = embedded(running)
        try:
            async with home.client() as objects:
                await _to_zero(objects)
            idle = await _idle(running, seconds)
            async with home.client() as objects:
                return {**idle, "queueproxy_rss_mb": round(await _queue_proxy(objects, running), 1)}
        finally:
            await asyncio.to_thread(running.stop)


async def _to_zero(objects: Objects) -> None:
    names = [f"idle-{number}" for number in range(SERVICES)]
    for name in names:
        await objects.deploy(objects.service(name, image="hello", annotations={"window": "6s"}))
        await objects.get(name)
    for name in names:
        await objects.gone(name)


async def _idle(running: RunningCluster, seconds: float) -> dict[str, float]:
    await asyncio.sleep(5)
    members = family(running.process.pid)
    before, started = sum(map(cpu_s, members)), time.monotonic()
    await asyncio.sleep(seconds)
    used = sum(map(cpu_s, members)) - before
    figures = {
        "cpu_percent": round(100 * used / (time.monotonic() - started), 2),
        "rss_mb": round(sum(map(rss_mb, members)), 1),
        "processes": len(members),
    }
    for pid in members:
        module = command_line(pid).rpartition("-m ")[2].split(" ")[0].rpartition(".")[2]
        figures[f"{module}_rss_mb"] = round(rss_mb(pid), 1)
    return figures


async def _queue_proxy(objects: Objects, running: RunningCluster) -> float:
    before = set(family(running.process.pid))
    await objects.deploy(objects.service("busy", image="hello", annotations={"min-scale": "1"}))
    for _ in range(200):
        await objects.get("busy")
    new = [pid for pid in family(running.process.pid) if pid not in before]
    # A forked queue-proxy keeps the command line of its parent.
    host = command_line(running.process.pid)
    return max(rss_mb(pid) for pid in new if command_line(pid) == host)


if __name__ == "__main__":
    main()
