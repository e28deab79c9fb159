"""When to try a probe, and what its tries come to. Knows periods and thresholds, not what is tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.runtime.clock import Clock

QUICK_FIRST_S: Final = 0.01
QUICK_FACTOR: Final = 1.5
QUICK_LAST_S: Final = 0.25
EXEC_FIRST_S: Final = 0.5
EXEC_LAST_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Timing:
    """A probe's numbers. `quick_s` and `quick_last_s` bound the pauses between tries that wait for a success."""

    initial_delay_s: float = 0.0
    period_s: float = 10.0
    timeout_s: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    quick_s: float = QUICK_FIRST_S
    quick_last_s: float = QUICK_LAST_S

    @classmethod
    def parse(cls, probe: Mapping[str, Any]) -> Timing:
        """Of a core/v1 Probe; 0 stands for the default, as in Kubernetes."""
        return cls(
            initial_delay_s=float(probe.get("initialDelaySeconds") or 0),
            period_s=float(probe.get("periodSeconds") or 10),
            timeout_s=float(probe.get("timeoutSeconds") or 1),
            success_threshold=int(probe.get("successThreshold") or 1),
            failure_threshold=int(probe.get("failureThreshold") or 3),
            quick_s=EXEC_FIRST_S if "exec" in probe else QUICK_FIRST_S,
            quick_last_s=EXEC_LAST_S if "exec" in probe else QUICK_LAST_S,
        )


class Verdict:
    """Tries to verdict: True after enough successes in a row, False after enough failures in a row.

    Tries may come more often than the period; failures then count once per period, so that what a user writes as
    threshold times period is that long. `eager`: while it does not pass, try more often than each period.
    """

    __slots__ = ("_counted_s", "_eager", "_failures", "_pause_s", "_successes", "_timing", "passed")

    def __init__(self, timing: Timing, *, passed: bool | None, eager: bool) -> None:
        self._timing = timing
        self._eager = eager
        self._failures = 0
        self._successes = 0
        self._counted_s = -timing.period_s
        self._pause_s = timing.quick_s
        self.passed = passed

    def take(self, success: bool, now_s: float) -> bool:
        """A try's result; returns whether the verdict is new or, for a failed one, has been reached again."""
        if success:
            return self._succeed()
        self._successes = 0
        if now_s - self._counted_s < 0.95 * self._timing.period_s:
            return False
        self._counted_s = now_s
        self._failures += 1
        if self._failures < self._timing.failure_threshold:
            return False
        self._failures = 0
        self.passed = False
        return True

    def pause_s(self) -> float:
        """How long to wait before the next try."""
        if self.passed or not self._eager:
            return self._timing.period_s
        pause_s = self._pause_s
        self._pause_s = min(pause_s * QUICK_FACTOR, self._timing.quick_last_s)
        return min(pause_s, self._timing.period_s)

    def _succeed(self) -> bool:
        self._failures = 0
        self._counted_s = -self._timing.period_s
        self._pause_s = self._timing.quick_s
        self._successes += 1
        if self.passed or self._successes < self._timing.success_threshold:
            return False
        self.passed = True
        return True


Attempt = Callable[[float], Awaitable[str]]


async def probe(
    attempt: Attempt,
    timing: Timing,
    clock: Clock,
    on_verdict: Callable[[bool, str], object],
    *,
    passed: bool | None = None,
    eager: bool = True,
    once: bool = False,
) -> None:
    """Try until cancelled, or with `once` until it has passed; `on_verdict(passed, message)` is told what it comes to.

    `attempt(timeout_s)` returns "" for a success, else a message.
    """
    verdict = Verdict(timing, passed=passed, eager=eager)
    if timing.initial_delay_s and passed is None:
        await clock.sleep(timing.initial_delay_s)
    while True:
        message = await attempt(timing.timeout_s)
        if verdict.take(not message, clock.now()):
            on_verdict(bool(verdict.passed), message)
        if once and verdict.passed:
            return
        await clock.sleep(verdict.pause_s())
