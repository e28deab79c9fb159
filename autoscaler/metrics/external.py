"""Metrics that are asked for: every few seconds each source of each revision that has any.

Knows sources and when to ask them; what a value means for the scale is `Revisions`' business.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from autoscaler.metrics.external_answers import SourceFailed
from swell.api.extra_metrics import REQUESTS, RESOURCES, ExtraMetric
from swell.api.meta import Key
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.tasks import gather_within

INTERVAL_S: Final = 5.0
LIMIT_S: Final = 3.0
PARALLEL_MAX: Final = 16
FAILURES_TOLD: Final = 2
"""Failures in a row that are told of; one is what a restart of a source looks like."""

logger = log.get(__name__)

Read = Callable[[Key, tuple[ExtraMetric, ...]], Awaitable[Mapping[str, float | SourceFailed]]]


class External:
    """Follows revisions. `read(key, metrics)` asks one source: one remote metric, or cpu and memory at once.

    `on_values(key, values)` is called after each round, with NaN for what failed; `on_told(key, name, why)` when a
    metric has failed `FAILURES_TOLD` times in a row, and with None when it is there again.
    """

    def __init__(
        self,
        clock: Clock,
        read: Read,
        on_values: Callable[[Key, Mapping[str, float]], object],
        on_told: Callable[[Key, str, str | None], object],
    ) -> None:
        self._clock = clock
        self._read = read
        self._on_values = on_values
        self._on_told = on_told
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._failures: dict[Key, Counter[str]] = {}
        self._places = asyncio.Semaphore(PARALLEL_MAX)

    def follow(self, key: Key, metrics: Iterable[ExtraMetric]) -> None:
        """Ask for these metrics of the revision from now on, in place of those before; of requests nobody is asked."""
        self.forget(key)
        sources = list(_sources(metrics))
        if sources:
            self._failures[key] = Counter()
            self._tasks[key] = asyncio.create_task(self._follow(key, sources), name=f"metrics of {key}")

    def forget(self, key: Key) -> None:
        """Ask no more; nothing happens if nobody was asked."""
        task = self._tasks.pop(key, None)
        self._failures.pop(key, None)
        if task is not None:
            task.cancel()

    @property
    def failing(self) -> list[tuple[Key, str]]:
        """The metrics whose last answer was none."""
        return [(key, name) for key, counts in self._failures.items() for name, count in counts.items() if count]

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for key in tuple(self._tasks):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, key: Key, sources: list[tuple[ExtraMetric, ...]]) -> None:
        while True:
            started_s = self._clock.now()
            rounds = await asyncio.gather(*(self._ask(key, source) for source in sources))
            try:
                self._take(key, {name: value for found in rounds for name, value in found.items()})
            except Exception:
                # A bug in whoever takes the values must not end the asking.
                logger.exception("values of metrics were not taken", revision=key)
            await self._clock.sleep(max(0.0, started_s + INTERVAL_S - self._clock.now()))

    async def _ask(self, key: Key, source: tuple[ExtraMetric, ...]) -> Mapping[str, float | SourceFailed]:
        async with self._places:
            (found,) = await gather_within(self._clock, LIMIT_S, [_awaited(self._read(key, source))])
        if not isinstance(found, BaseException):
            return found
        if isinstance(found, asyncio.CancelledError):
            found = SourceFailed(f"no answer within {LIMIT_S:g} s")
        elif not isinstance(found, SourceFailed):
            logger.error("a metric could not be asked for", revision=key, error=repr(found))
            found = SourceFailed(f"{type(found).__name__}: {found}")
        return {metric.name: found for metric in source}

    def _take(self, key: Key, found: Mapping[str, float | SourceFailed]) -> None:
        counts = self._failures[key]
        for name, value in found.items():
            if isinstance(value, SourceFailed):
                counts[name] += 1
                if counts[name] == FAILURES_TOLD:
                    self._on_told(key, name, str(value))
            elif counts.pop(name, 0) >= FAILURES_TOLD:
                self._on_told(key, name, None)
        values = {name: math.nan if isinstance(value, SourceFailed) else value for name, value in found.items()}
        self._on_values(key, values)


def _sources(metrics: Iterable[ExtraMetric]) -> Iterable[tuple[ExtraMetric, ...]]:
    """What is asked at once: each remote metric by itself; cpu and memory are one answer."""
    asked = [metric for metric in metrics if metric.type not in REQUESTS]
    resources = tuple(metric for metric in asked if metric.type in RESOURCES)
    yield from ((metric,) for metric in asked if metric.type not in RESOURCES)
    if resources:
        yield resources


async def _awaited(work: Awaitable[Mapping[str, float | SourceFailed]]) -> Mapping[str, float | SourceFailed]:
    return await work
