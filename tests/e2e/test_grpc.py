"""gRPC through all of it: spec dataplane C68. grpcio on both ends; the port's name is all that a Service says."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from swell.testing.home import Objects, unique


def h2c_service(objects: Objects, name: str, **options: Any) -> Any:
    service = objects.service(name, command=list(objects.home.images.grpc), **options)
    service["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "h2c", "containerPort": 8080}]
    return service


@asynccontextmanager
async def channel(objects: Objects, name: str) -> AsyncIterator[Any]:
    options = (("grpc.default_authority", objects.home.host(name)),)
    async with grpc.aio.insecure_channel(objects.home.gateway, options=options) as opened:
        yield opened


async def test_case_68_calls_wake_a_service_at_zero_and_reach_its_app(objects: Objects) -> None:
    name = unique("grpc")
    await objects.deploy(h2c_service(objects, name, annotations={"window": "6s"}))
    await objects.gone(name)
    async with channel(objects, name) as opened:
        say = opened.unary_unary("/echo/Say")
        answers = await asyncio.gather(*(say(b"%d" % number, timeout=30) for number in range(5)))
        assert answers == [b"%d" % number for number in range(5)]
        chat = opened.stream_stream("/echo/Chat")(timeout=30)
        for number in range(5):
            await chat.write(b"%d" % number)
            assert await chat.read() == b"%d" % number
        await chat.done_writing()
        assert await chat.code() is grpc.StatusCode.OK


async def test_case_68_with_a_limit_of_one_all_pods_serve(objects: Objects) -> None:
    name = unique("grpc")
    scale = {"min-scale": "3", "max-scale": "3"}
    await objects.deploy(h2c_service(objects, name, annotations=scale, env={"CALL_S": "0.2"}, containerConcurrency=1))
    async with channel(objects, name) as opened:
        say = opened.unary_unary("/echo/Say")
        calls = [say(b"hello", timeout=30) for _ in range(12)]
        assert await asyncio.gather(*calls) == [b"hello"] * 12
        served = {dict(await call.trailing_metadata())["instance"] for call in calls}
        assert len(served) == 3


async def test_case_69_http2_callers_reach_an_http1_app(objects: Objects) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl here: apt-get install curl")
    name = unique("plain")
    await objects.deploy(objects.service(name))
    process = await asyncio.create_subprocess_exec(
        *(curl, "-sS", "-i", "--http2-prior-knowledge", "-H", f"Host: {objects.home.host(name)}"),
        *("--data-binary", "hello", objects.home.url("/echo")),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert output.startswith(b"HTTP/2 200")
    assert output.endswith(b"\r\n\r\nhello")


async def test_http1_callers_of_an_http2_app_are_answered_by_it(objects: Objects) -> None:
    name = unique("grpc")
    await objects.deploy(h2c_service(objects, name))
    message = b"\0\0\0\0\x05hello"
    headers = {"Content-Type": "application/grpc", "TE": "trailers"}
    answer = await objects.request("POST", name, "/echo/Say", data=message, headers=headers)
    assert (answer.status, answer.body) == (200, message)
