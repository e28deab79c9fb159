"""`KubeClient` over a unix socket, for a program beside the control plane.

A lost connection fails what was under way with `Unavailable`, and the next call connects anew.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import astuple
from typing import Any, Final

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.kube.client import ObjList, Patch, PatchType, Propagation, WatchEvent
from swell.kube.errors import Unavailable, from_status
from swell.local.apiserver.link_frames import error_obj, frame, lost, read_frame
from swell.runtime import log

WATCH_FRAMES_MAX: Final = 10_000
CONNECT_STEP_S: Final = 0.02

logger = log.get(__name__)


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
            raise lost()
        number = next(self._numbers)
        # With a place for the news that the connection is lost; where it is taken, `next` tells.
        answers: asyncio.Queue[Obj] = asyncio.Queue(answers_max + 1)
        self._waiting[number] = answers
        call = {"id": number, "op": op, "kind": astuple(kind), "args": args, "options": options}
        self._writer.write(frame(call))
        return number, answers

    async def next(self, answers: asyncio.Queue[Obj]) -> Obj:
        """The next answer; raises `Unavailable` when none can come any more."""
        if self.lost and answers.empty():
            raise lost()
        return await answers.get()

    def forget(self, number: int) -> None:
        """The caller waits no longer; a watch ends at the other side too."""
        if self._waiting.pop(number, None) is not None and not self.lost:
            self._writer.write(frame({"id": number, "op": "cancel"}))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while (answer := await read_frame(self._reader)) is not None:
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
                answers.put_nowait({"error": error_obj(lost())})
