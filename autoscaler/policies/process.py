"""The autoscaler's side of one policy: its process, asked with a time limit and ended when it is over.

Knows lines and processes, not revisions. After a failure the process is started again, each time later than the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from swell.policy import Seen
from swell.runtime import log
from swell.runtime.clock import Clock

START_S: Final = 10.0
RESTART_FIRST_S: Final = 10.0
RESTART_LAST_S: Final = 600.0
LINE_BYTES_MAX: Final = 4 * 1024 * 1024

logger = log.get(__name__)


class Answer(NamedTuple):
    """What a policy wants, None for no opinion; `error` says why there is no answer, "" if nothing is wrong."""

    want: int | None
    error: str


class PolicyError(Exception):
    """There are no answers. The text is for the operator."""


class Resting(PolicyError):
    """The policy has failed not long ago, and was not asked."""


class PolicyProcess:
    """`where` is `FILE:CLASS`, or "" for the entry point `name`. One caller at a time."""

    def __init__(self, name: str, where: str, clock: Clock, timeout_s: float) -> None:
        self.name = name
        self.where = where
        self.timeout_s = timeout_s
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._failures = 0
        self._begun_s = 0.0
        self._again_s = 0.0
        self._late = False
        self.up = False
        """Whether there is a process that has loaded the policy."""

    async def ask(self, asked: Sequence[Seen]) -> list[Answer]:
        """One answer for each, in order. Raises `PolicyError`: the process is gone then."""
        if not self.up:
            await self.start()
        found = await self._call(orjson.dumps(asked), self.timeout_s)
        if not isinstance(found, list) or len(found) != len(asked):
            raise await self._failed("answered what is no answer")
        return [Answer(*each) for each in found]

    async def close(self) -> None:
        """End the process."""
        process, self._process, self.up = self._process, None, False
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def start(self) -> None:
        """Load the policy. Raises `PolicyError`."""
        if self._clock.now() < self._again_s:
            raise Resting(f"policy {self.name} has failed and is started again later")
        flags = ["-P", *(["-S"] if sys.flags.no_site else [])]
        command = [sys.executable, *flags, "-m", "autoscaler.policies.worker", self.name, self.where]
        self._begun_s = self._clock.now()
        try:
            # Of its own session: Ctrl-C is for the autoscaler, whose end ends it too.
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES_MAX,
                start_new_session=True,
            )
        except OSError as exc:
            raise await self._failed(f"cannot be started: {os.strerror(exc.errno or 0)}") from exc
        found = await self._call(b"", START_S)
        error = found.get("error", "") if isinstance(found, dict) else "answered what is no answer"
        if error:
            raise await self._failed(f"cannot be loaded: {error}")
        self.up = True
        logger.info("a policy is loaded", policy=self.name, source=self.where or "entry point")

    async def _call(self, line: bytes, within_s: float) -> Any:
        """Write a line, if it is one, and read one. The process is killed when the time is over: that ends both."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        self._late = False
        timer = self._clock.call_later(within_s, self._kill)
        try:
            if line:
                process.stdin.write(line + b"\n")
                await process.stdin.drain()
            return orjson.loads(await process.stdout.readline())
        except (OSError, ValueError, RuntimeError) as exc:  # the last is uvloop's, of a pipe that is closed
            cause = f"took longer than {within_s:g}s" if self._late else "ended, or answered what is no answer"
            raise await self._failed(cause) from exc
        finally:
            timer.cancel()

    def _kill(self) -> None:
        self._late = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _failed(self, cause: str) -> PolicyError:
        """End the process, and say when it is started again: later each time, unless it has lasted for long."""
        if self._clock.now() - self._begun_s > RESTART_LAST_S:
            self._failures = 0
        pause_s = min(RESTART_LAST_S, RESTART_FIRST_S * 2.0**self._failures)
        self._failures += 1
        self._again_s = self._clock.now() + pause_s
        await self.close()
        return PolicyError(f"policy {self.name} {cause}; it is started again in {pause_s:g}s")
