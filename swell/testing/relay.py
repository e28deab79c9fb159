"""A TCP relay between a test's callers and its programs: a balancer over several, or a way to one that can be cut."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

from swell.testing.peers import Address, free_port

CHUNK_BYTES = 64 * 1024


class Relay:
    """Sends each new connection to the next of `targets`; those that are open stay where they are."""

    def __init__(self, *targets: Address) -> None:
        self.address: Address = ("127.0.0.1", free_port())
        self.targets = list(targets)
        self._turn = itertools.count()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, again after a `cut`."""
        self._server = await asyncio.start_server(self._joined, *self.address, backlog=1024)

    async def cut(self) -> None:
        """Listener and connections are gone at once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            there = await asyncio.open_connection(*self.targets[next(self._turn) % len(self.targets)])
        except OSError:
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(reader, there[1]))
                group.create_task(_pass(there[0], writer))
        finally:
            writer.transport.abort()
            there[1].transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All that comes, and the end of it."""
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
