"""The host as the kubelet sees it: starts processes, signals them, hears how they end."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence

from swell.local.host.wire import (
    LINE_BYTES_MAX,
    Ended,
    Message,
    ProcessInfo,
    encode,
    ended_from_obj,
    info_from_obj,
)
from swell.runtime import log

logger = log.get(__name__)


class HostError(Exception):
    """The host refused a call: what it said."""


class HostLost(HostError):
    """The connection to the host is gone; what runs, runs on. Connect anew and list."""


class Child:
    """A process of the host."""

    __slots__ = ("_ended", "info")

    def __init__(self, info: ProcessInfo) -> None:
        self.info = info
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        if info.ended is not None:
            self._ended.set_result(info.ended)

    @property
    def ended(self) -> Ended | None:
        """How it ended; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> Ended:
        """Returns once it has ended."""
        return await asyncio.shield(self._ended)

    def end(self, ended: Ended) -> None:
        """The host's word that it has ended."""
        if not self._ended.done():
            self._ended.set_result(ended)


class HostClient:
    """One connection to the host on the unix socket `path`. Calls raise `HostError`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._children: dict[int, Child] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    async def connect(self) -> None:
        """Raises `HostLost` if nobody listens there."""
        try:
            reader, self._writer = await asyncio.open_unix_connection(self._path, limit=LINE_BYTES_MAX)
        except OSError as exc:
            raise HostLost(f"the host's socket {self._path} does not answer: {exc}") from exc
        self._task = asyncio.create_task(self._read(reader), name="host")

    async def close(self) -> None:
        """Everything that runs, runs on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._end()

    async def wait_lost(self) -> None:
        """Returns once the connection is gone."""
        await self._lost.wait()

    async def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, log_path: str, labels: Mapping[str, str]
    ) -> Child:
        """Run a program in a session of its own; its output is appended to `log_path`.

        A program that cannot be run ends with code 126 or 127, as in a shell, and its log says why.
        """
        start = {"op": "spawn", "argv": list(argv), "env": dict(env), "cwd": cwd, "log": log_path}
        return await self._start({**start, "labels": dict(labels)})

    async def fork(self, module: str, *, env: Mapping[str, str], log_path: str, labels: Mapping[str, str]) -> Child:
        """Run `main()` of a preloaded module in a fork of the host."""
        start = {"op": "fork", "module": module, "env": dict(env), "log": log_path, "labels": dict(labels)}
        return await self._start(start)

    async def signal(self, child: Child, number: int, *, group: bool = False) -> None:
        """Signal the process, or all of its group; one that has ended is left in peace."""
        await self._call({"op": "signal", "process": child.info.id, "signal": int(number), "group": group})

    async def processes(self) -> list[Child]:
        """All processes that run, and those that ended and were not forgotten."""
        found = (await self._call({"op": "list"}))["result"]
        return [self._child(info_from_obj(obj)) for obj in found]

    async def forget(self, child: Child) -> None:
        """An ended process need not be remembered any more."""
        self._children.pop(child.info.id, None)
        await self._call({"op": "forget", "process": child.info.id})

    async def _start(self, call: Message) -> Child:
        answer = await self._call(call)
        return self._child(info_from_obj(answer["result"]))

    async def _call(self, call: Message) -> Message:
        if self._writer is None or self._lost.is_set():
            raise HostLost(f"not connected to the host's socket {self._path}")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(encode({"id": number, **call}))
        try:
            found: Message = await answer
        finally:
            self._waiting.pop(number, None)
        if "error" in found:
            raise HostError(found["error"])
        return found

    def _child(self, info: ProcessInfo) -> Child:
        return self._children.setdefault(info.id, Child(info))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError) as exc:
            logger.error("the host's connection broke", error=str(exc))
        finally:
            self._end()

    def _take(self, message: Message) -> None:
        if "exit" in message:
            # An answer that names it was read before; whoever waits for that may not have run yet.
            child = self._children.get(message["exit"])
            if child is not None:
                child.end(ended_from_obj(message["ended"]))
            return
        if "started" in message:
            self._child(info_from_obj(message["result"]))
        elif isinstance(message.get("result"), list):
            for obj in message["result"]:
                self._child(info_from_obj(obj))
        answer = self._waiting.get(message["id"])
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _end(self) -> None:
        self._lost.set()
        if self._writer is not None:
            self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(HostLost("the connection to the host was lost"))
