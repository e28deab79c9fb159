"""Continual requests whose every failure counts: nothing is tried again, on kept connections and on new ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from swell.testing.peers import WAIT_S, Address, Caller


@dataclass
class Load:
    """Requests to `host` at `address`, until `stop`. `failures` says how each failed; `answered` counts the others."""

    address: Address
    host: str
    path: str = "/"
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _stopped: bool = False
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def more(self, count: int) -> None:
        """Returns once so many further requests have been answered or have failed."""
        wanted = self.answered + len(self.failures) + count
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: self.answered + len(self.failures) >= wanted)

    async def run(self, keep: bool) -> None:
        """One caller. With `keep` its connection is used until it is told that it ends."""
        caller: Caller | None = None
        before = 0
        while not self._stopped:
            try:
                if caller is None:
                    caller, before = await Caller.connect(self.address), 0
                # Not GET: nobody on the way may send it a second time.
                ending = {} if keep else {"Connection": "close"}
                caller.send(self.path, {"Host": self.host, "Content-Length": "0", **ending}, method="POST")
                answer = await caller.answer()
                failure = "" if answer.status == 200 and answer.complete else f"{answer.status} {answer.body[:200]!r}"
                ends = answer.headers.get("connection") == "close"
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                failure, ends = f"{error!r} after {before} answers on this connection", True
            before += 1
            if ends and caller is not None:
                caller.close()
                caller = None
            await self._count(failure)
        if caller is not None:
            caller.close()

    async def _count(self, failure: str) -> None:
        if failure:
            self.failures.append(failure)
        else:
            self.answered += 1
        async with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        self._stopped = True


@asynccontextmanager
async def load(address: Address, host: str, path: str = "/", *, callers: int = 4) -> AsyncIterator[Load]:
    """So many callers that keep their connection, and as many that do not, meanwhile."""
    found = Load(address, host, path)
    async with asyncio.TaskGroup() as group:
        for keep in (True, False) * callers:
            group.create_task(found.run(keep))
        try:
            yield found
        finally:
            found.stop()
