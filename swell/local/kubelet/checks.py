"""The three probes of a running container, and what they make of it: started, ready. Knows no processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from swell.local.kubelet.probes import Attempt, Timing, probe
from swell.runtime.clock import Clock

OnVerdict = Callable[[str, bool, str], object]


class Checks:
    """Startup first; liveness and readiness once it has passed. `on_verdict(kind, passed, message)`."""

    def __init__(self, clock: Clock, on_verdict: OnVerdict) -> None:
        self._clock = clock
        self._on_verdict = on_verdict
        self._tasks: list[asyncio.Task[None]] = []
        self._recalled = False
        self.started = False
        self.ready = False

    def recall(self, *, started: bool, ready: bool) -> None:
        """What was known of a container that is taken over; holds until a probe says otherwise."""
        self._recalled = True
        self.started = started
        self.ready = ready

    def begin(self, container: Mapping[str, Any], attempt_of: Callable[[Mapping[str, Any]], Attempt]) -> None:
        """Probe a container that runs, from now on. Raises ValueError for probes that cannot be tried."""
        probes = {kind: container.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness")}
        attempts = {kind: attempt_of(found) for kind, found in probes.items() if found}
        known = self._recalled
        self._recalled = False
        self.started = (known and self.started) or "startup" not in attempts
        self.ready = (known and self.ready) or (self.started and "readiness" not in attempts)
        timings = {kind: Timing.parse(found) for kind, found in probes.items() if found}
        if not self.started:
            self._spawn(self._start_up(attempts, timings))
        else:
            self._go_on(attempts, timings, known)

    def stop(self) -> None:
        """It has ended."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.started = self.ready = False

    async def _start_up(self, attempts: Mapping[str, Attempt], timings: Mapping[str, Timing]) -> None:
        def on_verdict(passed: bool, message: str) -> None:
            self.started = passed
            if not passed or "readiness" in attempts:
                self._on_verdict("startup", passed, message)
            else:
                self.ready = True
                self._on_verdict("startup", True, "")

        await probe(attempts["startup"], timings["startup"], self._clock, on_verdict, once=True)
        self._go_on(attempts, timings, known=False)

    def _go_on(self, attempts: Mapping[str, Attempt], timings: Mapping[str, Timing], known: bool) -> None:
        if "readiness" in attempts:
            passed = True if known and self.ready else None
            self._spawn(
                probe(attempts["readiness"], timings["readiness"], self._clock, self._on_readiness, passed=passed)
            )
        if "liveness" in attempts:
            passed = True if known else None
            self._spawn(
                probe(
                    attempts["liveness"],
                    timings["liveness"],
                    self._clock,
                    lambda passed, message: passed or self._on_verdict("liveness", False, message),
                    passed=passed,
                    eager=False,
                )
            )

    def _on_readiness(self, passed: bool, message: str) -> None:
        self.ready = passed
        self._on_verdict("readiness", passed, message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name="probe"))
