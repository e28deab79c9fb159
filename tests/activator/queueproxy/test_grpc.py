"""gRPC through a real queue-proxy, with grpcio on both ends: spec dataplane C49, C68."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from swell.testing.peers import App, call
from swell.testing.sidecar import Sidecar, sidecar

H2C_PORT = "8013"
BIG = bytes(300_000)


class Service(grpc.GenericRpcHandler):
    """Methods of every kind over plain bytes. `cancelled` is set when an app's call was."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.begun = asyncio.Event()
        self.sent = 0
        self.metadata: dict[str, Any] = {}

    def service(self, call: Any) -> Any:
        self.metadata = dict(call.invocation_metadata)
        kinds = {
            "/test/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/test/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/test/Hang": grpc.unary_unary_rpc_method_handler(self.hang),
            "/test/Count": grpc.unary_stream_rpc_method_handler(self.count),
            "/test/Flood": grpc.unary_stream_rpc_method_handler(self.flood),
            "/test/Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "/test/Chat": grpc.stream_stream_rpc_method_handler(self.chat),
        }
        return kinds.get(call.method)

    async def unary(self, request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("trailing", "yes"),))
        await context.send_initial_metadata((("initial", "yes"),))
        return request

    async def fail(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 50 %")
        raise AssertionError

    async def hang(self, request: bytes, context: Any) -> bytes:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        raise AssertionError

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    async def flood(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for _ in range(1000):
            self.sent += 1
            yield BIG

    async def sum(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"%d" % sum([len(request) async for request in requests])

    async def chat(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request


class World:
    def __init__(self, service: Service, server: Any, channel: Any, qp: Sidecar) -> None:
        self.service = service
        self.server = server
        self.channel = channel
        self.qp = qp

    def unary(self, method: str) -> Any:
        return self.channel.unary_unary(f"/test/{method}")


@asynccontextmanager
async def running(**env: str) -> AsyncIterator[World]:
    service, app = Service(), App()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(f"127.0.0.1:{app.port}")
    await server.start()
    try:
        async with sidecar(app, QUEUE_SERVING_PORT=H2C_PORT, **env) as qp:
            host, port = qp.address
            async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
                yield World(service, server, channel, qp)
    finally:
        await server.stop(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


async def test_case_68_unary_calls_with_metadata_at_both_ends(world: World) -> None:
    call = world.unary("Unary")(b"hello", metadata=(("asked", "yes"), ("raw-bin", b"\x00\xff")))
    assert await call == b"hello"
    assert dict(await call.initial_metadata()) == {"initial": "yes"}
    assert dict(await call.trailing_metadata()) == {"trailing": "yes"}
    assert world.service.metadata["asked"] == "yes"
    assert world.service.metadata["raw-bin"] == b"\x00\xff"
    assert "x-forwarded-for" in world.service.metadata


async def test_an_apps_error_comes_with_code_and_words(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.unary("Fail")(b"")
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "not today: 50 %"


async def test_a_method_that_is_not_there_is_the_apps_to_refuse(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.unary("Nothing")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_hundred_calls_at_a_time_share_connections(world: World) -> None:
    unary = world.unary("Unary")
    answers = await asyncio.gather(*(unary(b"%d" % number) for number in range(100)))
    assert answers == [b"%d" % number for number in range(100)]


async def test_an_app_streams(world: World) -> None:
    call = world.channel.unary_stream("/test/Count")(b"50")
    assert [piece async for piece in call] == [b"%d" % number for number in range(50)]


async def test_a_caller_streams_more_than_any_window(world: World) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield BIG

    assert await world.channel.stream_unary("/test/Sum")(pieces()) == b"%d" % (10 * len(BIG))


async def test_case_68_both_sides_take_turns_in_one_call(world: World) -> None:
    call = world.channel.stream_stream("/test/Chat")()
    for number in range(20):
        await call.write(b"%d" % number)
        assert await call.read() == b"%d" % number
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_call_that_its_caller_cancels_is_cancelled_in_the_app(world: World) -> None:
    call = world.unary("Hang")(b"")
    await asyncio.sleep(0)
    await world.service.begun.wait()
    call.cancel()
    await world.service.cancelled.wait()
    assert await world.unary("Unary")(b"next") == b"next"


async def test_a_callers_deadline_ends_the_call_in_the_app_too(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.unary("Hang")(b"", timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await world.service.cancelled.wait()


async def test_case_29_the_revisions_timeout_is_a_status_that_grpc_knows() -> None:
    async with running(REVISION_TIMEOUT_SECONDS="1") as world:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.unary("Hang")(b"")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # 504
        await world.service.cancelled.wait()


async def test_case_41_an_app_that_is_gone_is_unavailable(world: World) -> None:
    assert await world.unary("Unary")(b"") == b""
    await world.server.stop(0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.unary("Unary")(b"")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_waits_for_its_slot_until_another_is_cancelled() -> None:
    async with running(CONTAINER_CONCURRENCY="1") as world:
        hanging = world.unary("Hang")(b"")
        await asyncio.sleep(0)
        await world.service.begun.wait()
        waiting = asyncio.ensure_future(world.unary("Unary")(b"waited"))
        full = [asyncio.ensure_future(world.unary("Unary")(b"")) for _ in range(11)]
        done, _ = await asyncio.wait(full, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().exception()
        assert isinstance(refused, grpc.aio.AioRpcError)
        assert refused.code() is grpc.StatusCode.UNAVAILABLE, "503: eleven wait, ten may"
        hanging.cancel()
        answers = await asyncio.gather(waiting, *full, return_exceptions=True)
        assert sum(isinstance(answer, bytes) for answer in answers) >= 10


async def test_case_62_a_stream_that_is_open_when_the_pod_is_told_to_go_is_finished() -> None:
    async with running(SWELL_DRAIN_QUIET_S="0.2") as world:
        chat = world.channel.stream_stream("/test/Chat")()
        await chat.write(b"before")
        assert await chat.read() == b"before"
        world.qp.terminate()
        drained = asyncio.create_task(call(world.qp.admin, "/wait-for-drain"))
        await chat.write(b"after")
        assert await chat.read() == b"after"
        await chat.done_writing()
        assert await chat.code() is grpc.StatusCode.OK
        assert (await drained).status == 200
        assert await world.qp.ended() == 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.unary("Unary")(b"")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_case_59_calls_are_counted_and_case_50_probes_are_answered_over_http2(world: World) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl here: apt-get install curl")
    host, port = world.qp.address
    process = await asyncio.create_subprocess_exec(
        *(curl, "-sS", "--http2-prior-knowledge", "-A", "kube-probe/1.31", "-H", "K-Network-Probe: queue"),
        f"http://{host}:{port}/",
        stdout=asyncio.subprocess.PIPE,
    )
    assert (await process.communicate())[0] == b"queue"
    hanging = world.unary("Hang")(b"")
    await asyncio.sleep(0)
    await world.service.begun.wait()
    async with asyncio.timeout(20):
        while b"} 1\n" not in (await call(world.qp.statistics, "/metrics", {"Accept": "text/plain"})).body:
            await asyncio.sleep(0.1)  # the figures are those of the last whole second
    hanging.cancel()
