"""Concurrency limit and timeouts of a real queue-proxy: spec dataplane C27-C36, C39-C42, as section 6 has them."""

from __future__ import annotations

import asyncio
import socket

from swell.testing.peers import App, Caller, call
from swell.testing.sidecar import sidecar

QUEUE_FULL = b"pending request queue full\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


class Gate:
    """An app that answers nobody until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.app = App(self._serve)

    async def _serve(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def silent(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answers; returns when the other side has closed."""
    if b"/quick" in head:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    else:
        await reader.read()


async def test_case_27_one_runs_ten_wait_and_the_twelfth_is_refused() -> None:
    gate = Gate()
    await gate.app.start()
    async with sidecar(gate.app, CONTAINER_CONCURRENCY="1") as qp:
        calls = [asyncio.create_task(call(qp.address)) for _ in range(12)]
        refused, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        answer = refused.pop().result()
        assert (answer.status, answer.body) == (503, QUEUE_FULL)
        assert answer.headers["x-content-type-options"] == "nosniff"
        gate.open.set()
        answers = await asyncio.gather(*calls)
    assert sorted(answer.status for answer in answers) == [200] * 11 + [503]
    assert gate.app.running_max == 1


async def test_a_caller_who_leaves_gives_up_its_slot_or_its_place() -> None:
    app = App(silent)
    await app.start()
    async with sidecar(app, CONTAINER_CONCURRENCY="1") as qp:
        running, waiting = [await Caller.connect(qp.address) for _ in range(2)]
        running.send("/first")
        await app.until(lambda app: len(app.heads) == 1)
        waiting.send("/second")
        waiting.close()
        quick = asyncio.create_task(call(qp.address, "/quick"))
        running.close()
        assert (await quick).status == 200
    assert [head.split()[1] for head in app.heads][-1] == b"/quick"


async def test_case_28_without_a_limit_all_reach_the_app() -> None:
    gate = Gate()
    await gate.app.start()
    async with sidecar(gate.app) as qp:
        calls = [asyncio.create_task(call(qp.address)) for _ in range(1000)]
        await gate.app.until(lambda app: app.running == 1000)
        gate.open.set()
        assert {answer.status for answer in await asyncio.gather(*calls)} == {200}


async def test_case_29_a_silent_app_is_cut_off_at_the_timeout_and_the_connection_stays_usable() -> None:
    app = App(silent)
    await app.start()
    async with sidecar(app, CONTAINER_CONCURRENCY="1", REVISION_TIMEOUT_SECONDS="0.5") as qp:
        caller = await Caller.connect(qp.address)
        caller.send()
        answer = await caller.answer()
        assert (answer.status, answer.body, answer.headers["content-length"]) == (504, b"request timeout", "15")
        await app.until(lambda app: app.running == 0)
        caller.send("/quick")
        assert (await caller.answer()).body == b"ok"


