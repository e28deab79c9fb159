"""`swell demo`: the main job on a cluster made for it: zero, a cold request, load, replicas, zero again."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml
from rich.console import Console
from rich.table import Table

from swell.api.kinds import SERVICE
from swell.api.meta import Obj, is_ready
from swell.cli.live import Sample, View
from swell.cli.load import FirstRequest, Load, request_once, run_load
from swell.cli.observe import Observer, numbers_of, observe
from swell.cli.reach import direct
from swell.cli.watch import follow
from swell.kube.rest import RestClient
from swell.local.cluster import ClusterConfig
from swell.local.launch import launch
from swell.local.samples import sample

NAME: Final = "hello"
NAMESPACE: Final = "default"
IN_FLIGHT: Final = 30
SLEEP_MS: Final = 100
REPLICAS_MIN: Final = 3
WAIT_S: Final = 60.0


@dataclass(slots=True)
class Checks:
    """What the demo promised, and whether it was seen."""

    seen: list[tuple[str, bool, str]] = field(default_factory=list)

    def note(self, what: str, held: bool, how: str) -> None:
        self.seen.append((what, held, how))

    @property
    def passed(self) -> bool:
        return all(held for _, held, _ in self.seen)

    def table(self) -> Table:
        table = Table("promise", "kept", "seen")
        for what, held, how in self.seen:
            table.add_row(what, "[green]yes[/]" if held else "[bold red]NO[/]", how)
        return table


async def demo(*, port: int, window: str, load_s: float, via_rest: bool) -> int:
    """Run it; the exit code is 0 only if a cold start, a scale-out and a scale to zero were all seen."""
    console = Console()
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="swell-demo-") as state:
        console.rule("a cluster on this machine")
        running = await asyncio.to_thread(launch, Path(state), port=port, via_rest=via_rest)
        try:
            console.print(f"Swell is up: gateway {running.config.gateway_url}, KUBECONFIG={running.config.kubeconfig}")
            client = await RestClient.from_kubeconfig(str(running.config.kubeconfig))
            try:
                await _main_job(console, client, running.config, checks, window, load_s)
            finally:
                await client.close()
        except TimeoutError:
            checks.note("in time", False, f"nothing happened for {WAIT_S:g} s; see the last line above")
        finally:
            await asyncio.to_thread(running.stop)
    console.rule("what was promised")
    console.print(checks.table())
    return 0 if checks.passed else 1


async def _main_job(
    console: Console, client: RestClient, config: ClusterConfig, checks: Checks, window: str, load_s: float
) -> None:
    await client.create(SERVICE, demo_service(window))
    console.print(f"deployed {sample(NAME)}/service.yaml with a window of {window} and a target of 10 requests per pod")
    async with observe(client, NAMESPACE, NAME, numbers_of(direct(config.autoscaler_url))) as observer:
        await _until(observer, lambda: observer.service is not None and is_ready(observer.service))
        console.print(f"ready at {(observer.service or {})['status']['url']}")
        await _to_zero(console, observer, checks, "idle: scales to zero")
        await _cold(console, config, checks)
        await _under_load(console, observer, config, checks, load_s)
        await _to_zero(console, observer, checks, "load gone: scales to zero")


def demo_service(window: str) -> Obj:
    """The sample's manifest with a short window, so that going to zero can be watched."""
    service: Obj = yaml.safe_load((sample(NAME) / "service.yaml").read_text())
    service["metadata"]["namespace"] = NAMESPACE
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    annotations["autoscaling.knative.dev/window"] = window
    # A tenth of so short a window is less than the time between two reports.
    annotations["autoscaling.knative.dev/panic-window-percentage"] = "50"
    return service


async def _cold(console: Console, config: ClusterConfig, checks: Checks) -> None:
    console.rule("the first request: cold")
    first = await request_once(config.gateway_url, _host(config))
    console.print(f"{first.status} {first.body.strip()!r} after {first.seconds * 1000:.0f} ms, from no pod at all")
    checks.note("a cold request is answered", _good(first), f"{first.status} in {first.seconds * 1000:.0f} ms")


async def _under_load(
    console: Console, observer: Observer, config: ClusterConfig, checks: Checks, load_s: float
) -> None:
    console.rule(f"{load_s:g} s of load: {IN_FLIGHT} requests at a time, {SLEEP_MS} ms each")
    load = Load()
    url = f"{config.gateway_url}/?sleep_ms={SLEEP_MS}"
    async with _shown(console, observer) as samples:
        await run_load(url, _host(config), in_flight=IN_FLIGHT, seconds=load_s, load=load)
    most = max((one.ready for one in samples), default=0)
    console.print(f"{load.answered} requests answered, {load.failed} failed; {most} replicas at the most")
    checks.note(f"scales out to {REPLICAS_MIN} replicas or more", most >= REPLICAS_MIN, f"{most} replicas ready")
    failures = "; ".join(load.failures[:3])
    checks.note("no request fails", load.failed == 0, f"{load.answered} answered, {load.failed} failed {failures}")


async def _to_zero(console: Console, observer: Observer, checks: Checks, what: str) -> None:
    console.rule(what)
    started = asyncio.get_running_loop().time()
    async with _shown(console, observer):
        await _until(observer, lambda: not observer.pods())
    took = asyncio.get_running_loop().time() - started
    console.print(f"no pod left after {took:.1f} s")
    checks.note(what, not observer.pods(), f"no pod left after {took:.1f} s")


@contextlib.asynccontextmanager
async def _shown(console: Console, observer: Observer) -> AsyncIterator[list[Sample]]:
    """Show the live view meanwhile; gives the samples that it takes."""
    view = View(f"{NAMESPACE}/{NAME}")
    samples: list[Sample] = []
    taking = asyncio.create_task(_collect(observer, samples))
    drawing = asyncio.create_task(follow(observer, view, console))
    try:
        yield samples
    finally:
        for task in (taking, drawing):
            task.cancel()
        await asyncio.wait([taking, drawing])


async def _collect(observer: Observer, samples: list[Sample]) -> None:
    while True:
        samples.append(await observer.sample())
        await asyncio.sleep(0.25)


async def _until(observer: Observer, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await observer.changed()


def _good(first: FirstRequest) -> bool:
    return first.status == 200 and first.body.startswith("Hello")


def _host(config: ClusterConfig) -> str:
    return f"{NAME}.{NAMESPACE}.localhost:{config.gateway_port}"
