"""`KubeClient` over a unix socket: for a program beside the control plane, without HTTP and TLS.

Frames are JSON after four bytes of length. A call has an id; its answers carry it. A watch has many answers.
Reconnecting is up to the caller: a lost connection fails what was under way with `Unavailable`, and the next
call connects anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import astuple
from typing import Any, Final

import orjson

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.kube.client import KubeClient, ObjList, PatchType, Propagation, WatchEvent
from swell.kube.errors import KubeError, Unavailable, from_status
from swell.runtime import log

FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
WATCH_FRAMES_MAX: Final = 10_000
CONNECT_STEP_S: Final = 0.02
Patch = Obj | list[Obj]
_LENGTH: Final = struct.Struct(">I")
_CALLS: Final = frozenset({"get", "list", "create", "update", "patch", "delete"})

logger = log.get(__name__)


async def _read_frame(reader: asyncio.StreamReader) -> Any:
    """The next frame, or None at the end of the stream."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > FRAME_BYTES_MAX:
            raise ConnectionError(f"a frame of {length} bytes; at most {FRAME_BYTES_MAX} are allowed")
        return orjson.loads(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        return None


def _frame(message: Mapping[str, Any]) -> bytes:
    body = orjson.dumps(message)
    return _LENGTH.pack(len(body)) + body


def _lost() -> Unavailable:
    return Unavailable(503, "ServiceUnavailable", "the connection to the API server is lost")


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
            while (call := await _read_frame(self._reader)) is not None:
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
            self._send({"id": number, "error": _error(exc)})
        except ConnectionError as exc:
            logger.debug("a link was lost before its answer", error=str(exc))
        except Exception as exc:
            # The caller waits: whatever went wrong here, it must hear of it.
            logger.exception("a call over the link failed", op=call["op"])
            self._send({"id": number, "error": _error(KubeError(500, "InternalError", f"internal error: {exc!r}"))})

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
        self._writer.write(_frame(message))


def _error(error: KubeError) -> Obj:
    return {"code": error.status, "reason": error.reason, "message": error.message, "details": error.details}


class LinkClient:
    """`KubeClient` on a `LinkServer`; connects with the first call.

    `patience_s`: how long a call waits for a server that does not listen (yet, or again). Trying is cheap on one
    machine, and callers that follow objects then see them again at once, instead of after a back-off.
    """

    def __init__(self, path: str, *, patience_s: float = 0.0) -> None:
        self._path = path
        self._patience_s = patience_s
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        found: Obj = await self._call("get", kind, namespace, name)
        return found

    async def list(
        self, kind: Kind, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjList:
        items, version = await self._call(
            "list", kind, namespace, label_selector=label_selector, field_selector=field_selector
        )
        return ObjList(items, version)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        options = {
            "resource_version": resource_version,
            "label_selector": label_selector,
            "field_selector": field_selector,
        }
        wire = await self._connected()
        number, answers = wire.send("watch", kind, (namespace,), options, WATCH_FRAMES_MAX)
        try:
            while "event" in (answer := _checked(await wire.next(answers))):
                yield WatchEvent(*answer["event"])
        finally:
            wire.forget(number)

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        made: Obj = await self._call("create", kind, obj)
        return made

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        written: Obj = await self._call("update", kind, obj, subresource=subresource)
        return written

    async def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Patch,
        *,
        patch_type: PatchType = "merge",
        subresource: str = "",
    ) -> Obj:
        written: Obj = await self._call(
            "patch", kind, namespace, name, patch, patch_type=patch_type, subresource=subresource
        )
        return written

    async def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
        grace_period_s: int | None = None,
    ) -> None:
        options = {"propagation": propagation, "uid": uid, "grace_period_s": grace_period_s}
        await self._call("delete", kind, namespace, name, **options)

    async def close(self) -> None:
        if self._wire is not None:
            await self._wire.close()

    async def _call(self, op: str, kind: Kind, *args: Any, **options: Any) -> Any:
        wire = await self._connected()
        number, answers = wire.send(op, kind, args, options, 1)
        try:
            return _checked(await answers.get())["result"]
        finally:
            wire.forget(number)

    async def _connected(self) -> _Wire:
        async with self._connecting:
            if self._wire is None or self._wire.lost:
                self._wire = await self._open()
            return self._wire

    async def _open(self) -> _Wire:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._patience_s
        while True:
            try:
                return await _Wire.open(self._path)
            except Unavailable:
                if loop.time() >= give_up_s:
                    raise
            await asyncio.sleep(CONNECT_STEP_S)


def _checked(answer: Obj) -> Obj:
    """Raises what the answer tells, if it tells of an error."""
    if "error" in answer:
        raise from_status(answer["error"])
    return answer


class _Wire:
    """One connection on the client's side: who waits for which id."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Queue[Obj]] = {}
        self._numbers = itertools.count(1)
        self.lost = False
        self._task = asyncio.create_task(self._read(), name="link")

    @classmethod
    async def open(cls, path: str) -> _Wire:
        try:
            return cls(*await asyncio.open_unix_connection(path))
        except OSError as exc:
            message = f"the API server's socket {path} does not answer: {exc}"
            raise Unavailable(503, "ServiceUnavailable", message) from exc

    def send(
        self, op: str, kind: Kind, args: tuple[Any, ...], options: Mapping[str, Any], answers_max: int
    ) -> tuple[int, asyncio.Queue[Obj]]:
        """Start a call; its answers come through the queue, the last one may be an error."""
        if self.lost:
            raise _lost()
        number = next(self._numbers)
        # With a place for the news that the connection is lost; where it is taken, `next` tells.
        answers: asyncio.Queue[Obj] = asyncio.Queue(answers_max + 1)
        self._waiting[number] = answers
        call = {"id": number, "op": op, "kind": astuple(kind), "args": args, "options": options}
        self._writer.write(_frame(call))
        return number, answers

    async def next(self, answers: asyncio.Queue[Obj]) -> Obj:
        """The next answer; raises `Unavailable` when none can come any more."""
        if self.lost and answers.empty():
            raise _lost()
        return await answers.get()

    def forget(self, number: int) -> None:
        """The caller waits no longer; a watch ends at the other side too."""
        if self._waiting.pop(number, None) is not None and not self.lost:
            self._writer.write(_frame({"id": number, "op": "cancel"}))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while (answer := await _read_frame(self._reader)) is not None:
                answers = self._waiting.get(answer["id"])
                if answers is not None:
                    # A watcher that does not keep up holds up the whole link: it is the activator's only one.
                    await answers.put(answer)
        except ConnectionError as exc:
            logger.debug("the link was lost", error=str(exc))
        finally:
            self._end()

    def _end(self) -> None:
        self.lost = True
        self._writer.close()
        for answers in self._waiting.values():
            if not answers.full():
                answers.put_nowait({"error": _error(_lost())})
