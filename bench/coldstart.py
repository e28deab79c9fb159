"""Cold start in the embedded cluster: what Swell adds to the app's own start.

A start is measured as the time to first byte of a request to a Service whose pods are fully gone. Right before each
one, and once after the last of a round, the same app is started directly and timed from exec to the first byte of its
first answer. Of start i, with b[i] the direct start before it:

    overhead[i] = first_byte[i] - median(b[i-1], b[i], b[i+1], b[i+2])     (those of its round)

so that both see the same machine. Services take turns: a round begins with no pod at all, and while one start is
measured no other pod starts or shuts down; those that were started before in the round are idle.
"""

from __future__ import annotations

import asyncio
import os
import random
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.report import parser_of, report
from swell.api.kinds import POD
from swell.local.images import Images
from swell.local.launch import RunningCluster, launch
from swell.local.samples import sample
from swell.testing.home import WAIT_S, Objects, embedded, pod_is_ready
from swell.testing.peers import free_port

APP = "coldstart-app"
WINDOW_S = 12.0
# A round must be over before the first pod of it goes: the window, less the time that one start takes at most.
ROUND_S = WINDOW_S - 2.0
NEIGHBOURS = 2


@dataclass(slots=True)
class Round:
    """Starts one after the other, and the direct starts around them: `own_s[i]` before start i, one more at the end."""

    own_s: list[float] = field(default_factory=list)
    first_byte_s: list[float] = field(default_factory=list)

    def overheads_s(self) -> list[float]:
        """First byte minus the median of the neighbouring direct starts."""
        return [
            seconds - statistics.median(self.own_s[max(0, index + 1 - NEIGHBOURS) : index + 1 + NEIGHBOURS])
            for index, seconds in enumerate(self.first_byte_s)
        ]


def main() -> None:
    """Parse, measure, print."""
    parser = parser_of("coldstart", __doc__)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--services", type=int, default=10, help="Services that take turns being cold.")
    options = parser.parse_args()
    report(asyncio.run(measure(options.starts, options.services)), as_json=options.json)


async def measure(starts: int, services: int) -> dict[str, float]:
    """The figures of `starts` cold starts, in ms."""
    with tempfile.TemporaryDirectory(prefix="swell-bench-") as state:
        command = f"{sys.executable} {sample('hello')}/app.py"
        time_app_start(command)  # from now on the files are in memory, for both
        running = await asyncio.to_thread(launch, Path(state))
        try:
            Images(Path(state)).add(APP, command=command)
            rounds, errors = await cold_starts(running, command, starts, services)
        finally:
            await asyncio.to_thread(running.stop)
    return figures_of(rounds, errors)


def figures_of(rounds: list[Round], errors: int) -> dict[str, float]:
    """In ms, over all rounds."""
    if not any(each.first_byte_s for each in rounds):
        raise SystemExit(f"not one start was answered with 200: {errors} errors")
    overhead = sorted(1000 * seconds for each in rounds for seconds in each.overheads_s())
    first_byte = [1000 * seconds for each in rounds for seconds in each.first_byte_s]
    own = [1000 * seconds for each in rounds for seconds in each.own_s]
    return {
        "starts": len(first_byte),
        "app_start_p50_ms": round(statistics.median(own), 1),
        "first_byte_p50_ms": round(statistics.median(first_byte), 1),
        "overhead_p50_ms": round(percentile(overhead, 50), 1),
        "overhead_p95_ms": round(percentile(overhead, 95), 1),
        "overhead_max_ms": round(overhead[-1], 1),
        "errors": errors,
    }


def time_app_start(command: str) -> float:
    """Seconds from starting the app to the first byte of its first answer."""
    port = free_port()
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


async def cold_starts(running: RunningCluster, command: str, starts: int, services: int) -> tuple[list[Round], int]:
    """`starts` of them in rounds, and how many requests failed."""
    home = embedded(running)
    names = [f"cold-{number}" for number in range(services)]
    rounds: list[Round] = []
    asked = errors = 0
    async with home.client() as objects:
        for name in names:
            await objects.apply(objects.service(name, image=APP, annotations={"window": f"{WINDOW_S:g}s"}))
        for name in names:
            await objects.ready(name)
        while asked < starts:
            for name in names:
                await objects.gone(name)
            done, failed = await one_round(objects, command, names[: starts - asked])
            asked += len(done.first_byte_s) + failed
            errors += failed
            rounds.append(done)
    return rounds, errors


async def one_round(objects: Objects, command: str, names: list[str]) -> tuple[Round, int]:
    """Start one Service after the other, as many as there is time for; and how many requests failed."""
    this = Round()
    errors = 0
    until_s = time.monotonic() + ROUND_S
    for name in names:
        if time.monotonic() > until_s:
            break
        # At odd moments, so that no start falls into step with a ticker.
        await asyncio.sleep(random.uniform(0.3, 0.8))
        own_s = time_app_start(command)
        took_s = await first_byte(objects, name)
        await until_settled(objects)
        if took_s is None:
            errors += 1
        else:
            this.own_s.append(own_s)
            this.first_byte_s.append(took_s)
    this.own_s.append(time_app_start(command))
    return this, errors


async def until_settled(objects: Objects) -> None:
    """Returns once every pod is ready."""
    async with asyncio.timeout(WAIT_S):
        while not all(map(pod_is_ready, (await objects.kube.list(POD, objects.home.namespace)).items)):
            await asyncio.sleep(0.1)


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


if __name__ == "__main__":
    main()
