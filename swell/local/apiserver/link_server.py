"""Offers a `KubeClient` on a unix socket, to a program beside the control plane: no HTTP, no TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.kube.client import KubeClient, ObjList
from swell.kube.errors import KubeError
from swell.local.apiserver.link_frames import error_obj, frame, read_frame
from swell.runtime import log

_CALLS: Final = frozenset({"get", "list", "create", "update", "patch", "delete"})

logger = log.get(__name__)


class LinkServer:
    """Offers `client` on the unix socket `path`, which only this user can open."""

    def __init__(self, client: KubeClient, path: str) -> None:
        self._client = client
        self._path = path
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        finally:
            os.umask(before)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await _Peer(self._client, reader, writer).run()
        except ConnectionError as exc:
            logger.debug("a link ended", error=str(exc))
        except asyncio.CancelledError:
            # Only `close` cancels; there is nobody above who would need to hear of it.
            logger.debug("a link was closed")
        finally:
            self._connections.discard(task)
            writer.close()


class _Peer:
    """One connection on the server's side: a task per call under way."""

    def __init__(self, client: KubeClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._client = client
        self._reader = reader
        self._writer = writer
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            while (call := await read_frame(self._reader)) is not None:
                if call["op"] == "cancel":
                    self._cancel(call["id"])
                else:
                    self._start(call)
        finally:
            for task in tuple(self._tasks.values()):
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, call: Obj) -> None:
        number = call["id"]
        task = asyncio.create_task(self._answer(call), name=f"link {call['op']}")
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    def _cancel(self, number: int) -> None:
        task = self._tasks.get(number)
        if task is not None:
            task.cancel()

    async def _answer(self, call: Obj) -> None:
        number = call["id"]
        try:
            if call["op"] == "watch":
                await self._watch(call)
            else:
                self._send({"id": number, "result": await self._call(call)})
        except KubeError as exc:
            self._send({"id": number, "error": error_obj(exc)})
        except ConnectionError as exc:
            logger.debug("a link was lost before its answer", error=str(exc))
        except Exception as exc:
            # The caller waits: whatever went wrong here, it must hear of it.
            logger.exception("a call over the link failed", op=call["op"])
            self._send({"id": number, "error": error_obj(KubeError(500, "InternalError", f"internal error: {exc!r}"))})

    async def _call(self, call: Obj) -> Any:
        op = call["op"]
        if op not in _CALLS:
            raise KubeError(405, "MethodNotAllowed", f"the link has no call {op!r}")
        method: Callable[..., Awaitable[Any]] = getattr(self._client, op)
        result = await method(Kind(*call["kind"]), *call["args"], **call["options"])
        return [result.items, result.resource_version] if isinstance(result, ObjList) else result

    async def _watch(self, call: Obj) -> None:
        events = self._client.watch(Kind(*call["kind"]), *call["args"], **call["options"])
        async for event in events:
            self._send({"id": call["id"], "event": [event.type, event.object]})
            await self._writer.drain()
        self._send({"id": call["id"], "result": None})

    def _send(self, message: Mapping[str, Any]) -> None:
        self._writer.write(frame(message))
