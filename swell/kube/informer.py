"""A cache of the objects of one kind, kept true by a list and a watch that outlive any server.

Knows versions and events, not what objects mean.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from swell.api.kinds import Kind
from swell.api.meta import Key, Obj, key_of
from swell.kube.backoff import backoff_s
from swell.kube.cache import Cache, Change, Index, IndexKeys, is_later, version_of
from swell.kube.client import KubeClient, WatchEvent
from swell.kube.errors import Expired, KubeError
from swell.runtime import log
from swell.runtime.clock import Cancellable, Clock

RETRY_FIRST_S: Final = 0.1
RETRY_LAST_S: Final = 3.0
# A watch that lasted this long was a good one: what comes after its end starts afresh.
STEADY_S: Final = 5.0

Handler = Callable[[Obj | None, Obj | None], object]
Keep = Callable[[Obj], bool]

logger = log.get(__name__)


class Informer:
    """Objects of `kind` as they are now, or were when the server was last heard of.

    What it hands out is shared: never change it. With `resync_s`, handlers see every object again
    that often, as (obj, obj). With `keep`, objects of which it says no are as if they were not there.
    """

    def __init__(
        self,
        kube: KubeClient,
        kind: Kind,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        clock: Clock,
        resync_s: float = 0.0,
        keep: Keep | None = None,
    ) -> None:
        self.kind = kind
        self._kube = kube
        self._namespace = namespace
        self._selectors = {"label_selector": label_selector, "field_selector": field_selector}
        self._clock = clock
        self._resync_s = resync_s
        self._keep = keep
        self._cache = Cache()
        self._handlers: list[Handler] = []
        self._version = ""  # where to watch from; "" asks for a list first
        self._failures = 0
        self._listed: asyncio.Event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._resync: Cancellable | None = None

    def add_handler(self, handler: Handler) -> None:
        """Have `handler(old, new)` called at each change: old None for a new object, new None for one deleted.

        It is called in the event loop, after the cache has changed, and must not block. Added before `start`
        it sees every object of the first list as (None, obj).
        """
        self._handlers.append(handler)

    def add_index(self, name: str, keys: IndexKeys) -> None:
        """Have `indexed(name, key)` find the objects for which `keys(obj)` gives `key`. Before `start`."""
        assert self._task is None, "indexes are added before start"
        self._cache.indexes[name] = Index(keys)

    async def start(self) -> None:
        """Returns once the first list is in the cache; waits for the server, however long it is away."""
        assert self._task is None, "an informer starts once"
        self._task = asyncio.create_task(self._follow(), name=f"informer {self.kind}")
        listed = asyncio.ensure_future(self._listed.wait())
        try:
            await asyncio.wait((listed, self._task), return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()
        finally:
            listed.cancel()

    async def close(self) -> None:
        """Stop following; the cache stays as it is."""
        if self._resync is not None:
            self._resync.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def get(self, namespace: str, name: str) -> Obj | None:
        """The object, or None; the namespace is "" for cluster-wide kinds."""
        return self._cache.objects.get(Key(namespace, name))

    def items(self) -> list[Obj]:
        """All objects, in no particular order."""
        return list(self._cache.objects.values())

    def indexed(self, name: str, key: str) -> list[Obj]:
        """The objects that the index `name` has under `key`."""
        return self._cache.indexes[name].find(key)

    def learn(self, obj: Obj) -> None:
        """Take what a write of this program returned, ahead of the watch, so that its next look sees it.

        Only where nothing is selected. Ignored if the watch is past it already: what the cache has is newer then.
        """
        assert self._namespace is None and not any(self._selectors.values()), "it may be outside of the selection"
        if is_later(version_of(obj), self._version):
            self._tell_all(self._cache.put(obj))

    async def _follow(self) -> None:
        """List and watch for ever; every end of a watch and every error leads back here."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Expired as exc:
                logger.debug("a watch fell behind, listing again", kind=self.kind, error=exc.message)
                self._version = ""
            except KubeError as exc:
                self._log_failure(exc)
            except Exception:
                logger.exception("a bug while following objects, listing again", kind=self.kind)
                self._version = ""
            await self._pause()

    async def _list(self) -> None:
        found = await self._kube.list(self.kind, self._namespace, **self._selectors)
        items = found.items if self._keep is None else list(filter(self._keep, found.items))
        self._tell_all(self._cache.replace(items))
        self._version = found.resource_version
        if not self._listed.is_set():
            self._listed.set()
            self._plan_resync()

    async def _watch(self) -> None:
        """Returns when the server ends the stream."""
        started_s = self._clock.now()
        events = self._kube.watch(self.kind, self._namespace, resource_version=self._version, **self._selectors)
        try:
            async for event in events:
                self._see(event)
        finally:
            await _close(events)
            if self._clock.now() - started_s >= STEADY_S:
                self._failures = 0

    def _see(self, event: WatchEvent) -> None:
        version = version_of(event.object)
        if version and version != self._version:
            self._version = version
            self._failures = 0
        if event.type == "BOOKMARK":
            return
        if self._keep is not None and not self._keep(event.object):
            event = WatchEvent("DELETED", event.object)
        self._tell_all(self._cache.see(event))

    def _tell_all(self, changes: list[Change]) -> None:
        """All of the cache has changed by now: handlers may look at any object."""
        for _, old, new in changes:
            self._tell(old, new)

    def _tell(self, old: Obj | None, new: Obj | None) -> None:
        for handler in self._handlers:
            try:
                handler(old, new)
            except Exception:
                obj = new if new is not None else old
                name = key_of(obj) if obj is not None else ""
                logger.exception("a handler failed", kind=self.kind, object=name)

    async def _pause(self) -> None:
        """Nothing after progress; without it longer each time, so that no failure becomes a busy loop."""
        self._failures += 1
        if self._failures > 1:
            await self._clock.sleep(backoff_s(self._failures - 1, RETRY_FIRST_S, RETRY_LAST_S))

    def _log_failure(self, error: KubeError) -> None:
        # The first one is how every watch ends when a server restarts.
        tell = logger.debug if self._failures == 0 else logger.warning
        tell("cannot follow objects, trying again", kind=self.kind, failures=self._failures + 1, error=error.message)

    def _plan_resync(self) -> None:
        if self._resync_s > 0:
            self._resync = self._clock.call_later(self._resync_s, self._resync_all)

    def _resync_all(self) -> None:
        for obj in self.items():
            self._tell(obj, obj)
        self._plan_resync()


async def _close(events: AsyncIterator[WatchEvent]) -> None:
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        with contextlib.suppress(KubeError):
            await aclose()
