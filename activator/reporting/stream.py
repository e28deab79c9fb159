"""The connection to the autoscaler: a websocket that keeps coming back (spec dataplane 2.10).

Knows bytes, not what they say, either way. Without a connection messages are lost and counted, never kept: what an
autoscaler has missed it is told when it is there again (`history.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from swell.api.buckets import BUCKETS_HEADER, read_buckets
from swell.runtime import log
from swell.wire.history import HISTORY_HEADER
from swell.wire.loads import ANSWERS_HEADER, ANSWERS_LOADS

if TYPE_CHECKING:
    from swell.runtime.clock import Clock

HANDSHAKE_S: Final = 3.0
PING_S: Final = 10.0 / 3
PONG_S: Final = 10.0
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_FACTOR: Final = 1.3
# The reference's is 5 s. What starts cold waits for this, and one attempt in a while costs nothing.
BACKOFF_LAST_S: Final = 1.0
JITTER: Final = 0.5
# Messages that wait for the socket. One a second and a few pokes; more means it is not taking any.
QUEUE_MAX: Final = 1024

_log = log.get("activator.reporting")


class Stream:
    """Sends messages while connected. `on_connected` is called after each (re)connect, `on_question` with each frame
    that the autoscaler sends.

    `hearer` is how the autoscaler that is connected calls itself when it asks for the history, else "". `buckets` is
    among how many owners revisions are divided, as the last one that was connected has said. `connected`,
    `lost` (messages) and `broken` (connections) are for health and metrics.
    """

    def __init__(
        self, url: str, clock: Clock, on_connected: Callable[[], None], on_question: Callable[[bytes], None]
    ) -> None:
        self._url = url
        self._clock = clock
        self._on_connected = on_connected
        self._on_question = on_question
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self.connected = False
        self.hearer = ""
        self.buckets = 1
        self.lost = 0
        self.broken = 0

    def send(self, message: bytes) -> None:
        """Hand a message to the connection; without one, or when it takes nothing, it is lost."""
        if not self.connected or len(self._queue) >= QUEUE_MAX:
            self.lost += 1
            return
        self._queue.append(message)
        self._empty.clear()
        self._wake.set()

    async def run(self) -> None:
        """Connect, send, reconnect, until cancelled."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                async with connect(
                    self._url,
                    open_timeout=HANDSHAKE_S,
                    ping_interval=PING_S,
                    ping_timeout=PONG_S,
                    close_timeout=1.0,
                    compression=None,
                    proxy=None,
                    additional_headers={ANSWERS_HEADER: ANSWERS_LOADS, BUCKETS_HEADER: "1"},
                ) as socket:
                    backoff_s = BACKOFF_FIRST_S
                    await self._serve(socket)
            except (OSError, TimeoutError, WebSocketException) as error:
                _log.debug("autoscaler not reached", url=self._url, error=repr(error))
            await self._clock.sleep(backoff_s * (1 + JITTER * random.random()))
            backoff_s = min(backoff_s * BACKOFF_FACTOR, BACKOFF_LAST_S)

    async def drained(self) -> None:
        """Returns when all that was handed over has been given to the socket; at once without one."""
        if self.connected:
            await self._empty.wait()

    async def _serve(self, socket: Any) -> None:
        self._queue.clear()
        self._empty.set()
        self.connected = True
        self.hearer = socket.response.headers.get(HISTORY_HEADER, "")
        self.buckets = read_buckets(socket.response.headers.get(BUCKETS_HEADER, ""))
        _log.info("connected to the autoscaler", url=self._url)
        self._on_connected()
        writer = asyncio.ensure_future(self._write(socket))
        closed = asyncio.ensure_future(self._read(socket))
        try:
            await asyncio.wait((writer, closed), return_when=asyncio.FIRST_COMPLETED)
            self.broken += 1
            _log.warning("connection to the autoscaler lost", url=self._url)
        finally:
            self.connected = False
            self.hearer = ""
            self._empty.set()
            writer.cancel()
            closed.cancel()
            await asyncio.gather(writer, closed, return_exceptions=True)

    async def _write(self, socket: Any) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await socket.send(self._queue.popleft())
            self._empty.set()

    async def _read(self, socket: Any) -> None:
        """Until the connection is closed."""
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                frame = await socket.recv()
                if isinstance(frame, bytes):
                    self._on_question(frame)
        except ConnectionClosed:
            return
