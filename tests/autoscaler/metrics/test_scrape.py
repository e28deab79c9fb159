"""Scraping over real sockets, in virtual time: spec autoscaling 2.1, 2.4, 2.7 and 2.8."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activator.proxy.server import ProxyServer
from activator.queueproxy.ports import StatisticsPort
from activator.queueproxy.settings import Settings
from activator.queueproxy.statistics import Statistics
from autoscaler.metrics.ask import TIMEOUT_S
from autoscaler.metrics.scrape import ASKING_MAX, HAND_ON_S, PERIOD_S, PORT_NAME, Scraper, pod_of
from swell.api.meta import Key, Obj
from swell.testing.clock import ManualClock
from swell.testing.sidecar import environment
from swell.testing.waiting import until
from swell.wire.stats import Stat, encode_stat

HELLO = Key("default", "hello-00001")
PROTOBUF = b"application/protobuf"


class Pod:
    """A pod's statistics port: `says` is its answer, `None` silence; `keeps` its connections open."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.says: bytes | None = b""
        self.keeps = True
        self.heads: list[bytes] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.answers(Stat(name))

    async def start(self, ip: str) -> Obj:
        """The Pod object."""
        self._server = await asyncio.start_server(self._serve, ip, 0)
        port = self._server.sockets[0].getsockname()[1]
        return pod(self.name, ip, port)

    def answers(self, stat: Stat, status: int = 200, content_type: bytes = PROTOBUF) -> None:
        body = encode_stat(stat)
        self.says = b"HTTP/1.1 %d So\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            status,
            content_type,
            len(body),
            body,
        )

    def hang_up(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                if self.says is not None:
                    writer.write(self.says)
                if not self.keeps:
                    break
        self._open.discard(writer)
        writer.close()


def pod(name: str, ip: str, port: int, *, ready: bool = True, started: str = "2023-11-14T00:00:00Z") -> Obj:
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "namespace": "default",
            "labels": {"serving.knative.dev/revision": HELLO.name},
        },
        "spec": {"containers": [{"name": "queue-proxy", "ports": [{"name": PORT_NAME, "containerPort": port}]}]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "startTime": started,
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.found: list[Stat] = []
        self.blind: list[bool] = []
        self.pods: list[Pod] = []
        self.objects: list[Obj] = []
        self.scraper = Scraper(self.clock, self.clock.wall, self._found, lambda key, blind: self.blind.append(blind))
        self.scraper.follow(HELLO, 60)

    def _found(self, stats: list[tuple[Key, Stat]]) -> None:
        self.found += [stat for _, stat in stats]

    async def add(self, count: int = 1) -> list[Pod]:
        for _ in range(count):
            number = len(self.pods) + 2
            self.pods.append(Pod(f"pod-{number}"))
            self.objects.append(await self.pods[-1].start(f"127.0.0.{number}"))
            self.scraper.pod_changed(None, self.objects[-1])
        return self.pods

    async def second(self) -> list[Stat]:
        """What one more second brings."""
        self.found.clear()
        self.clock.advance(PERIOD_S - HAND_ON_S)
        while self.scraper._asker.asking:
            await asyncio.sleep(0.001)
            if any(pod.says is None and pod.heads for pod in self.pods):
                self.clock.advance(TIMEOUT_S)
                break
        self.clock.advance(HAND_ON_S)
        return list(self.found)

    async def close(self) -> None:
        await self.scraper.close()
        for each in self.pods:
            await each.close()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    yield found
    await found.close()


def stat(value: float, proxied: float = 0.0) -> Stat:
    return Stat("pod", value, proxied, value, proxied, 100.0)


def seen(stats: list[Stat]) -> list[float]:
    return [each.average_concurrent_requests for each in stats]


async def test_pods_are_asked_each_second_on_one_connection_for_protobuf(world: World) -> None:
    (asked,) = await world.add()
    asked.answers(stat(3, 1))
    (found,) = await world.second()
    assert (found.pod_name, found.average_concurrent_requests, found.average_proxied_concurrent_requests) == (
        "service-scraper",
        3,
        1,
    )
    assert (found.request_count, found.proxied_request_count, found.process_uptime) == (3, 1, 0)
    for _ in range(3):
        assert seen(await world.second()) == [3]
    assert (asked.connections, len(asked.heads)) == (1, 4)
    assert asked.heads[0].startswith(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.2:")
    assert b"\r\nAccept: application/protobuf\r\n" in asked.heads[0]


async def test_a_queue_proxys_own_port_is_understood(world: World) -> None:
    statistics = Statistics(Settings.parse(environment(8080, "127.0.0.2")), world.clock)
    statistics.start()
    server = ProxyServer(StatisticsPort(statistics))
    await server.start("127.0.0.2", 0)
    world.scraper.pod_changed(None, pod("own", "127.0.0.2", server.listening_port))
    for _ in range(2):
        statistics.requests.arrive(world.clock.now())
    await world.second()
    assert seen(await world.second()) == [2]
    server.close()


async def test_what_some_say_is_taken_for_all(world: World) -> None:
    for each in await world.add(10):
        each.answers(stat(2))
    assert seen(await world.second()) == [20]
    assert sum(len(each.heads) for each in world.pods) == 7


async def test_case_13_a_pod_that_fails_is_replaced_by_another(world: World) -> None:
    await world.add(5)
    for each in world.pods:
        each.answers(stat(1))
    world.pods[0].answers(stat(1), status=500)
    assert seen(await world.second()) == [5]
    await world.pods[0].close()
    world.scraper.pod_changed(world.objects[0], None)
    world.pods[1].answers(stat(1), status=500)
    assert (await world.second(), world.scraper.failures) == ([], 1)
    assert "status 500" in world.scraper.trouble(HELLO)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "content type ''"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", "content type 'text/plain'"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/protobuf\r\nContent-Length: 2\r\n\r\n\x0a\xff",
            "no statistics",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/protobuf\r\n\r\n" + b"\x0a\x05hello" * 5000, "more than"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404"),
        (b"nonsense\r\n\r\n", "no answer that can be read"),
        (None, "no answer within 3 s"),
    ],
)
async def test_what_is_no_answer_is_told_and_makes_blind(world: World, says: bytes | None, error: str) -> None:
    (asked,) = await world.add()
    asked.says = says
    assert (await world.second(), world.blind) == ([], [False, True])
    assert error in world.scraper.trouble(HELLO)
    assert "127.0.0.2:" in world.scraper.trouble(HELLO)
    asked.answers(stat(1))
    await world.second()
    assert (seen(await world.second())[-1], world.blind) == (1, [False, True, False])
    assert world.scraper.trouble(HELLO) == ""


