"""The autoscalers that revisions are divided among: each hears of its own, and asks about them, on its own connection.

The one of bucket 0 says how many there are; the others listen at the ports after its own (`swell/api/buckets.py`). Most
often there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from activator.reporting.report import Key, Reporter, RevisionReport
from activator.reporting.stream import Stream
from swell.api.buckets import bucket_of, bucket_url
from swell.runtime import log

if TYPE_CHECKING:
    from swell.runtime.clock import Clock

Spawn = Callable[[Coroutine[Any, Any, object], str], "asyncio.Task[Any]"]

_log = log.get("activator.reporting")


class Owners:
    """Reports of each revision to its owner.

    `waiting()` are the revisions that have requests and no pod; `answer(question)` is the frame that answers an
    autoscaler's, None for none; `on_connected` is called whenever one has been reached.
    """

    def __init__(
        self,
        pod_name: str,
        clock: Clock,
        url: str,
        waiting: Callable[[], Iterable[Key]],
        answer: Callable[[bytes], bytes | None],
        on_connected: Callable[[], object],
        spawn: Spawn,
    ) -> None:
        self._pod_name = pod_name
        self._clock = clock
        self._url = url
        self._waiting = waiting
        self._answer = answer
        self._on_connected = on_connected
        self._spawn = spawn
        self._streams = [self._stream(0)]
        self._reporters = [self._reporter(self._streams[0])]
        self._running: list[asyncio.Task[Any]] = []

    @property
    def connected(self) -> bool:
        """To all of them."""
        return all(stream.connected for stream in self._streams)

    @property
    def lost(self) -> int:
        """Messages that no owner got."""
        return sum(stream.lost for stream in self._streams)

    @property
    def broken(self) -> int:
        """Connections that have ended."""
        return sum(stream.broken for stream in self._streams)

    def start(self) -> None:
        """Connect, to the first one first."""
        self._run(self._streams[0], 0)

    def revision(self, namespace: str, name: str) -> RevisionReport:
        """See `Reports`."""
        return RevisionReport(self, (namespace, name))

    def begin(self, report: RevisionReport) -> None:
        """See `Reports`."""
        self._reporters[self._bucket(report.key)].begin(report)

    def proven(self, revision: Key, pod: str, uid: str) -> None:
        """Say that a pod answers, which Kubernetes has not said yet."""
        self._reporters[self._bucket(revision)].proven(revision[0], pod, uid)

    def close(self) -> None:
        """Report what is left and stop."""
        for reporter in self._reporters:
            reporter.close()

    async def drained(self) -> None:
        """Returns when all that was handed over has been given to the sockets."""
        await asyncio.gather(*(stream.drained() for stream in self._streams))

    def _bucket(self, key: Key) -> int:
        return bucket_of(*key, len(self._streams))

    def _stream(self, bucket: int) -> Stream:
        def connected() -> None:
            if bucket == 0:
                self._divide(self._streams[0].buckets)
            self._reporters[bucket].remind()
            self._reporters[bucket].poke(key for key in self._waiting() if self._bucket(key) == bucket)
            self._on_connected()

        def asked(question: bytes) -> None:
            answer = self._answer(question)
            if answer is not None:
                stream.send(answer)

        stream = Stream(bucket_url(self._url, bucket), self._clock, connected, asked)
        return stream

    def _reporter(self, stream: Stream) -> Reporter:
        return Reporter(self._pod_name, self._clock, stream.send, lambda: stream.hearer)

    def _run(self, stream: Stream, bucket: int) -> None:
        self._running.append(self._spawn(stream.run(), f"stream to the autoscaler of bucket {bucket}"))

    def _divide(self, buckets: int) -> None:
        """Have so many owners. What was reported to others before, their histories, is not told to the new ones."""
        if buckets == len(self._streams):
            return
        _log.info("revisions are divided anew", owners=buckets)
        reported = [report for reporter in self._reporters for report in reporter.hand_over()]
        for running in self._running[buckets:]:
            running.cancel()
        del self._running[buckets:], self._streams[buckets:]
        for bucket in range(len(self._streams), buckets):
            self._streams.append(self._stream(bucket))
            self._run(self._streams[bucket], bucket)
        self._reporters = [self._reporter(stream) for stream in self._streams]
        for report in reported:
            self._reporters[self._bucket(report.key)].adopt(report)
