"""A way to an API that can be cut: for programs that have to live without it for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from swell.api.kinds import Kind
from swell.kube.client import KubeClient, Obj, ObjList, WatchEvent
from swell.kube.errors import Unavailable


class CutOff:
    """A `KubeClient` over another one. Between `cut` and `mend` every call fails, and every watch has ended."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self._cut = asyncio.Event()

    def cut(self) -> None:
        self._cut.set()

    def mend(self) -> None:
        self._cut.clear()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        self._check()
        return await self._kube.get(kind, namespace, name)

    async def list(self, kind: Kind, namespace: str | None = None, **options: Any) -> ObjList:
        self._check()
        return await self._kube.list(kind, namespace, **options)

    async def watch(self, kind: Kind, namespace: str | None = None, **options: Any) -> AsyncIterator[WatchEvent]:
        self._check()
        events = self._kube.watch(kind, namespace, **options)
        cut = asyncio.ensure_future(self._cut.wait())
        try:
            while True:
                following = asyncio.ensure_future(anext(events, None))
                await asyncio.wait((following, cut), return_when=asyncio.FIRST_COMPLETED)
                if cut.done():
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
                    self._check()
                event = await following
                if event is None:
                    return
                yield event
        finally:
            cut.cancel()

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        self._check()
        return await self._kube.create(kind, obj)

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        self._check()
        return await self._kube.update(kind, obj, subresource=subresource)

    async def patch(self, kind: Kind, namespace: str | None, name: str, patch: Any, **options: Any) -> Obj:
        self._check()
        return await self._kube.patch(kind, namespace, name, patch, **options)

    async def delete(self, kind: Kind, namespace: str | None, name: str, **options: Any) -> None:
        self._check()
        await self._kube.delete(kind, namespace, name, **options)

    async def close(self) -> None:
        await self._kube.close()

    def _check(self) -> None:
        if self._cut.is_set():
            raise Unavailable(503, "ServiceUnavailable", "the API server cannot be reached: cut")
