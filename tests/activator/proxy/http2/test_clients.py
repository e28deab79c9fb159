"""Callers in other people's code: curl, h2load and nghttp from Debian's packages."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

Line = Any
World = Any
Peers = Any
BODY = bytes(range(256)) * 4096


async def run(command: str, *arguments: str, data: bytes = b"") -> bytes:
    """What a program prints, which must end well."""
    path = shutil.which(command)
    if path is None:
        pytest.skip(f"there is no {command} here: apt-get install curl nghttp2-client")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(path, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(60):
        output, errors = await process.communicate(data)
    assert process.returncode == 0, errors
    return output


async def mirror(line: Line) -> None:
    """An HTTP/1.1 app that answers with the body it is sent."""
    while True:
        size = int(re.search(rb"(?i)content-length: (\d+)", await line.head())[1])  # type: ignore[index]
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + await line.hear(size))


@pytest.mark.parametrize("http2", [True, False], ids=["HTTP/2 app", "HTTP/1.1 app"])
async def test_curl_gets_back_a_megabyte_that_it_sent(world: World, peers: Peers, http2: bool) -> None:
    await (peers.echo() if http2 else world.app(mirror))
    url = f"http://127.0.0.1:{world.server.listening_port}/"
    arguments = ("-sS", "--http2-prior-knowledge", "-H", "Expect:", "--data-binary", "@-", url)
    assert await run("curl", *arguments, data=BODY) == BODY


async def test_curl_that_offers_to_upgrade_is_served_in_http1(world: World) -> None:
    async def talk(line: Line) -> None:
        assert b"HTTP2-Settings" not in await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    await world.app(talk)
    url = f"http://127.0.0.1:{world.server.listening_port}/"
    output = await run("curl", "-sS", "-i", "--http2", url)
    assert output.startswith(b"HTTP/1.1 200 OK\r\n")
    assert output.endswith(b"\r\n\r\nhello")


async def test_h2load_has_two_thousand_answers_over_four_connections(world: World, peers: Peers) -> None:
    app = await peers.echo()
    url = f"http://127.0.0.1:{world.server.listening_port}/"
    output = await run("h2load", "-n2000", "-c4", "-m50", url)
    assert b"2000 succeeded, 0 failed, 0 errored, 0 timeout" in output
    # Not those accepted: while the proxy is busy, a dial may be given up and made again.
    assert len(world.server.upstreams.shared._connections[app.address]) < 4


async def test_nghttp_with_padding_and_a_tiny_table(world: World, peers: Peers, tmp_path: Path) -> None:
    await peers.echo()
    body = tmp_path / "body"
    body.write_bytes(BODY)
    url = f"http://127.0.0.1:{world.server.listening_port}/"
    output = await run("nghttp", "-m3", "-b100", "--header-table-size=0", f"-d{body}", url)
    assert len(output) == 3 * len(BODY)
