"""The autoscaler's port over real sockets: spec autoscaling 2.3."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from activator.reporting.stream import Stream
from autoscaler.metrics.receive import HEARD_S, LOADS_S, Receiver, Reports
from swell.api.meta import Key
from swell.runtime.clock import SystemClock
from swell.testing.clock import ManualClock
from swell.wire.history import HISTORY_HEADER, History, encode_history
from swell.wire.loads import ANSWERS_HEADER, ANSWERS_LOADS, PodLoads, decode_question, encode_loads
from swell.wire.report import ProvenPod, encode_messages, encode_proven
from swell.wire.stats import Stat

STAT = Stat(pod_name="activator", average_concurrent_requests=2.0, request_count=3.0)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.taken: asyncio.Queue[Reports] = asyncio.Queue()
        self.proven: list[ProvenPod] = []
        self.told: list[History] = []
        self.receiver = Receiver(self.clock, self.taken.put_nowait, self.proven.extend, self.told.append, self.answer)

    def answer(self, path: str, query: Mapping[str, str]) -> Any:
        if "at" in query:
            raise ValueError("at=noon: a number is wanted")
        return {"/decisions": {"default/hello": {"desired": 1}}}[path]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.receiver.port}"

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{self.receiver.port}{path}", headers=headers) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    await found.receiver.start("127.0.0.1", 0)
    yield found
    await found.receiver.close()


async def sent(socket: ClientConnection, *frames: bytes | str) -> None:
    """Returns once the frames were taken: the pong comes after them."""
    for frame in frames:
        await socket.send(frame)
    await (await socket.ping())


@pytest.mark.parametrize("path", ["/", "/stats", "/decisions"])
async def test_reports_are_taken_on_any_path(world: World, path: str) -> None:
    async with connect(world.url + path) as socket:
        await sent(socket, encode_messages([("default", "hello", STAT), ("other", "bye", STAT)]))
    assert world.taken.get_nowait() == [(("default", "hello"), STAT), (("other", "bye"), STAT)]


async def test_pods_that_have_passed_a_probe_are_told_apart_from_reports(world: World) -> None:
    pods = [ProvenPod("default", "hello-1", "uid-1"), ProvenPod("other", "bye-1", "uid-2")]
    async with connect(world.url) as socket:
        await sent(socket, encode_proven(pods))
    assert (world.proven, world.taken.empty()) == (pods, True)


async def test_what_cannot_be_read_is_skipped_and_the_connection_goes_on(world: World) -> None:
    async with connect(world.url) as socket:
        await sent(socket, "text", b"\x0a\xff", encode_messages([("default", "hello", STAT)]))
    assert world.taken.qsize() == 1
    assert world.receiver.undecodable == 1


async def test_several_activators_report_at_the_same_time(world: World) -> None:
    async with connect(world.url) as one, connect(world.url) as two:
        await asyncio.gather(*(sent(socket, encode_messages([("default", "hello", STAT)])) for socket in (one, two)))
        assert world.taken.qsize() == 2


async def test_who_has_just_connected_has_not_told_all_yet(world: World) -> None:
    assert (world.receiver.connected, world.receiver.hears) == (False, False)
    async with connect(world.url) as socket:
        await sent(socket)
        assert (world.receiver.connected, world.receiver.hears) == (True, False)
        world.clock.advance(HEARD_S)
        assert world.receiver.hears
    async with connect(world.url) as socket:
        await sent(socket)
        assert not world.receiver.hears


async def test_the_shutdown_asks_activators_to_come_back() -> None:
    world = World()
    await world.receiver.start("127.0.0.1", 0)
    async with connect(world.url) as socket:
        await sent(socket)
        _, closed = await asyncio.gather(world.receiver.close(), socket.wait_closed())
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert closed is None
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012


async def test_an_activators_own_stream_is_understood(world: World) -> None:
    connected = asyncio.Event()
    stream = Stream(world.url, SystemClock(), connected.set, lambda question: None)
    running = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(10):
            await connected.wait()
            stream.send(encode_messages([("default", "hello", STAT)]))
            assert await world.taken.get() == [(("default", "hello"), STAT)]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


HELLO = Key("default", "hello-00001")
ANSWERS = {ANSWERS_HEADER: ANSWERS_LOADS}


async def question(socket: ClientConnection) -> tuple[str, str]:
    frame = await socket.recv()
    assert isinstance(frame, bytes)
    return decode_question(frame)


async def test_what_is_in_flight_is_the_sum_of_what_the_activators_say(world: World) -> None:
    async with (
        connect(world.url, additional_headers=ANSWERS) as one,
        connect(world.url, additional_headers=ANSWERS) as two,
        connect(world.url) as knows_nothing_of_it,
    ):
        for socket in (one, two, knows_nothing_of_it):
            await sent(socket)
        asking = asyncio.create_task(world.receiver.loads(HELLO))
        assert (await question(one), await question(two)) == (HELLO, HELLO)
        await sent(one, encode_loads(PodLoads(*HELLO, {"a": 2, "b": 1})))
        await sent(two, encode_loads(PodLoads("default", "other", {"a": 9})))
        await sent(two, encode_loads(PodLoads(*HELLO, {"a": 1})))
        assert await asking == {"a": 3, "b": 1}


async def test_an_activator_that_does_not_answer_is_not_waited_for_long(world: World) -> None:
    async with (
        connect(world.url, additional_headers=ANSWERS) as quick,
        connect(world.url, additional_headers=ANSWERS) as slow,
    ):
        await sent(quick)
        await sent(slow)
        asking = asyncio.create_task(world.receiver.loads(HELLO))
        await question(quick)
        await question(slow)
        await sent(quick, encode_loads(PodLoads(*HELLO, {"a": 1})))
        world.clock.advance(LOADS_S)
        assert await asking == {"a": 1}
        await sent(slow, encode_loads(PodLoads(*HELLO, {"a": 5})))
        asking = asyncio.create_task(world.receiver.loads(HELLO))
        await question(quick)
        await question(slow)
        await slow.close()
        await sent(quick, encode_loads(PodLoads(*HELLO, {})))
        world.clock.advance(LOADS_S)
        assert await asking == {}


async def test_a_history_is_asked_for_in_the_handshake_and_ends_the_deafness(world: World) -> None:
    async with connect(world.url) as socket:
        assert socket.response is not None
        assert socket.response.headers[HISTORY_HEADER]
        await sent(socket)
        assert not world.receiver.hears
        await sent(socket, encode_history("activator", 7.0, []))
        assert world.told == [History("activator", 7.0, [])]
        assert world.receiver.hears


async def test_probes_are_answered_on_any_path(world: World) -> None:
    assert (await world.get("/healthz"))[0] == 200
    assert (await world.get("/anything", **{"User-Agent": "kube-probe/1.30"}))[0] == 200


async def test_documents_are_json_and_unknown_paths_say_what_there_is(world: World) -> None:
    status, body = await world.get("/decisions")
    assert (status, json.loads(body)) == (200, {"default/hello": {"desired": 1}})
    assert await world.get("/else") == (
        404,
        "there is no /else here; there are /decisions and /why/NAMESPACE/REVISION\n",
    )
    assert await world.get("/decisions?at=noon") == (400, "at=noon: a number is wanted\n")
    assert (await world.get("/decisions", "POST"))[0] == 405
