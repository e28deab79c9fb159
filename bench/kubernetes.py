"""Swell on a real one-node Kubernetes cluster made for it: memory, cold starts, bursts, and what a Service costs.

The app is a static Go program that answers at once; what is measured beside Swell is the API server, scheduler,
kubelet, containerd and runc, all on this machine.

    coldstart_p50_s    from the request to the first byte of its answer, for a Service without pods; `_no_token_`: the
                       same for pods that get no token for the API and so mount nothing
    own_share_p50_ms   Swell's part of that: from the request until its Deployment has replicas, and from the moment
                       when the queue-proxy finds the app ready until the first byte
    at_once20_p50_s    one request each to 20 such Services at the same moment
    bare20_p50_s       20 Deployments of two containers scaled from zero at the same moment, with nothing of Swell in
                       them or around: until both serve; `_in_turns_`: so many at a time as Swell starts
    burst30_s          30 requests of 500 ms at the same moment to one such Service with containerConcurrency 1
    ready_p50_s        from creating a Service until it is Ready, alone; `_no_token_` as above
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from autoscaler.pace import UNDER_WAY_PER_CPU
from bench import bare
from bench.coldstart import first_byte
from bench.report import parser_of, report
from swell.api.kinds import DEPLOYMENT
from swell.api.labels import SERVICE as SERVICE_LABEL
from swell.api.meta import Obj
from swell.kube.errors import KubeError
from swell.testing.home import Objects, pod_is_ready, unique
from swell.testing.kubernetes import Installed, installed
from swell.testing.processes import command_line, cpu_s, family, rss_mb

PROGRAMS = ("activator", "autoscaler", "controller")
QUICK = {"window": "6s"}
# Nothing goes to zero again while others still start.
BURST = {"window": "20s"}
NO_TOKEN = {"automountServiceAccountToken": False}
# Spread over the kubelet's one-second tick, with which starts at a fixed distance would fall into step.
PAUSE_S = (0.5, 2.5)
IDLE_S = 30.0
MANY = 50
PLACES = round(UNDER_WAY_PER_CPU * (os.cpu_count() or 1))
TURNS = 6
READY_MARK = "the app is ready"
PARTS = ("objects", "ready", "coldstart", "at_once", "burst", "idle")

Figures = dict[str, float]


def main() -> None:
    """Parse, measure, print."""
    parser = parser_of("kubernetes", __doc__)
    parser.add_argument("--starts", type=int, default=24)
    parser.add_argument("--bursts", type=int, default=3, help="rounds of each burst; the median counts")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="measure these parts alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swell-bench-") as folder, installed(Path(folder)) as cluster:
        report(asyncio.run(measure(cluster, options.starts, options.bursts, options.only)), as_json=options.json)


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start, in seconds. `own_s`: Swell's part of it."""

    first_byte_s: float
    own_s: float


