"""Waiting for what has to be asked: other processes, and what is behind HTTP. Everything else can be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

WAIT_S: Final = 30.0
STEP_S: Final = 0.02


async def until(seen: Callable[[], Awaitable[object]]) -> None:
    """Returns once `seen` says so, which is asked again and again; raises `TimeoutError` if it never does."""
    async with asyncio.timeout(WAIT_S):
        while not await seen():  # noqa: ASYNC110 - there is nothing to await
            await asyncio.sleep(STEP_S)