async def test_cases_30_and_31_an_answer_that_stalls_is_broken_off_so_that_the_caller_notices() -> None:
    async def stall(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = b"Content-Length: 40" if b"/length" in head else b"Transfer-Encoding: chunked"
        part = b"part1;" if b"/length" in head else b"6\r\npart1;\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (length, part))
        await reader.read()

    app = App(stall)
    await app.start()
    async with sidecar(app, REVISION_TIMEOUT_SECONDS="0.3") as qp:
        for path in ("/chunked", "/length"):
            answer = await call(qp.address, path)
            assert (answer.status, answer.complete) == (200, False)
            assert b"request timeout" not in answer.body


async def test_cases_32_and_33_only_the_head_has_to_come_within_the_response_start_timeout() -> None:
    async def slow_body(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/silent" in head:
            await reader.read()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.15)
            writer.write(b".")

    app = App(slow_body)
    await app.start()
    async with sidecar(app, REVISION_RESPONSE_START_TIMEOUT_SECONDS="0.6") as qp:
        whole, late = await asyncio.gather(call(qp.address), call(qp.address, "/silent"))
    assert (whole.status, whole.body, whole.complete) == (200, b"......", True)
    assert (late.status, late.body) == (504, b"request timeout")


async def test_case_34_an_answer_that_keeps_coming_is_not_idle_but_one_that_stops_is() -> None:
    async def drip(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.15)
            writer.write(b".")
            if b"/stops" in head:
                await reader.read()
                return

    app = App(drip)
    await app.start()
    async with sidecar(app, REVISION_IDLE_TIMEOUT_SECONDS="1") as qp:
        whole, broken = await asyncio.gather(call(qp.address), call(qp.address, "/stops"))
    assert (whole.body, whole.complete) == (b"." * 10, True)
    assert (broken.body, broken.complete) == (b".", False)


async def test_case_35_an_upload_is_idle_time() -> None:
    async def upload(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    app = App(upload)
    await app.start()
    async with sidecar(app, REVISION_IDLE_TIMEOUT_SECONDS="0.4") as qp:
        caller = await Caller.connect(qp.address)
        caller.send(method="POST", headers={"Content-Length": "1000"})
        answer = asyncio.create_task(caller.answer())
        while not answer.done():
            caller.writer.write(b".")
            await asyncio.wait([answer], timeout=0.05)
        assert ((await answer).status, (await answer).body) == (504, b"request timeout")


async def test_case_36_an_interim_response_satisfies_the_response_start_timeout() -> None:
    async def hint(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        await asyncio.sleep(0.8)
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    app = App(hint)
    await app.start()
    async with sidecar(app, REVISION_RESPONSE_START_TIMEOUT_SECONDS="0.5") as qp:
        answer = await call(qp.address)
    assert (answer.interim, answer.status) == ((103,), 404), "case 37: the true final status"


class Chat:
    """An app that switches protocols and then says again what it hears."""

    def __init__(self) -> None:
        self.app = App(self._serve)

    async def _serve(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCH)
        while data := await reader.read(1024):
            writer.write(data)


async def _chat(caller: Caller, rounds: int) -> int:
    """Send and hear a byte, again and again; returns how often it worked."""
    for done in range(rounds):
        caller.writer.write(b".")
        try:
            if await caller.reader.read(1) != b".":
                return done
        except ConnectionError:
            return done
        await asyncio.sleep(0.05)
    return rounds


async def test_case_39_a_tunnel_is_closed_at_the_timeout_in_spite_of_its_traffic() -> None:
    chat = Chat()
    await chat.app.start()
    async with sidecar(chat.app, REVISION_TIMEOUT_SECONDS="0.8") as qp:
        caller = await Caller.connect(qp.address)
        caller.send(headers=UPGRADE)
        assert (await caller.answer()).status == 101
        async with asyncio.timeout(20):
            assert 0 < await _chat(caller, 10_000) < 10_000


async def test_case_40_a_tunnel_with_traffic_is_not_idle_and_its_101_is_a_response_start() -> None:
    chat = Chat()
    await chat.app.start()
    limits = {"REVISION_IDLE_TIMEOUT_SECONDS": "0.8", "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "0.8"}
    async with sidecar(chat.app, **limits) as qp:
        caller = await Caller.connect(qp.address)
        caller.send(headers=UPGRADE)
        assert (await caller.answer()).status == 101
        assert await _chat(caller, 20) == 20
        async with asyncio.timeout(20):
            assert await _read_end(caller) == b"", "silent for the idle timeout"


async def _read_end(caller: Caller) -> bytes:
    try:
        return await caller.reader.read(1)
    except ConnectionError:
        return b""


async def test_requests_wait_for_an_app_that_refuses_them_and_go_when_it_is_back() -> None:
    app = App()
    async with sidecar(app) as qp:
        calls = [asyncio.create_task(call(qp.address)) for _ in range(20)]
        await asyncio.wait(calls, timeout=0.2)
        assert not any(task.done() for task in calls)
        await app.start()
        assert {answer.status for answer in await asyncio.gather(*calls)} == {200}


async def test_a_request_whose_app_refuses_it_is_still_answered_at_its_timeout() -> None:
    app = App()
    async with sidecar(app, REVISION_TIMEOUT_SECONDS="0.2") as qp:
        answer = await call(qp.address)
    assert (answer.status, answer.body) == (504, b"request timeout")


async def test_case_42_an_app_that_dies_in_its_answer_leaves_it_unterminated() -> None:
    async def die(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    app = App(die)
    await app.start()
    async with sidecar(app) as qp:
        answer = await call(qp.address)
    assert (answer.status, answer.body, answer.complete) == (200, b"half", False)


async def test_requests_that_a_dying_app_has_not_read_wait_for_the_next_one() -> None:
    app = App()
    async with sidecar(app) as qp:
        with socket.socket() as dying:
            dying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            dying.bind(("127.0.0.1", app.port))
            dying.listen()
            calls = [asyncio.create_task(call(qp.address)) for _ in range(10)]
            await asyncio.wait(calls, timeout=0.2)
        # Nobody has accepted those connections, and now they are reset.
        await asyncio.wait(calls, timeout=0.1)
        assert not any(task.done() for task in calls)
        await app.start()
        assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
