"""Whether the app is ready: one round of probes at a time, shared by all who ask (spec dataplane 3.7).

Knows probes and time, not sockets. Ours differs from the reference in one point: until the app is ready
for the first time it is probed without a caller, fast, so that a cold start need not wait to be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from activator.queueproxy.probe import Outcome, Probe

if TYPE_CHECKING:
    from swell.runtime.clock import Clock

# A check of aggressive probes tries so often, and for so long.
RETRY_S: Final = 0.05
CHECK_S: Final = 10.0
# Our own probing at the start: (until so long after the start, at this distance).
START_PACE: Final = ((0.5, 0.005), (2.0, 0.01), (10.0, 0.05), (float("inf"), 0.2))
# An app that answers, but not well, is not asked faster than the reference does.
BUSY_AGGRESSIVE_S: Final = 0.05
BUSY_S: Final = 0.2

Attempt = Callable[[Probe], Awaitable[Outcome]]


class Readiness:
    """The readiness of one app. `ready_once` is set when all probes have passed for the first time.

    `check()` may be called by any number of callers at once; one that is cancelled disturbs no other.
    """

    def __init__(self, probes: tuple[Probe, ...], attempt: Attempt, clock: Clock) -> None:
        self.ready_once = asyncio.Event()
        self._probes = probes
        self._attempt = attempt
        self._clock = clock
        self._streaks = [0] * len(probes)
        self._aggressive = any(probe.aggressive for probe in probes)
        self._again = asyncio.Event()
        self._check: asyncio.Task[bool] | None = None
        self._round: asyncio.Task[list[Outcome]] | None = None

    async def start(self) -> None:
        """Probe until the app is ready for the first time."""
        await self._delay()
        began_s = self._clock.now()
        while not self.ready_once.is_set():
            outcomes = await self._shared_round()
            if not self.ready_once.is_set():
                await self._clock.sleep(self._pace_s(self._clock.now() - began_s, outcomes))

    async def check(self) -> bool:
        """Whether the app is ready: the result of the check that is under way, or of a new one."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._run_check())
        return await asyncio.shield(self._check)

    async def close(self) -> None:
        """End a check or round that is still under way."""
        tasks = [task for task in (self._check, self._round) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _delay(self) -> None:
        delay_s = max((probe.initial_delay_s for probe in self._probes), default=0.0)
        if delay_s:
            await self._clock.sleep(delay_s)

    async def _run_check(self) -> bool:
        until_s = self._clock.now() + (CHECK_S if self._aggressive else 0.0)
        while True:
            await self._shared_round()
            if self._passed():
                return True
            if self._clock.now() >= until_s:
                return False
            await self._pause()

    async def _pause(self) -> None:
        """Until a check tries again: at once when our own probing finds the app ready meanwhile."""
        self._again.clear()
        timer = self._clock.call_later(RETRY_S, self._again.set)
        try:
            await self._again.wait()
        finally:
            timer.cancel()

    async def _shared_round(self) -> list[Outcome]:
        """One attempt at each probe, all in parallel; a round that is under way is joined."""
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._run_round())
        return await asyncio.shield(self._round)

    async def _run_round(self) -> list[Outcome]:
        outcomes = await asyncio.gather(*map(self._attempt, self._probes))
        for index, outcome in enumerate(outcomes):
            self._streaks[index] = self._streaks[index] + 1 if outcome is Outcome.PASSED else 0
        if self._passed():
            self.ready_once.set()
            self._again.set()
        return outcomes

    def _passed(self) -> bool:
        """Aggressive probes need their threshold; that of others is counted by the kubelet, which asks us."""
        return all(
            streak >= (probe.success_threshold if probe.aggressive else 1)
            for streak, probe in zip(self._streaks, self._probes, strict=True)
        )

    def _pace_s(self, since_s: float, outcomes: list[Outcome]) -> float:
        pace_s = next(pace_s for until_s, pace_s in START_PACE if since_s < until_s)
        if Outcome.FAILED in outcomes:
            return max(pace_s, BUSY_AGGRESSIVE_S if self._aggressive else BUSY_S)
        return pace_s
