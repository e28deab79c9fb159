"""The programs as processes of their own: replaced one by one under load, and cut off from the API server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp

from swell.api.kinds import ENDPOINT_SLICE
from swell.api.meta import Obj
from swell.local.launch import RunningCluster
from swell.testing.home import Home, Objects, unique
from swell.testing.load import load
from swell.testing.peers import Address, Caller, free_ports
from swell.testing.relay import Relay
from swell.testing.waiting import until

GRACE_S = 1.0
QUICK = {"window": "6s"}


class Program:
    """`python -m NAME` against the embedded API server, as in a pod."""

    def __init__(self, name: str, cluster: RunningCluster, *, kubeconfig: Path | None = None, **environ: str) -> None:
        self.admin_port, self.port = free_ports(2)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", name],
            env={
                **os.environ,
                "SWELL_KUBE": f"kubeconfig:{kubeconfig or cluster.config.kubeconfig}",
                "SWELL_LISTEN_IP": "127.0.0.1",
                "SWELL_ADMIN_PORT": str(self.admin_port),
                "POD_NAME": unique(name),
                "POD_IP": "127.0.0.1",
                "SWELL_LOG_LEVEL": "warning",
                **{key: value.format(port=self.port) for key, value in environ.items()},
            },
        )

    @property
    def address(self) -> Address:
        return "127.0.0.1", self.port

    async def get(self, path: str) -> tuple[int, str]:
        """Of its admin port; status 0 while nobody listens."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.admin_port}{path}") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def ready(self, ready: bool = True) -> None:
        async def seen() -> bool:
            assert self.process.poll() is None or not ready, "it ended"
            return ((await self.get("/readyz"))[0] == 200) is ready

        await until(seen)

    async def leads(self) -> None:
        async def seen() -> bool:
            return 'swell_leader{lease="autoscaler-bucket-00-of-01"} 1.0' in (await self.get("/metrics"))[1]

        await until(seen)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, 60)


def front_door(cluster: RunningCluster, **options: Path) -> Program:
    url = f"ws://127.0.0.1:{cluster.config.autoscaler_port}"
    environ = {"SWELL_GATEWAY_PORT": "{port}", "SWELL_SHUTDOWN_GRACE_S": str(GRACE_S), "AUTOSCALER_URL": url}
    return Program("activator", cluster, kubeconfig=options.get("kubeconfig"), **environ)


@contextlib.asynccontextmanager
async def balanced(*doors: Program) -> AsyncIterator[Relay]:
    relay = Relay(*(door.address for door in doors))
    await relay.start()
    try:
        yield relay
    finally:
        await relay.cut()


@contextlib.contextmanager
def killed_at_the_end(programs: list[Program]) -> Iterator[None]:
    try:
        yield
    finally:
        for program in programs:
            program.process.kill()
            program.process.wait()


async def served(objects: Objects, min_scale: str = "1") -> str:
    name = unique("rolling")
    await objects.deploy(objects.service(name, annotations={**QUICK, "min-scale": min_scale}))
    return name


async def test_front_doors_are_replaced_one_by_one_without_a_failed_request(
    cluster: RunningCluster, home: Home
) -> None:
    doors = [front_door(cluster), front_door(cluster)]
    with killed_at_the_end(doors):
        async with home.client() as objects:
            name = await served(objects)
            await asyncio.gather(*(door.ready() for door in doors))
            async with balanced(*doors) as relay, load(relay.address, home.host(name), "/?sleep_ms=5") as seen:
                await seen.more(50)
                for old in list(doors):
                    new = front_door(cluster)
                    doors.append(new)
                    await new.ready()
                    relay.targets.append(new.address)
                    long = await Caller.connect(old.address)
                    long.send(f"/?sleep_ms={GRACE_S * 2000:.0f}", {"Host": home.host(name)})
                    await seen.more(50)
                    old.terminate()
                    await old.ready(False)
                    await seen.more(10)
                    relay.targets.remove(old.address)
                    answer = await long.answer()
                    assert (answer.status, answer.headers["connection"]) == (200, "close")
                    assert await old.ended() == 0
                    await seen.more(50)
            assert seen.failures == []
            await objects.clean()


async def test_a_front_door_serves_on_without_the_api_server(cluster: RunningCluster, home: Home) -> None:
    api = Relay(("127.0.0.1", cluster.config.api_port))
    await api.start()
    kubeconfig = Path(cluster.config.state, "kubeconfig-relay")
    server = re.compile(rf"127\.0\.0\.1:{cluster.config.api_port}\b")
    kubeconfig.write_text(server.sub(f"127.0.0.1:{api.address[1]}", cluster.config.kubeconfig.read_text()))
    doors = [front_door(cluster, kubeconfig=kubeconfig)]
    with killed_at_the_end(doors):
        async with home.client() as objects:
            name = await served(objects)
            await doors[0].ready()
            async with load(doors[0].address, home.host(name)) as seen:
                await seen.more(50)
                await api.cut()
                await seen.more(500)
                assert (await doors[0].get("/readyz"))[0] == 200
                await api.start()
                other = await served(objects, min_scale="0")
                await until(lambda: answers(doors[0], home.host(other)))
            assert seen.failures == []
            await objects.clean()
    await api.cut()


async def answers(door: Program, host: str) -> bool:
    caller = await Caller.connect(door.address)
    try:
        caller.send("/", {"Host": host})
        return (await caller.answer()).status == 200
    finally:
        caller.close()


async def test_a_standby_autoscaler_is_ready_and_takes_over_from_one_that_stops(
    cluster: RunningCluster, home: Home
) -> None:
    environ = {"SWELL_LEADER_ELECTION": "true", "SWELL_AUTOSCALER_PORT": "{port}"}
    first = Program("autoscaler", cluster, **environ)
    programs = [first]
    with killed_at_the_end(programs):
        await first.leads()
        second = Program("autoscaler", cluster, **environ)
        programs.append(second)
        await second.ready()
        async with dataclasses.replace(home, namespace="swell-system").client() as system:
            await sent_to(system, first)
            first.terminate()
            assert await first.ended() == 0
            await second.leads()
            await sent_to(system, second)
        second.terminate()
        assert await second.ended() == 0


async def sent_to(system: Objects, program: Program) -> None:
    """Returns once that is where activators in the cluster are sent."""

    def names_it(found: Obj) -> bool:
        return [port["port"] for _ in found.get("endpoints") or () for port in found["ports"]] == [program.port]

    await system.until(ENDPOINT_SLICE, "autoscaler", names_it)