async def measure(cluster: Installed, starts: int, bursts: int, only: Sequence[str]) -> dict[str, float]:
    """All figures; `errors` counts answers that were not 200."""
    image = cluster.images.go_hello
    figures: Figures = {"errors": 0.0}
    async with cluster.home.client() as objects:
        parts: dict[str, Callable[[], Awaitable[Figures]]] = {
            "objects": lambda: objects_per_service(objects, image),
            "ready": lambda: all_ready(objects, image, starts // 2),
            "coldstart": lambda: all_cold_starts(objects, image, starts),
            "at_once": lambda: at_once(objects, image, bursts),
            "burst": lambda: one_service(objects, image, bursts),
            "idle": lambda: idle(cluster, objects),
        }
        for name in only:
            found = await parts[name]()
            print(f"{name}: {found}", file=sys.stderr, flush=True)
            errors = figures["errors"] + found.pop("errors", 0.0)
            figures |= {**found, "errors": errors}
    return figures


async def all_ready(objects: Objects, image: str, starts: int) -> Figures:
    """From creating Services until they are Ready."""
    figures: Figures = {}
    for name, spec in (("ready", {}), ("ready_no_token", NO_TOKEN)):
        took = [await create_to_ready(objects, image, **spec) for _ in range(starts)]
        figures |= {f"{name}_p50_s": round(statistics.median(took), 3), f"{name}_min_s": round(min(took), 3)}
    return figures


async def all_cold_starts(objects: Objects, image: str, starts: int) -> Figures:
    """First bytes, and Swell's own share of them."""
    figures: Figures = {"errors": 0.0}
    own: list[float] = []
    for name, spec in (("coldstart", {}), ("coldstart_no_token", NO_TOKEN)):
        done = await cold_starts(objects, image, starts, **spec)
        first = sorted(start.first_byte_s for start in done)
        own += [start.own_s for start in done]
        figures["errors"] += starts - len(done)
        figures |= {f"{name}_p50_s": round(statistics.median(first), 3), f"{name}_max_s": round(first[-1], 3)}
    return {**figures, "own_share_p50_ms": round(1000 * statistics.median(own), 1)}


async def at_once(objects: Objects, image: str, rounds: int) -> Figures:
    """Twenty Services, and between their rounds twenty bare Deployments."""
    figures: Figures = {"errors": 0.0}
    took: dict[str, list[list[float]]] = {"at_once20": [], "bare20": [], "bare20_in_turns": []}
    for _ in range(rounds):
        took["at_once20"].append(await burst(objects, image, services=20, requests=1))
        took["bare20"].append(await bare.burst(objects, image, 20, at_a_time=20))
        took["bare20_in_turns"].append(await bare.burst(objects, image, 20, at_a_time=PLACES))
    for name, bursts in took.items():
        figures["errors"] += sum(20 - len(each) for each in bursts)
        figures[f"{name}_p50_s"] = round(statistics.median(map(statistics.median, bursts)), 2)
        figures[f"{name}_max_s"] = round(max(map(max, bursts)), 2)
    return figures


async def one_service(objects: Objects, image: str, rounds: int) -> Figures:
    """Thirty requests to one Service, one at a time for each pod."""
    took = [await burst(objects, image, services=1, requests=30, containerConcurrency=1) for _ in range(rounds)]
    errors = sum(30 - len(each) for each in took)
    return {"burst30_s": round(statistics.median(map(max, took)), 2), "errors": float(errors)}


@asynccontextmanager
async def at_zero(objects: Objects, services: list[Obj]) -> AsyncIterator[list[str]]:
    """These Services, ready and without pods; deleted at the end."""
    names = [service["metadata"]["name"] for service in services]
    for service in services:
        await objects.apply(service)
    await asyncio.gather(*map(objects.ready, names))
    await asyncio.gather(*map(objects.gone, names))
    try:
        yield names
    finally:
        await objects.clean()
        await asyncio.gather(*map(objects.gone, names))


async def objects_per_service(objects: Objects, image: str) -> Figures:
    """Objects of all kinds that a Service with one pod adds to its namespace; Events pass by and do not count."""

    async def count() -> Counter[str]:
        found: Counter[str] = Counter()
        for kind in (await objects.kube.discover()).kinds():
            if not kind.namespaced or kind.kind == "Event":
                continue
            try:
                found[str(kind)] = len((await objects.kube.list(kind, objects.home.namespace)).items)
            except KubeError as error:
                if error.status != HTTPStatus.METHOD_NOT_ALLOWED:  # reviews and bindings are not kept
                    raise
        return found

    before = await count()
    name = unique("counted")
    await objects.deploy(objects.service(name, image=image, annotations={"min-scale": "1"}))
    added = await count() - before
    await objects.clean()
    await objects.gone(name)
    return {"objects_per_service": float(added.total())}


async def create_to_ready(objects: Objects, image: str, **spec: Any) -> float:
    """Seconds from creating a Service until it is Ready; its pod is gone before this returns."""
    name = unique("ready")
    await asyncio.sleep(random.uniform(*PAUSE_S))
    service = objects.service(name, image=image, annotations=QUICK, **spec)
    started = time.perf_counter()
    await objects.apply(service)
    await objects.ready(name)
    took_s = time.perf_counter() - started
    await objects.clean()
    await objects.gone(name)
    return took_s


async def cold_starts(objects: Objects, image: str, starts: int, **spec: Any) -> list[Start]:
    """That many, one by one, of Services that take turns; without those that were not answered with 200."""
    services = [objects.service(unique("cold"), image=image, annotations=QUICK, **spec) for _ in range(TURNS)]
    done: list[Start] = []
    async with at_zero(objects, services) as names:
        for number in range(starts):
            name = names[number % TURNS]
            await objects.gone(name)
            await asyncio.sleep(random.uniform(*PAUSE_S))
            start = await cold_start(objects, name)
            if start is not None:
                done.append(start)
    return done


async def cold_start(objects: Objects, name: str) -> Start | None:
    """One, of a Service without pods; None if it was not answered with 200."""
    scaled = asyncio.create_task(_scaled_at(objects, name))
    await asyncio.sleep(0.2)  # the watch stands
    started = time.time()
    took_s = await first_byte(objects, name)
    scaled_at = await scaled
    if took_s is None:
        return None
    found_ready_at = await _found_ready_at(objects, name)
    return Start(took_s, (scaled_at - started) + (started + took_s - found_ready_at))


async def _scaled_at(objects: Objects, name: str) -> float:
    """When the Deployment of a Service at zero was told to have replicas."""
    found = await objects.kube.list(DEPLOYMENT, objects.home.namespace, label_selector=f"{SERVICE_LABEL}={name}")
    changes = objects.kube.watch(
        DEPLOYMENT,
        objects.home.namespace,
        resource_version=found.resource_version,
        label_selector=f"{SERVICE_LABEL}={name}",
    )
    async for event in changes:
        if event.type != "BOOKMARK" and event.object["spec"].get("replicas"):
            return time.time()
    raise RuntimeError(f"the API server ended the watch on {name}'s Deployment")


async def _found_ready_at(objects: Objects, name: str) -> float:
    """When the queue-proxy of the Service's only pod found its app ready, by its log."""
    (pod,) = await objects.until_pods(name, lambda pods: any(map(pod_is_ready, pods)))
    logs = objects.kube.logs(objects.home.namespace, pod["metadata"]["name"], container="queue-proxy")
    log = b"".join([chunk async for chunk in logs])
    line = next(line for line in log.decode().splitlines() if READY_MARK in line)
    return datetime.fromisoformat(line.split()[0]).replace(tzinfo=UTC).timestamp()


async def burst(objects: Objects, image: str, *, services: int, requests: int, **spec: Any) -> list[float]:
    """Seconds of each request that is answered with 200: so many to each of so many cold Services, all at once."""
    path = "/" if requests == 1 else "/?sleep_ms=500"

    async def ask(name: str) -> float | None:
        started = time.perf_counter()
        answer = await objects.get(name, path)
        return time.perf_counter() - started if answer.status == 200 else None

    async with at_zero(
        objects, [objects.service(unique("burst"), image=image, annotations=BURST, **spec) for _ in range(services)]
    ) as names:
        await asyncio.sleep(random.uniform(*PAUSE_S))
        took = await asyncio.gather(*(ask(name) for name in names for _ in range(requests)))
    return [each for each in took if each is not None]


async def idle(cluster: Installed, objects: Objects) -> Figures:
    """Memory and CPU of the programs with few and with many Services at zero; CPU in percent of one core."""
    few = await idle_with(cluster, objects, 1)
    many = await idle_with(cluster, objects, MANY)
    return {**few, **{f"{name}_{MANY}_services": value for name, value in many.items()}}


async def idle_with(cluster: Installed, objects: Objects, services: int) -> Figures:
    """The same with so many."""
    image = cluster.images.go_hello
    async with at_zero(
        objects, [objects.service(unique("idle"), image=image, annotations=QUICK) for _ in range(services)]
    ):
        await asyncio.sleep(IDLE_S / 3)
        assert cluster.node is not None, "processes can be looked at on a node of our own only"
        pids = {name: _pids(cluster.node.init.pid, name) for name in PROGRAMS}
        before = {name: sum(map(cpu_s, found)) for name, found in pids.items()}
        started = time.monotonic()
        await asyncio.sleep(IDLE_S)
        share = 100 / (time.monotonic() - started)
        figures = {
            f"{name}_cpu_percent": round((sum(map(cpu_s, pids[name])) - before[name]) * share, 2) for name in PROGRAMS
        }
        memory = {name: sum(map(rss_mb, found)) for name, found in pids.items()}
    figures |= {f"{name}_rss_mb": round(each, 1) for name, each in memory.items()}
    return {**figures, "control_plane_rss_mb": round(sum(memory.values()), 1)}


def _pids(init: int, name: str) -> list[int]:
    """The processes of a program's pods on the node that hangs on `init`; without tini, which waits for each."""
    found = [pid for pid in family(init) if command_line(pid).endswith(f"/start.pyc {name}")]
    found = [pid for pid in found if "/tini" not in command_line(pid)]
    assert found, f"no process of {name} on the node"
    return found


if __name__ == "__main__":
    main()
