"""What wears a proxy out: many idle connections, large bodies, slow readers, and far too many requests.

A whole embedded cluster on the first core; callers on the last. `_idle_kb` is memory per idle keep-alive connection
that has had an answer, `_growth_mb` how much more memory a process had at its worst than before (for the overload:
than when its line was full). MB are resident, by VmRSS. The neighbours of the overload ask another Service whose app
takes `--neighbour-ms`; their p99 is measured before and after, alone, and meanwhile; `_worst_after_ms` is their longest
wait when all callers of the other hang up at once, those in the full line too.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.endurance_callers import Idle, download, latencies, upload
from bench.report import report
from swell.local.images import Images
from swell.local.launch import launch
from swell.runtime.limits import raise_open_files
from swell.testing.home import Objects, embedded, pod_is_ready
from swell.testing.processes import family, listener, program, rss_mb

IMAGE = "endurance-app"
SAMPLE_S = 0.05
NEIGHBOUR_RPS = 50
# Of the overloaded Service, whose one pod answers so many a second.
LIMIT, TAKES_MS = 10, 100
CAPACITY_RPS = LIMIT * 1000 // TAKES_MS
LINE_MAX = 10_000


class World:
    """A running cluster, and the Services that are measured. `address` is the front door's."""

    def __init__(self, objects: Objects, host_pid: int, options: argparse.Namespace) -> None:
        self.objects = objects
        self.options = options
        self.door = program(host_pid, "swell.local.activator_main")
        ip, port = objects.home.gateway.split(":")
        self.address = (ip, int(port))

    async def service(self, name: str, **spec: Any) -> tuple[str, tuple[str, int], int]:
        """Deploy one with a single pod; returns its host, and address and process of its queue-proxy."""
        scale = {"min-scale": "1", "max-scale": "1"}
        await self.objects.deploy(self.objects.service(name, image=IMAGE, annotations=scale, **spec))
        (pod,) = await self.objects.until_pods(name, lambda pods: len(pods) == 1 and pod_is_ready(pods[0]))
        ip = pod["status"]["podIP"]
        return self.objects.home.host(name), (ip, 8012), listener(ip, 8012)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="this part; again for another")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="length of the overload, beside 15 s to fill the line"
    )
    parser.add_argument("--neighbour-ms", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(uvloop.run(measure(options)), as_json=options.json)


async def measure(options: argparse.Namespace) -> dict[str, float]:
    """The figures of the parts that are asked for."""
    raise_open_files()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="swell-bench-") as state:
        os.sched_setaffinity(0, {cores[0]})
        running = await asyncio.to_thread(launch, Path(state))
        os.sched_setaffinity(0, {cores[-1]})
        try:
            app = Path(__file__).with_name("endurance_app.py")
            Images(Path(state)).add(IMAGE, command=f"{sys.executable} {app}")
            figures: dict[str, float] = {}
            async with embedded(running).client() as objects:
                world = World(objects, running.process.pid, options)
                for name, part in PARTS.items():
                    if not options.only or name in options.only:
                        figures |= await part(world)
                figures["processes_rss_mb"] = round(sum(map(rss_mb, family(running.process.pid))), 1)
            return figures
        finally:
            await asyncio.to_thread(running.stop)


async def idle(world: World) -> dict[str, float]:
    """Idle connections, to the front door and straight to a queue-proxy, as many front doors would have them."""
    host, pod, sidecar = await world.service("idle")
    count: int = world.options.connections
    figures: dict[str, float] = {"idle_connections": count}
    for name, address, pid in (("door", world.address, world.door), ("queueproxy", pod, sidecar)):
        await (await Idle.opened(address, host, 100)).close()
        before_mb = rss_mb(pid)
        connections = await Idle.opened(address, host, count)
        await asyncio.sleep(1)
        assert connections.open == count, f"{count - connections.open} connections were closed"
        figures[f"{name}_idle_kb"] = round((rss_mb(pid) - before_mb) * 1024 / count, 2)
        await connections.close()
    return figures


