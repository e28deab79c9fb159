"""SIGTERM and the drain of a real queue-proxy, with a short quiet time: spec dataplane C61-C66."""

from __future__ import annotations

import asyncio
import contextlib

from swell.testing.peers import OK, App, Caller, call
from swell.testing.sidecar import Sidecar, sidecar

QUIET = {"SWELL_DRAIN_QUIET_S": "0.3"}
PROBE = {"User-Agent": "kube-probe/1.31", "K-Network-Probe": "queue"}
WAIT = "/wait-for-drain"


async def probes_fail(qp: Sidecar) -> None:
    """Returns once the queue-proxy says that it shuts down."""
    async with asyncio.timeout(20):
        while (await call(qp.address, "/", PROBE)).status == 200:
            await asyncio.sleep(0.01)


async def test_case_61_an_idle_pod_is_gone_after_the_quiet_time() -> None:
    async with sidecar(App(), **QUIET) as qp:
        hook = asyncio.create_task(call(qp.admin, WAIT))
        qp.terminate()
        await probes_fail(qp)
        answer = await call(qp.address, "/", PROBE)
        assert (answer.status, answer.body) == (503, b"shutting down\n")
        assert (await hook).status == 200
        assert await qp.ended() == 0


async def test_case_62_a_request_longer_than_the_quiet_time_completes_and_holds_the_drain() -> None:
    release = asyncio.Event()

    async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(OK % (4, b"done"))

    app = App(slow)
    await app.start()
    async with sidecar(app, **QUIET) as qp:
        request = asyncio.create_task(call(qp.address))
        await app.until(lambda app: app.running == 1)
        qp.terminate()
        hook = asyncio.create_task(call(qp.admin, WAIT))
        await asyncio.wait([hook], timeout=0.8)
        assert not hook.done(), "the app must not be told to stop under a request"
        release.set()
        assert (await request).body == b"done"
        assert (await hook).status == 200
        assert await qp.ended() == 0


async def test_case_63_requests_that_wait_for_a_slot_at_the_end_are_all_served() -> None:
    async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(OK % (2, b"ok"))

    app = App(slow)
    await app.start()
    async with sidecar(app, CONTAINER_CONCURRENCY="1", **QUIET) as qp:
        calls = [asyncio.create_task(call(qp.address)) for _ in range(6)]
        await app.until(lambda app: app.running == 1)
        qp.terminate()
        assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
        assert await qp.ended() == 0


async def test_case_64_steady_requests_are_served_and_the_drain_does_not_end() -> None:
    app = App()
    await app.start()
    async with sidecar(app, SWELL_DRAIN_QUIET_S="1") as qp:
        qp.terminate()
        await probes_fail(qp)
        for _ in range(14):
            assert (await call(qp.address)).status == 200
            await asyncio.sleep(0.1)
        assert qp.process.returncode is None


async def test_case_65_a_drain_that_no_sigterm_follows_is_undone() -> None:
    async with sidecar(App(), **QUIET) as qp:
        hook = asyncio.create_task(call(qp.admin, WAIT))
        await probes_fail(qp)
        assert (await hook).status == 200
        assert (await call(qp.address, "/", PROBE)).body == b"queue"


async def test_case_66_an_open_tunnel_holds_the_drain_until_it_closes() -> None:
    chatting: list[asyncio.StreamWriter] = []

    async def chat(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chatting.append(writer)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        await reader.read()

    app = App(chat)
    await app.start()
    async with sidecar(app, **QUIET) as qp:
        caller = await Caller.connect(qp.address)
        caller.send(headers={"Connection": "Upgrade", "Upgrade": "x"})
        assert (await caller.answer()).status == 101
        hook = asyncio.create_task(call(qp.admin, WAIT))
        qp.terminate()
        await asyncio.wait([hook], timeout=0.8)
        assert not hook.done(), "the app must not be told to stop under a tunnel"
        chatting[0].write(b"bye")
        assert await caller.reader.readexactly(3) == b"bye"
        chatting[0].close()
        assert await caller.reader.read() == b""
        caller.close()
        assert (await hook).status == 200
        assert await qp.ended() == 0


async def test_a_tunnel_and_the_drain_that_it_holds_end_at_the_timeout() -> None:
    async def chat(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        await reader.read()

    app = App(chat)
    await app.start()
    async with sidecar(app, **QUIET, REVISION_TIMEOUT_SECONDS="2") as qp:
        caller = await Caller.connect(qp.address)
        caller.send(headers={"Connection": "Upgrade", "Upgrade": "x"})
        assert (await caller.answer()).status == 101
        hook = asyncio.create_task(call(qp.admin, WAIT))
        qp.terminate()
        with contextlib.suppress(ConnectionError):
            assert await caller.reader.read() == b""
        assert (await hook).status == 200
        assert await qp.ended() == 0


async def test_a_second_signal_ends_it_at_once() -> None:
    async with sidecar(App()) as qp:
        qp.terminate()
        await probes_fail(qp)
        qp.terminate()
        assert await qp.ended() == 1


async def test_a_drained_queue_proxy_takes_no_new_connection_and_closes_idle_ones() -> None:
    app = App()
    await app.start()
    async with sidecar(app, **QUIET) as qp:
        caller = await Caller.connect(qp.address)
        caller.send()
        assert (await caller.answer()).status == 200
        qp.terminate()
        with contextlib.suppress(ConnectionError):
            assert await caller.reader.read() == b""
        assert await qp.ended() == 0
