"""A real queue-proxy process in front of an app that a test plays itself. Real sockets, no cluster."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from swell.testing.peers import WAIT_S, Address, App, free_ports
from swell.wire.announce import Announcement, decode

_hosts = itertools.count(1)


@dataclass
class Sidecar:
    """A running queue-proxy. `address` takes the traffic, `admin` the drain, the others scrapes and TLS if it is on."""

    process: asyncio.subprocess.Process
    address: Address
    admin: Address
    statistics: Address
    user_metrics: Address
    tls: Address
    announcement: Announcement

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """The exit code, once there is one."""
        async with asyncio.timeout(WAIT_S):
            return await self.process.wait()


def environment(app_port: int, host: str, **changes: str) -> dict[str, str]:
    """What the controller sets; `changes` by name, an empty probe by default."""
    serving, admin, statistics, user_metrics, tls = free_ports(5, host)
    settings = {
        "CONTAINER_CONCURRENCY": "0",
        "QUEUE_SERVING_PORT": str(serving),
        "QUEUE_SERVING_TLS_PORT": str(tls),
        "USER_PORT": str(app_port),
        "REVISION_TIMEOUT_SECONDS": "300",
        "SERVING_NAMESPACE": "default",
        "SERVING_CONFIGURATION": "hello",
        "SERVING_REVISION": "hello-00001",
        "SERVING_POD": "hello-00001-deployment-1",
        "SERVING_POD_IP": host,
        "SERVING_POD_UID": "8f2c",
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "",
        "SWELL_ADMIN_PORT": str(admin),
        "SWELL_STATISTICS_PORT": str(statistics),
        "METRICS_PROMETHEUS_PORT": str(user_metrics),
    }
    return settings | changes


@asynccontextmanager
async def sidecar(
    app: App, command: Iterable[str] = ("-m", "activator.queueproxy"), *, output: int | None = None, **env: str
) -> AsyncIterator[Sidecar]:
    """Start a queue-proxy for `app` on a loopback address of its own; here once it has announced itself.

    `output` is where its standard output goes, as for a subprocess.
    """
    host = f"127.83.{os.getpid() % 251 + 1}.{next(_hosts) % 250 + 1}" if sys.platform == "linux" else "127.0.0.1"
    settings = environment(app.port, host, **env)
    async with announcements() as (port, announced):
        settings.setdefault("SWELL_ANNOUNCE_TO", f"127.0.0.1:{port}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=os.environ | settings, stdout=output
        )
        try:
            async with asyncio.timeout(WAIT_S):
                announcement = await announced.get()
            yield Sidecar(
                process,
                announcement.host_port,
                (host, int(settings["SWELL_ADMIN_PORT"])),
                (host, int(settings["SWELL_STATISTICS_PORT"])),
                (host, int(settings["METRICS_PROMETHEUS_PORT"])),
                (host, int(settings["QUEUE_SERVING_TLS_PORT"])),
                announcement,
            )
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def announcements(
    port: int = 0, statuses: Iterable[int] = ()
) -> AsyncIterator[tuple[int, asyncio.Queue[Announcement]]]:
    """An activator's admin port that takes announcements; the first answers have these `statuses`, then 202."""
    taken: asyncio.Queue[Announcement] = asyncio.Queue()
    script = itertools.chain(statuses, itertools.repeat(202))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(size)
        status = next(script)
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
        await writer.drain()
        writer.close()
        if head.startswith(b"post /announce ") and status == 202:
            taken.put_nowait(decode(body))

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1], taken
    finally:
        server.close()
