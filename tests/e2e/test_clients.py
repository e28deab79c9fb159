"""Callers in other people's code through front door and queue-proxy: curl, wrk and websockets."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from swell.testing.home import Objects, unique

BODY = bytes(range(256)) * 8192


class Service:
    """A ready Service, and how programs call it."""

    def __init__(self, objects: Objects, name: str) -> None:
        self.home = objects.home
        self.host = objects.home.host(name)

    async def run(self, program: str, *arguments: str) -> bytes:
        """What a program prints that is told the host; it must end well."""
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"there is no {program} here: apt-get install {program}")
        command = [path, "-H", f"Host: {self.host}", *arguments]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
        assert process.returncode == 0, errors
        return output


@pytest.fixture
async def service(objects: Objects) -> AsyncIterator[Service]:
    name = unique("called")
    await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
    await objects.until_answer(name, lambda answer: answer.status == 200)
    yield Service(objects, name)


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
async def test_curl_sends_two_megabytes_once_it_is_asked_to_and_gets_them_back(
    service: Service, tmp_path: Path, version: str
) -> None:
    body = tmp_path / "body"
    body.write_bytes(BODY)
    # Without an answer to its expectation it would wait for longer than the test may take.
    arguments = (version, "-H", "Expect: 100-continue", "--expect100-timeout", "50", "--data-binary", f"@{body}")
    assert await service.run("curl", "-sS", *arguments, service.home.url("/echo")) == BODY


async def test_curl_sends_a_body_in_chunks(service: Service, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(BODY)
    arguments = ("-sS", "-X", "POST", "-T", str(body), "-H", "Transfer-Encoding: chunked")
    assert json.loads(await service.run("curl", *arguments, service.home.url("/size"))) == {"bytes": len(BODY)}


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2-prior-knowledge"])
async def test_curl_asks_for_a_head_only(service: Service, version: str) -> None:
    output = await service.run("curl", "-sS", "--head", version, service.home.url())
    status, *lines = output.split(b"\r\n")
    assert status.split()[1] == b"200"
    length = next(line for line in lines if line.lower().startswith(b"content-length: "))
    assert int(length.split()[1]) > 0
    assert output.endswith(b"\r\n\r\n"), "and no body"


async def test_curl_keeps_its_connection(service: Service) -> None:
    # Not with HTTP/2: curl 7.88 cannot use a connection twice that it began with prior knowledge, to nginx neither.
    urls = [service.home.url(f"/{number}") for number in range(3)]
    nowhere = [argument for _ in urls for argument in ("-o", "/dev/null")]
    output = await service.run("curl", "-sS", *nowhere, "-w", "%{http_code} %{num_connects}\\n", *urls)
    assert output.split() == [b"200", b"1", b"200", b"0", b"200", b"0"]


async def test_wrk_sees_no_error_and_no_status_but_200(service: Service) -> None:
    output = await service.run("wrk", "-t1", "-c16", "-d1s", service.home.url())
    assert b"requests in" in output
    assert b"Socket errors" not in output
    assert b"Non-2xx" not in output


async def test_websockets_talks_in_pieces_of_any_size_and_closes_in_order(service: Service) -> None:
    address, port = service.home.gateway.split(":")
    uri = f"ws://{service.host}/ws"
    async with asyncio.timeout(30), connect(uri, host=address, port=int(port), max_size=None) as ws:
        for text in ("hello", "é" * 1000, "x" * 1_000_000):
            await ws.send(text)
            assert await ws.recv() == text.upper()
        await ws.send(["frag", "men", "ts"])
        assert await ws.recv() == "FRAGMENTS"
        await (await ws.ping())
        await ws.close()
        assert ws.close_code == 1000, "the app has answered the close"
