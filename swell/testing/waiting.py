"""Waiting for what has to be asked: other processes, files, what is behind HTTP. Everything else can be awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Final

WAIT_S: Final = 60.0
STEP_S: Final = 0.02


async def until(seen: Callable[[], object], *, wait_s: float = WAIT_S) -> Any:
    """What `seen` returns, or what comes of awaiting that, once it is true. It is asked again and again.

    Raises `TimeoutError` if that never happens.
    """
    async with asyncio.timeout(wait_s):
        while True:
            found = seen()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(STEP_S)
