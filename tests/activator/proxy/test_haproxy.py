"""The PROXY protocol as HAProxy speaks it, in front of the proxy."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from activator.proxy.trust import Trust

HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
# The listener is ours, and so is open before the program has started.
CONFIGURATION = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 10s
    timeout server 10s
listen front
    bind fd@{listener}
    server door 127.0.0.1:{port} {option} check inter 10ms
"""
CALLER = "127.0.0.9"
GET = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: close\r\n\r\n"
World = Any


@asynccontextmanager
async def haproxy(folder: Path, port: int, option: str) -> AsyncIterator[int]:
    """Its port; it sends connections to `port`, with the `option` of its server."""
    assert HAPROXY is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        path = folder / "haproxy.cfg"
        path.write_text(CONFIGURATION.format(listener=listener.fileno(), port=port, option=option))
        with subprocess.Popen([HAPROXY, "-db", "-q", "-f", path], pass_fds=[listener.fileno()]) as process:
            try:
                yield listener.getsockname()[1]
            finally:
                process.kill()


@pytest.mark.skipif(HAPROXY is None, reason="there is no haproxy here: apt-get install haproxy")
@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c"])
async def test_the_app_gets_the_address_that_haproxy_was_called_from(
    make_world: Callable[..., World], tmp_path: Path, option: str
) -> None:
    async def tell(line: Any) -> None:
        head = await line.head()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))

    trust = Trust((ip_network("127.0.0.1/32"),), announced=True)
    async with make_world(trust=trust).running() as world:
        await world.app(tell)
        async with haproxy(tmp_path, world.server.listening_port, option) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(CALLER, 0))
            source = writer.get_extra_info("sockname")
            writer.write(GET)
            answer = await world.soon(reader.read())
            writer.close()
        assert b"X-Forwarded-For: 127.0.0.9\r\n" in answer
        assert [exchange.peer for exchange in world.exchanges] == [source]
