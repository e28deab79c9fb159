"""Slots on the pods of one revision, and the line in front of them (spec dataplane 2.4).

Pure: knows pods as addresses with counts, and items that wait. The caller starts what it is handed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from activator.admission.buffer import Line
from activator.balance.choose import Policy, policy_for
from activator.balance.subset import assigned

Address = tuple[str, int]
W = TypeVar("W", bound=Hashable)


class Backend:
    """An address we may send to, and how many requests of ours are in flight there.

    `limit` is the container concurrency, 0 for none. `pod`, `lane` and `usable_s` are free for the caller.
    """

    __slots__ = ("address", "lane", "limit", "name", "pod", "running", "usable_s")

    def __init__(self, address: Address, name: str = "", pod: object = None) -> None:
        self.address = address
        self.name = name
        self.pod = pod
        self.lane: Any = None
        self.limit = 0
        self.running = 0
        self.usable_s = 0.0

    def sort_key(self) -> str:
        """Pods are taken in the byte order of `ip:port`, which every activator agrees on."""
        return f"{self.address[0]}:{self.address[1]}"

    def __repr__(self) -> str:
        return f"<Backend {self.name or self.sort_key()} {self.running}/{self.limit or 'any'}>"


class Throttler(Generic[W]):
    """Who may go to which pod now, and who waits. One per revision."""

    __slots__ = ("_all", "_choose", "_count", "_index", "_random", "backends", "limit", "line")

    def __init__(
        self, line: Line[W], container_concurrency: int = 0, choose_random: Callable[[], float] = random.random
    ) -> None:
        self.line = line
        self.backends: list[Backend] = []
        self._all: list[Backend] = []
        self._index, self._count = -1, 0
        self._random = choose_random
        self.set_limit(container_concurrency)

    def set_limit(self, container_concurrency: int) -> None:
        """Slots per pod; 0 for no limit. Requests in flight are not touched."""
        self.limit = container_concurrency
        self._choose: Policy[Backend] = policy_for(container_concurrency, self._random)
        self._assign()

    def set_backends(self, backends: Iterable[Backend]) -> None:
        """The usable pods from now on. One that stays keeps its count; one that goes finishes alone."""
        self._all = sorted(backends, key=Backend.sort_key)
        self._assign()

    def set_share(self, index: int, count: int) -> None:
        """Our place among the activators that share this revision: `index` of `count`, -1 if unknown."""
        self._index, self._count = index, count
        self._assign()

    def take(self) -> Backend | None:
        """A slot on a pod, now; None if there is none or others wait for one already."""
        if self.line.items:
            return None
        backend = self._choose(self.backends)
        if backend is not None:
            backend.running += 1
        return backend

    def release(self, backend: Backend) -> None:
        """Give a slot back. Then call `next` until it returns None."""
        backend.running -= 1

    def next(self) -> tuple[W, Backend] | None:
        """Who has waited longest, and the slot it gets; None if nobody waits or nothing is free."""
        if not self.line.items:
            return None
        backend = self._choose(self.backends)
        if backend is None:
            return None
        backend.running += 1
        return self.line.pop(), backend

    def in_flight(self) -> int:
        """Requests at the pods we may use now."""
        return sum(backend.running for backend in self.backends)

    def _assign(self) -> None:
        self.backends = assigned(self._all, self._index, self._count) if self.limit else self._all
        for backend in self._all:
            backend.limit = self.limit
