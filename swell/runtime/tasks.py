"""Tasks that live as long as their program."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from swell.runtime import log

if TYPE_CHECKING:
    from swell.runtime.clock import Clock

T = TypeVar("T")

logger = log.get(__name__)


class Daemons:
    """Background tasks of a program; one that ends with an exception is logged and told."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[BaseException] | None = None

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> asyncio.Task[Any]:
        """Run `work` until it ends, the caller cancels it, or `close()` does."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    async def wait_failed(self) -> BaseException:
        """Returns the exception of the first daemon that fails; may wait for ever."""
        return await asyncio.shield(self._failure())

    async def watch(self, done: asyncio.Future[Any]) -> None:
        """Returns once `done` is done, with its exception if it has one; raises what a daemon died of before."""
        failure = self._failure()
        await asyncio.wait((done, failure), return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise failure.result()
        done.result()

    async def close(self) -> None:
        """Cancel all that still run, and wait for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _failure(self) -> asyncio.Future[BaseException]:
        if self._failed is None:
            self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        logger.error("a background task failed", task=task.get_name(), error=repr(error))
        failure = self._failure()
        if not failure.done():
            failure.set_result(error)


async def gather_within(
    clock: Clock, limit_s: float, work: Iterable[Coroutine[Any, Any, T]]
) -> list[T | BaseException]:
    """What each comes to, in their order: its result, or its exception; `CancelledError` if it took too long."""
    tasks = [asyncio.ensure_future(each) for each in work]
    if not tasks:
        return []
    late = clock.call_later(limit_s, lambda: [task.cancel() for task in tasks])
    try:
        return await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        late.cancel()
