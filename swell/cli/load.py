"""A steady load for the demo: so many requests in flight at a time, for so long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import perf_counter

import aiohttp


@dataclass(slots=True)
class Load:
    """Answers so far. `failures` holds what went wrong, at most ten of it."""

    answered: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def note_failure(self, what: str) -> None:
        self.failed += 1
        if len(self.failures) < 10:
            self.failures.append(what)


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """A request on its own, timed: `seconds` until the whole answer was there."""

    status: int
    body: str
    seconds: float


async def request_once(url: str, host: str) -> FirstRequest:
    """GET `url` with that Host; connection errors are raised."""
    started = perf_counter()
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Host": host}) as response,
    ):
        body = await response.text()
        seconds = perf_counter() - started
        return FirstRequest(response.status, body, seconds)


async def run_load(url: str, host: str, *, in_flight: int, seconds: float, load: Load) -> None:
    """Keep `in_flight` requests going for `seconds`; counts into `load` as answers come."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def caller(session: aiohttp.ClientSession) -> None:
        while loop.time() < end:
            try:
                async with session.get(url, headers={"Host": host}) as response:
                    await response.read()
            except aiohttp.ClientError as exc:
                load.note_failure(f"{type(exc).__name__}: {exc}")
                continue
            if response.status == 200:
                load.answered += 1
            else:
                load.note_failure(f"status {response.status}")

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as callers:
        for _ in range(in_flight):
            callers.create_task(caller(session))
