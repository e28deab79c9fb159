"""The queue-proxy's decisions over exchanges that only record what is done with them; virtual time."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from activator.proxy.heads import RequestFields
from activator.proxy.states import State
from activator.queueproxy.queueproxy import QueueProxy
from activator.queueproxy.readiness import Readiness
from activator.queueproxy.settings import Settings
from activator.queueproxy.statistics import Statistics
from swell.testing.clock import ManualClock

REFUSED = "dial tcp 127.0.0.1:8080: connect: connection refused"


class Exchange:
    """One request: `forwards` counts how often it went to the app, `status` and `body` are its answer."""

    def __init__(self, world: World, headers: dict[str, str]) -> None:
        self.world = world
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "hello", **headers}.items())
        self.fields = RequestFields(f"1\r\n{lines}\r\n".encode())
        self.named = self.fields.named
        self.started_s = world.clock.now()
        self.state = State.HELD
        self.tag: Any = None
        self.status = 0
        self.informed = False
        self.sent_bytes = 0
        self.body = b""
        self.forwards = 0
        self.aborted = False

    def forward(self, address: tuple[str, int], **options: Any) -> None:
        assert self.state is State.HELD
        self.state = State.SENT
        self.forwards += 1
        self.world.at_app[self] = None

    def reply(self, status: int, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        assert self.state in (State.HELD, State.SENT)
        self.status, self.body = status, body
        self._end()

    def abort(self) -> None:
        self.aborted = True
        self._end()

    def begin(self, status: int = 200) -> None:
        """The app's head is passed on."""
        self.status = status
        self.state = State.TUNNEL if status == 101 else State.REPLYING

    def end(self) -> None:
        """The answer is complete, or the caller has left."""
        self._end()

    def refuse(self) -> None:
        """The app takes no connection."""
        del self.world.at_app[self]
        self.state = State.HELD
        self.world.proxy.on_unsent(self, REFUSED)  # type: ignore[arg-type]

    def _end(self) -> None:
        assert self.state is not State.DONE
        self.state = State.DONE
        self.world.at_app.pop(self, None)
        self.world.proxy.on_done(self)  # type: ignore[arg-type]


class World:
    """A queue-proxy whose app is the test: `at_app` are the exchanges it has."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.listens = False
        self.at_app: dict[Exchange, None] = {}
        common: dict[str, Any] = {
            "container_concurrency": 0,
            "serving_port": 8012,
            "user_port": 8080,
            "namespace": "default",
            "configuration": "hello",
            "revision": "hello-00001",
            "pod": "hello-1",
            "pod_ip": "10.0.0.7",
        }
        self.settings = Settings(**(common | settings))
        self.statistics = Statistics(self.settings, self.clock)
        readiness = Readiness((), self._never, self.clock)
        self.proxy = QueueProxy(self.settings, self.clock, readiness, self.statistics, self._dial)

    async def _never(self, probe: object) -> Any:
        raise AssertionError("there are no probes")

    async def _dial(self) -> bool:
        return self.listens

    def request(self, **headers: str) -> Exchange:
        exchange = Exchange(self, {name.replace("_", "-"): value for name, value in headers.items()})
        self.proxy.on_request(exchange)  # type: ignore[arg-type]
        return exchange


async def test_case_41_after_ten_seconds_of_refusals_the_caller_is_told_in_the_references_words() -> None:
    world = World(container_concurrency=1)
    exchange = world.request()
    exchange.refuse()
    await world.clock.pass_time(9.9)
    assert exchange.status == 0
    await world.clock.pass_time(0.3)
    assert (exchange.status, exchange.body) == (502, REFUSED.encode() + b"\n")
    assert world.request().forwards == 1, "its slot is free"


async def test_a_refused_request_goes_again_with_its_slot_when_the_app_is_back() -> None:
    world = World(container_concurrency=1)
    first, second = world.request(), world.request()
    first.refuse()
    await world.clock.pass_time(1)
    world.listens = True
    await world.clock.pass_time(0.1)
    assert (first.forwards, second.forwards) == (2, 0)
    first.end()
    assert second.forwards == 1


def test_a_request_that_waits_for_its_slot_is_told_at_its_timeout() -> None:
    world = World(container_concurrency=1, timeout_s=10)
    running = world.request()
    world.clock.advance(5)
    waiting = world.request()
    world.clock.advance(4)
    running.begin()
    world.clock.advance(20)
    assert running.aborted
    assert (waiting.forwards, waiting.status, waiting.body) == (1, 504, b"request timeout")


def test_case_39_and_40_a_tunnel_ends_at_the_timeout_and_not_for_want_of_a_head() -> None:
    world = World(timeout_s=10, response_start_timeout_s=2)
    tunnel = world.request(Upgrade="websocket")
    tunnel.begin(101)
    world.clock.advance(9)
    assert not tunnel.aborted
    world.clock.advance(2)
    assert tunnel.aborted


def test_tunnels_hold_the_drain_as_requests_do() -> None:
    world = World()
    tunnel, plain = (world.request(Connection="upgrade", Upgrade=name) for name in ("websocket", "h2c"))
    tunnel.begin(101)
    plain.begin(200)
    assert world.proxy.in_flight() == 2
    plain.end()
    assert world.proxy.in_flight() == 1
    tunnel.end()
    assert world.proxy.in_flight() == 0


async def test_whatever_happens_slots_counts_and_line_stay_right() -> None:
    choose = random.Random(41)
    world = World(container_concurrency=3, timeout_s=60)
    everybody: list[Exchange] = []
    for _ in range(3000):
        unfinished = [exchange for exchange in everybody if exchange.state is not State.DONE]
        running = [exchange for exchange in world.at_app if exchange.state is State.SENT]
        match choose.choice(("arrive", "arrive", "end", "leave", "refuse", "begin", "time")):
            case "arrive":
                everybody.append(world.request(K_Proxy_Request=choose.choice(("activator", ""))))
            case "end" if world.at_app:
                choose.choice(list(world.at_app)).end()
            case "leave" if unfinished:
                choose.choice(unfinished).end()
            case "refuse" if running:
                choose.choice(running).refuse()
            case "begin" if running:
                choose.choice(running).begin()
            case "time":
                world.listens = choose.random() < 0.7
                await world.clock.pass_time(choose.choice((0.01, 0.1, 3)), step_s=0.5)
        assert len(world.at_app) <= 3
        assert world.statistics.concurrency == world.proxy.in_flight()
    for exchange in everybody:
        if exchange.state is not State.DONE:
            exchange.end()
    assert world.proxy.breaker is not None
    assert (world.proxy.breaker.running, world.proxy.breaker.waiting) == (0, 0)
    assert (world.statistics.concurrency, world.proxy.in_flight()) == (0, 0)
    statuses = {exchange.status for exchange in everybody}
    assert {503, 502} <= statuses
    await world.proxy.close()
    assert len(asyncio.all_tasks()) == 1, "only this test"