async def test_statistics_longer_than_336_bytes_are_no_statistics(world: World) -> None:
    (asked,) = await world.add()
    asked.answers(Stat("n" * 400, 1))
    assert await world.second() == []
    assert "no statistics" in world.scraper.trouble(HELLO)


async def test_a_kept_connection_that_was_closed_is_made_anew(world: World) -> None:
    (asked,) = await world.add()
    asked.answers(stat(4))
    assert seen(await world.second()) == [4]
    asked.hang_up()
    assert seen(await world.second()) == [4]
    asked.keeps = False
    assert [seen(await world.second()) for _ in range(3)] == [[4]] * 3
    assert asked.connections >= 4


async def test_nobody_to_connect_to_makes_blind(world: World) -> None:
    (asked,) = await world.add()
    await asked.close()
    assert (await world.second(), world.blind) == ([], [False, True])
    assert world.scraper.trouble(HELLO).startswith("127.0.0.2:")


async def test_only_revisions_with_ready_pods_are_scraped_and_the_others_cost_no_timer(world: World) -> None:
    assert (world.clock.pending, world.scraper.scraped) == (0, 0)
    (asked,) = await world.add()
    assert (world.clock.pending, world.scraper.scraped, world.scraper.blind) == (1, 1, 1)
    await world.second()
    assert world.scraper.blind == 0
    world.scraper.pod_changed(world.objects[0], pod("pod-2", "127.0.0.2", 1, ready=False))
    assert (await world.second(), len(asked.heads), world.clock.pending) == ([], 1, 0)


