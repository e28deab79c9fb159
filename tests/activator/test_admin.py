"""The admin port over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from activator.admin import Admin
from swell.wire.announce import Announcement, encode

HELLO = Announcement("default", "hello-00001", "hello-1", "uid-1", "127.0.0.1:8012")


class World:
    def __init__(self) -> None:
        self.unready = ""
        self.heard: list[Announcement] = []
        self.believe = True
        self.admin = Admin(
            unready=lambda: self.unready,
            announced=self._announced,
            state=lambda: {"hosts": {}},
            metrics=lambda: b"a_metric 1\n",
        )

    def _announced(self, announcement: Announcement) -> bool:
        self.heard.append(announcement)
        return self.believe

    @asynccontextmanager
    async def running(self) -> AsyncIterator[aiohttp.ClientSession]:
        await self.admin.start("127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{self.admin.port}") as session:
                yield session
        finally:
            await self.admin.close()


async def test_it_is_alive_whatever_else_and_ready_only_when_it_should_get_traffic() -> None:
    world = World()
    async with world.running() as session:
        for path in ("/livez", "/readyz", "/healthz"):
            assert (await session.get(path)).status == 200
        world.unready = "connection has not yet been established"
        for path in ("/readyz", "/healthz"):
            answer = await session.get(path)
            assert (answer.status, await answer.text()) == (500, "connection has not yet been established\n")
        assert (await session.get("/livez")).status == 200


async def test_metrics_and_state_are_what_the_program_says() -> None:
    async with World().running() as session:
        metrics = await session.get("/metrics")
        assert (await metrics.text(), metrics.content_type) == ("a_metric 1\n", "text/plain")
        assert await (await session.get("/state")).json() == {"hosts": {}}


async def test_an_announcement_is_passed_on() -> None:
    world = World()
    async with world.running() as session:
        assert (await session.post("/announce", data=encode(HELLO))).status == 202
    assert world.heard == [HELLO]


async def test_an_announcement_that_contradicts_kubernetes_is_refused() -> None:
    world = World()
    world.believe = False
    async with world.running() as session:
        answer = await session.post("/announce", data=encode(HELLO))
        assert answer.status == 409
        assert "uid-1" in await answer.text()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", json.dumps({"namespace": "default"}).encode(), encode(HELLO).replace(b":8012", b"")]
)
async def test_a_bad_announcement_is_refused_with_the_reason(body: bytes) -> None:
    world = World()
    async with world.running() as session:
        answer = await session.post("/announce", data=body)
        assert answer.status == 400
        assert "announcement" in await answer.text()
    assert world.heard == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/state"), ("GET", "/announce")])
async def test_anything_else_is_not_there(method: str, path: str) -> None:
    async with World().running() as session:
        assert (await session.request(method, path)).status == 404


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /" + b"x" * 20_000])
async def test_what_is_no_request_or_too_long_is_refused_and_the_connection_closed(sent: bytes) -> None:
    world = World()
    async with world.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", world.admin.port)
        writer.write(sent)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
    assert not world.admin.connections


async def test_a_connection_is_kept_and_requests_are_answered_in_order() -> None:
    world = World()
    async with world.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", world.admin.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        writer.write(b"HEAD /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = await reader.read()
        writer.close()
    assert answers.count(b"HTTP/1.1 ") == 3
    assert answers.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 404 Not Found" in answers
    assert answers.endswith(b"content-length: 3\r\nconnection: close\r\n\r\n")
