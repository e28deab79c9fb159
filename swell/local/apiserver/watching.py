"""Watches: changes as a stream of JSON lines, with bookmarks, until the time that the client gave is over."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import orjson
from aiohttp import web

from swell.api.meta import Obj
from swell.kube.client import WatchEvent
from swell.kube.errors import KubeError
from swell.local.apiserver.calls import Call
from swell.local.apiserver.failures import bad_request, method_not_allowed, status_of
from swell.local.apiserver.hub import Subscription
from swell.local.apiserver.selection import Selection
from swell.local.apiserver.server import ApiServer
from swell.local.apiserver.targets import flag, number, selection_of

BOOKMARK_INTERVAL_S: Final = 60.0
# As the reference: clients that name no time come back at different moments.
TIMEOUT_S: Final = (1800.0, 3600.0)
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
BATCH_EVENTS_MAX: Final = 256


async def serve_watch(server: ApiServer, call: Call, selection: Selection | None = None) -> web.StreamResponse:
    """Stream until the timeout, or until the client goes. Raises `KubeError` before the first byte only."""
    if "watch" not in call.target.resource.verbs:
        raise method_not_allowed()
    watch = _Watch(server, call, selection or selection_of(call.query))
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
    response.enable_chunked_encoding()
    try:
        await response.prepare(call.request)
        await watch.run(response)
        await response.write_eof()
    except ConnectionError:
        # The client went: there is nobody left to tell.
        return response
    finally:
        watch.close()
    return response


class _Watch:
    """One watch. Where it starts is settled when it is made, so that nothing is missed while headers are sent."""

    def __init__(self, server: ApiServer, call: Call, selection: Selection) -> None:
        self._server = server
        self._call = call
        self._bookmarks = flag(call.query, "allowWatchBookmarks")
        self._named_columns = False
        self._version = ""
        self._initial: list[Obj] = []
        self._subscription: Subscription | None = None
        self._lost: KubeError | None = None
        self._announces_end = False
        seconds = number(call.query, "timeoutSeconds")
        self._deadline_s = server.clock.now() + (seconds or random.uniform(*TIMEOUT_S))
        self._start(selection)

    def _start(self, selection: Selection) -> None:
        query, target = self._call.query, self._call.target
        since = query.get("resourceVersion", "")
        asked = query.get("sendInitialEvents", "")
        self._announces_end = flag(query, "sendInitialEvents")
        if self._announces_end and query.get("resourceVersionMatch") != "NotOlderThan":
            raise bad_request("sendInitialEvents needs resourceVersionMatch=NotOlderThan")
        if self._announces_end or (since in ("", "0") and not asked):
            listing = self._server.list(target.resource, target.namespace, selection)
            self._initial, since = listing.items, listing.resource_version
        elif since in ("", "0"):
            since = self._server.version
        self._version = since
        try:
            self._subscription = self._server.watch(target.resource, target.namespace, selection, since)
        except KubeError as exc:
            if exc.status != 410:
                raise
            # As the reference does: the stream starts, and its first event tells.
            self._lost = exc

    async def run(self, response: web.StreamResponse) -> None:
        lines = [self._line("ADDED", obj) for obj in self._initial]
        self._initial = []
        if self._announces_end:
            lines.append(self._bookmark({INITIAL_EVENTS_END: "true"}))
        if lines:
            await response.write(b"".join(lines))
        if self._subscription is None:
            assert self._lost is not None
            await response.write(self._error(self._lost))
            return
        while (batch := await self._batch(self._subscription)) is not None:
            if batch:
                await response.write(batch)
            if self._lost is not None:
                return

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()

    async def _batch(self, subscription: Subscription) -> bytes | None:
        """The lines of the events that are there, or a sign of life; None when the time is over."""
        clock = self._server.clock
        left_s = self._deadline_s - clock.now()
        if left_s <= 0:
            return None
        event: WatchEvent | None
        try:
            event = await self._next(subscription, min(left_s, BOOKMARK_INTERVAL_S))
        except TimeoutError:
            # One may have come at this very moment; a bookmark must not pass it.
            event = subscription.ready()
            if event is None:
                return b"" if subscription.lost or clock.now() >= self._deadline_s else self._sign_of_life()
        except KubeError as exc:
            self._lost = exc
            return self._error(exc)
        lines = [self._event(event)]
        while len(lines) < BATCH_EVENTS_MAX and (more := subscription.ready()) is not None:
            lines.append(self._event(more))
        return b"".join(lines)

    async def _next(self, subscription: Subscription, wait_s: float) -> WatchEvent:
        """Raises TimeoutError after `wait_s` of the server's clock."""
        async with asyncio.timeout(None) as limit:
            timer = self._server.clock.call_later(wait_s, lambda: limit.reschedule(0.0))
            try:
                return await subscription.next()
            finally:
                timer.cancel()

    def _sign_of_life(self) -> bytes:
        """A bookmark; without bookmarks an empty line, which clients skip: writing finds out who is gone."""
        return self._bookmark({}) if self._bookmarks else b"\n"

    def _event(self, event: WatchEvent) -> bytes:
        self._version = event.object["metadata"]["resourceVersion"]
        return self._line(event.type, event.object)

    def _line(self, kind: str, obj: Obj) -> bytes:
        presenter = self._call.presenter
        shown = presenter.event(obj, self._server.clock.wall(), first=not self._named_columns)
        self._named_columns = True
        return _dumped(kind, shown)

    def _bookmark(self, annotations: Obj) -> bytes:
        """How far the watch has come, for a client that will come back."""
        kind = self._call.target.resource.kind
        version = max(self._version, self._server.version, key=int)
        meta: Obj = {"resourceVersion": version, "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        obj: Obj = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
        if self._call.presenter.shape == "metadata":
            return _dumped("BOOKMARK", self._call.presenter.one(obj, 0.0))
        return _dumped("BOOKMARK", obj)

    def _error(self, error: KubeError) -> bytes:
        return _dumped("ERROR", status_of(error))


def _dumped(kind: str, obj: Obj) -> bytes:
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"