async def bodies(world: World) -> dict[str, float]:
    """One large body up, one down, and one down to a caller that is slower than the app."""
    host, _, sidecar = await world.service("bodies")
    size = int(world.options.gigabytes * 2**30)
    figures: dict[str, float] = {"body_gb": world.options.gigabytes}
    parts: tuple[tuple[str, Callable[[], Awaitable[int]]], ...] = (
        ("upload", lambda: upload(world.address, host, size)),
        ("download", lambda: download(world.address, host, size)),
        ("slow_reader", lambda: download(world.address, host, size, pause_s=0.02, read_s=10.0)),
    )
    for name, work in parts:
        warm: Callable[..., Awaitable[int]] = upload if name == "upload" else download
        await warm(world.address, host, 2**24)
        async with watched({"door": world.door, "queueproxy": sidecar}) as growth_mb:
            began_s = time.perf_counter()
            moved = await work()
            took_s = time.perf_counter() - began_s
        figures[f"{name}_mb_s"] = round(moved / 2**20 / took_s)
        figures |= {f"{who}_{name}_growth_mb": grown for who, grown in growth_mb.items()}
    return figures


async def overload(world: World) -> dict[str, float]:
    """Ten times what a Service with one pod can do, and what its neighbours notice."""
    takes = world.options.neighbour_ms
    host, _, sidecar = await world.service("flooded", containerConcurrency=LIMIT)
    neighbour, _, _ = await world.service("neighbour")
    seconds: float = world.options.seconds
    alone_s = seconds / 2  # twice, so that it is as long as what it is held against
    path = f"/?sleep_ms={takes}"
    gc.disable()

    async def neighbours(for_s: float) -> list[float]:
        return await latencies(world.address, neighbour, path, NEIGHBOUR_RPS, for_s)

    await neighbours(2)
    alone = await neighbours(alone_s)
    rate = 10 * CAPACITY_RPS
    async with flood(world, host, rate) as counts:
        await asyncio.sleep(LINE_MAX / (rate - CAPACITY_RPS) + 4)  # until the line is full
        full_mb = rss_mb(world.door)
        async with watched({"door": world.door, "queueproxy": sidecar}) as growth_mb:
            meanwhile = await neighbours(seconds)
    aftermath = await neighbours(3)
    answered = await counts()
    await asyncio.sleep(2)
    alone += await neighbours(alone_s)
    alone_ms, meanwhile_ms = (1000 * statistics.quantiles(found, n=100)[98] for found in (alone, meanwhile))
    return {
        "overload_s": seconds,
        "offered_rps": rate,
        "served": answered.get("200", 0),
        "refused": answered.get("503", 0),
        "other_answers": sum(count for status, count in answered.items() if status not in ("200", "503")),
        "door_full_mb": round(full_mb, 1),
        **{f"{who}_overload_growth_mb": grown for who, grown in growth_mb.items()},
        "neighbour_worst_after_ms": round(1000 * max(aftermath), 1),
        "neighbour_p99_alone_ms": round(alone_ms, 2),
        "neighbour_p99_overload_ms": round(meanwhile_ms, 2),
        "neighbour_p99_ratio": round(meanwhile_ms / alone_ms, 3),
    }


Part = Callable[[World], Coroutine[Any, Any, dict[str, float]]]
PARTS: dict[str, Part] = {"idle": idle, "bodies": bodies, "overload": overload}


@asynccontextmanager
async def watched(pids: dict[str, int]) -> AsyncIterator[dict[str, float]]:
    """By how many MB each process grows at most meanwhile; there at the end."""
    growth_mb: dict[str, float] = {}
    before = {name: rss_mb(pid) for name, pid in pids.items()}
    most = dict(before)

    async def look() -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            most.update({name: max(most[name], rss_mb(pid)) for name, pid in pids.items()})

    looking = asyncio.create_task(look())
    try:
        yield growth_mb
    finally:
        looking.cancel()
        growth_mb |= {name: round(most[name] - before[name], 1) for name in pids}


@asynccontextmanager
async def flood(world: World, host: str, rate: int) -> AsyncIterator[Callable[[], Coroutine[Any, Any, dict[str, int]]]]:
    """Callers in a process of their own, which yields to the neighbours'; the answers by status when it has ended."""
    address = [str(part) for part in world.address]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.endurance_callers", *address, host, f"/?sleep_ms={TAKES_MS}", str(rate)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.nice(5),
    )

    async def counts() -> dict[str, int]:
        output, _ = await process.communicate()
        found: dict[str, int] = json.loads(output)
        return found

    try:
        yield counts
    finally:
        assert process.stdin is not None
        process.stdin.close()


if __name__ == "__main__":
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > LINE_MAX, "too few open files are allowed: ulimit -Hn"
    main()