async def test_a_revision_that_is_not_to_be_scraped_is_not(world: World) -> None:
    (asked,) = await world.add()
    world.scraper.follow(HELLO, None)
    assert (await world.second(), asked.heads, world.blind) == ([], [], [False, True, False])
    world.scraper.follow(HELLO, 60)
    assert len(await world.second()) == 1


async def test_scrapes_of_one_revision_never_overlap(world: World) -> None:
    (asked,) = await world.add()
    asked.says = None
    world.clock.advance(PERIOD_S)
    await until(lambda: asked.heads)
    world.clock.advance(PERIOD_S)
    assert (world.scraper.skipped, len(asked.heads)) == (1, 1)


async def test_no_more_is_asked_at_a_time_than_is_allowed(world: World) -> None:
    (asked,) = await world.add()
    world.scraper._asker.asking = ASKING_MAX
    world.clock.advance(PERIOD_S)
    assert (world.scraper.skipped, asked.heads) == (1, [])
    world.scraper._asker.asking = 0
    assert len(await world.second()) == 1


async def test_case_16_where_a_mesh_answers_for_all_pods_they_are_not_asked_any_more(world: World) -> None:
    for each in await world.add(4):
        each.answers(stat(1), status=503)
    assert await world.second() == []
    assert (world.scraper.scraped, world.blind[-1]) == (0, False), "what the front door reports is all that counts"
    assert await world.second() == []
    assert sum(len(each.heads) for each in world.pods) == 4
    world.scraper.configure("disabled", passthrough=False)
    await world.second()
    assert (world.scraper.scraped, world.scraper.blind) == (1, 1), "an error like any other"
    world.scraper.configure("auto", passthrough=True)
    await world.second()
    assert (world.scraper.scraped, world.scraper.blind) == (1, 1), "what is said by address is final"
    assert b"\r\nKnative-Direct-Lb: true\r\n" in world.pods[0].heads[-1]


async def test_case_16_one_error_of_another_kind_is_no_mesh(world: World) -> None:
    for each in await world.add(4):
        each.answers(stat(1), status=502)
    world.pods[2].answers(stat(1), status=500)
    await world.second()
    assert (world.scraper.scraped, world.scraper.blind) == (1, 1)


async def test_in_mode_enabled_nobody_is_asked(world: World) -> None:
    (asked,) = await world.add()
    world.scraper.configure("enabled", passthrough=False)
    assert (await world.second(), asked.heads, world.blind[-1]) == ([], [], False)
    world.scraper.configure("auto", passthrough=False)
    assert len(await world.second()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"phase": "Pending"},
        {"podIP": ""},
        {"conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": []},
    ],
)
def test_who_is_not_asked(change: dict[str, Any]) -> None:
    ready = pod("a", "10.0.0.1", 9090)
    assert pod_of(ready) is not None
    assert pod_of({**ready, "status": {**ready["status"], **change}}) is None
    assert pod_of({**ready, "metadata": {**ready["metadata"], "deletionTimestamp": "2023-11-14T00:00:00Z"}}) is None


def test_where_a_pod_is_asked() -> None:
    found = pod_of(pod("a", "10.0.0.1", 19090))
    assert found is not None
    assert found == (("10.0.0.1", 19090), 1699920000.0)
    plain = pod_of({**pod("a", "fd00::1", 1), "spec": {"containers": [{"name": "app"}]}})
    assert plain is not None
    assert plain.address == ("fd00::1", 9090)
