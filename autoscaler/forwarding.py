"""Passing reports on to the owners of other buckets (spec autoscaling 7.2).

For activators that know of one autoscaler only, as the reference's do. Ours report to each owner by themselves.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Final

import aiohttp

from autoscaler.address import slice_name
from swell.api.buckets import BUCKETS_HEADER, Share, bucket_of
from swell.api.kinds import ENDPOINT_SLICE
from swell.api.meta import Key, Obj
from swell.kube.client import KubeClient
from swell.kube.errors import KubeError
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.wire.report import Message, ProvenPod, encode_messages, encode_proven
from swell.wire.stats import Stat

RETRY_S: Final = 0.5
CONNECT_S: Final = 3.0
HEARTBEAT_S: Final = 3.0
QUEUE_MAX: Final = 1000
LATE_S: Final = 2.0
"""A report says what was asked within the last second. One that is older than this would tell the owner of requests
that have been."""
TELL_S: Final = 10.0
"""How often losses are logged, at most."""

logger = log.get(__name__)


class Forwarder:
    """Links to the owners of the buckets that are not `share`'s, for as long as an activator needs them."""

    def __init__(self, kube: KubeClient, clock: Clock, namespace: str, share: Share) -> None:
        self._share = share
        others = (ordinal for ordinal in range(share.total) if ordinal != share.ordinal)
        self._links = {ordinal: _Link(kube, clock, Key(namespace, slice_name(ordinal))) for ordinal in others}
        self._users = 0

    @property
    def lost(self) -> int:
        """Frames that no owner got."""
        return sum(link.lost for link in self._links.values())

    def join(self) -> None:
        """An activator reports everything here: the others hear from it, and of its silence, through us."""
        self._users += 1
        if self._users == 1:
            for link in self._links.values():
                link.open()

    def leave(self) -> None:
        """It is gone."""
        self._users -= 1
        if self._users == 0:
            for link in self._links.values():
                link.close()

    def split(self, reports: list[tuple[Key, Stat]]) -> list[tuple[Key, Stat]]:
        """Send what is others'; returns what is ours."""
        ours: list[tuple[Key, Stat]] = []
        others: dict[int, list[Message]] = defaultdict(list)
        for key, stat in reports:
            bucket = bucket_of(*key, self._share.total)
            if bucket == self._share.ordinal:
                ours.append((key, stat))
            else:
                others[bucket].append((*key, stat))
        for bucket, messages in others.items():
            self._links[bucket].send(encode_messages(messages))
        return ours

    def proven(self, pods: list[ProvenPod]) -> None:
        """Whose they are is not said: all others hear of them, and the owner knows them."""
        for link in self._links.values():
            link.send(encode_proven(pods))

    async def close(self) -> None:
        """Nothing is sent any more."""
        for link in self._links.values():
            link.close()
        await asyncio.gather(*(link.closed() for link in self._links.values()))


class _Link:
    """One connection to whoever owns a bucket; its address is in that EndpointSlice."""

    def __init__(self, kube: KubeClient, clock: Clock, found_in: Key) -> None:
        self._kube = kube
        self._clock = clock
        self._found_in = found_in
        self._queue: deque[tuple[float, bytes]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told_s = -TELL_S
        self.lost = 0

    def open(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"forwarding to {self._found_in.name}")

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def closed(self) -> None:
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def send(self, frame: bytes) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._queue.popleft()
            self._lose()
        self._queue.append((self._clock.now(), frame))
        self._wake.set()

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    await self._serve(session)
                except (KubeError, OSError, TimeoutError, aiohttp.ClientError) as exc:
                    logger.debug("the owner of a bucket is not reached", slice=self._found_in, error=repr(exc))
                await self._clock.sleep(RETRY_S)

    async def _serve(self, session: aiohttp.ClientSession) -> None:
        """Returns when the connection has ended, or there is none to be had."""
        url = url_of(await self._kube.get(ENDPOINT_SLICE, *self._found_in))
        if url is None:
            return
        async with asyncio.timeout(CONNECT_S):
            # With the header, so that nothing is passed on twice.
            socket = await session.ws_connect(url, heartbeat=HEARTBEAT_S, headers={BUCKETS_HEADER: "1"})
        async with socket:
            logger.info("forwarding to the owner of a bucket", slice=self._found_in, url=url)
            writing = asyncio.create_task(self._write(socket))
            reading = asyncio.create_task(_until_closed(socket))
            try:
                await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
            finally:
                writing.cancel()
                reading.cancel()
                await asyncio.gather(writing, reading, return_exceptions=True)

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            self._wake.clear()
            while self._queue:
                queued_s, frame = self._queue.popleft()
                if queued_s < self._clock.now() - LATE_S:
                    self._lose()
                else:
                    await socket.send_bytes(frame)
            await self._wake.wait()

    def _lose(self) -> None:
        self.lost += 1
        if self._clock.now() >= self._told_s + TELL_S:
            self._told_s = self._clock.now()
            logger.warning("reports do not reach the owner of a bucket", slice=self._found_in, lost_so_far=self.lost)


def url_of(found: Obj) -> str | None:
    """Where the one that an EndpointSlice has listens; None if it has none."""
    addresses: Iterable[str] = (each for endpoint in found.get("endpoints") or () for each in endpoint["addresses"])
    ip = next(iter(addresses), None)
    if ip is None:
        return None
    host = f"[{ip}]" if ":" in ip else ip
    return f"http://{host}:{found['ports'][0]['port']}"


async def _until_closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass
