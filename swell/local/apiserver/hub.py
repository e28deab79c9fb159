"""Recent changes, and who waits for them. Knows resources by name, not what objects mean."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from swell.api.meta import Obj
from swell.kube.client import EventType, WatchEvent
from swell.local.apiserver.failures import expired

RING_EVENTS_MAX: Final = 512
"""Changes kept per resource, for watchers that come back."""
BACKLOG_EVENTS_MAX: Final = 10_000
"""Events a watcher may leave unread; beyond that it is told to list again."""

Matches = Callable[[Obj], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One write: the object before (None: created) and after; `removed` when it was deleted by it."""

    version: int
    before: Obj | None
    after: Obj
    removed: bool = False

    def seen_by(self, matches: Matches) -> WatchEvent | None:
        """The event for a watcher that selects with `matches`: objects may enter and leave its view."""
        was = self.before is not None and matches(self.before)
        now = not self.removed and matches(self.after)
        if was and not now:
            return WatchEvent("DELETED", self.after if self.removed else _last_seen(self.before, self.after))
        if not now:
            return None
        kind: EventType = "MODIFIED" if was else "ADDED"
        return WatchEvent(kind, self.after)


def _last_seen(before: Obj | None, after: Obj) -> Obj:
    """What left the view, at the version at which it left."""
    assert before is not None
    version = after["metadata"]["resourceVersion"]
    return {**before, "metadata": {**before["metadata"], "resourceVersion": version}}


class Subscription:
    """Events for one watcher, in order. Bounded: a watcher that does not read is ended with `Expired`."""

    __slots__ = ("_events", "_hub", "_matches", "_namespace", "_resource", "_waiter", "lost")

    def __init__(self, hub: Hub, resource: str, namespace: str | None, matches: Matches) -> None:
        self._hub = hub
        self._resource = resource
        self._namespace = namespace
        self._matches = matches
        self._events: deque[WatchEvent] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.lost = False

    def offer(self, change: Change) -> None:
        if self._namespace is not None and change.after["metadata"].get("namespace") != self._namespace:
            return
        event = change.seen_by(self._matches)
        if event is None:
            return
        if len(self._events) >= BACKLOG_EVENTS_MAX:
            self._events.clear()
            self.lost = True
            self.close()
        else:
            self._events.append(event)
        self._wake()

    async def next(self) -> WatchEvent:
        """The next event; raises `Expired` when events were lost."""
        while not self._events:
            if self.lost:
                raise expired(0, self._hub.oldest(self._resource))
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._events.popleft()

    def ready(self) -> WatchEvent | None:
        """The next event if there is one already."""
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        self._hub.unsubscribe(self._resource, self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Hub:
    """Hands each change to those who watch its resource, and keeps the last ones for those who return.

    The rings start empty: versions before `start`, from before a restart, are no longer kept.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._rings: dict[str, deque[Change]] = {}
        self._floors: dict[str, int] = {}
        self._watchers: dict[str, dict[Subscription, None]] = {}

    def publish(self, resource: str, change: Change) -> None:
        ring = self._rings.get(resource)
        if ring is None:
            ring = self._rings[resource] = deque(maxlen=RING_EVENTS_MAX)
        if len(ring) == RING_EVENTS_MAX:
            self._floors[resource] = ring[0].version
        ring.append(change)
        for watcher in tuple(self._watchers.get(resource, ())):
            watcher.offer(change)

    def oldest(self, resource: str) -> int:
        """The oldest version of `resource` from which a watch can resume."""
        return self._floors.get(resource, self._start)

    def subscribe(self, resource: str, namespace: str | None, matches: Matches, since: int) -> Subscription:
        """All changes after `since`; raises `Expired` if they are no longer all kept."""
        if since < self.oldest(resource):
            raise expired(since, self.oldest(resource))
        subscription = Subscription(self, resource, namespace, matches)
        for change in self._rings.get(resource, ()):
            if change.version > since:
                subscription.offer(change)
        self._watchers.setdefault(resource, {})[subscription] = None
        return subscription

    def unsubscribe(self, resource: str, subscription: Subscription) -> None:
        self._watchers.get(resource, {}).pop(subscription, None)

    @property
    def watchers(self) -> int:
        return sum(len(each) for each in self._watchers.values())
