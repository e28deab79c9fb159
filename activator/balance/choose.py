"""Which pod takes the next request (spec dataplane 2.4). Pure: knows counts and limits, not requests.

All policies look at the requests that *this* activator has in flight at each pod, and take the pods in
the byte order of their addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

# Up to this container concurrency pods are filled one after another.
FIRST_FREE_UP_TO: Final = 3


class Slots(Protocol):
    """A pod as the policies see it. `limit` 0 means no limit."""

    running: int
    limit: int


P = TypeVar("P", bound=Slots)
Policy = Callable[[Sequence[P]], P | None]


def policy_for(container_concurrency: int, random: Callable[[], float]) -> Policy[P]:
    """The policy for a revision; `random` gives floats in [0, 1)."""
    if container_concurrency <= 0:
        return two_choices(random)
    if container_concurrency <= FIRST_FREE_UP_TO:
        return first_free
    return RoundRobin()


def two_choices(random: Callable[[], float]) -> Policy[P]:
    """Of two distinct random pods the one with fewer requests in flight; a tie is a coin's toss."""

    def choose(pods: Sequence[P]) -> P | None:
        count = len(pods)
        if count < 2:
            return pods[0] if count else None
        first = int(random() * count)
        second = int(random() * (count - 1))
        if second >= first:
            second += 1
        one, other = pods[first], pods[second]
        # Which of the two is `one` is random already, so taking it in a tie is the coin's toss.
        return other if other.running < one.running else one

    return choose


def first_free(pods: Sequence[P]) -> P | None:
    """The first pod with a free slot: fills pods one after another, so that the last ones can go."""
    for pod in pods:
        if pod.running < pod.limit:
            return pod
    return None


class RoundRobin:
    """The next pod with a free slot after the one picked last."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, pods: Sequence[P]) -> P | None:
        count = len(pods)
        start = self._next if self._next < count else 0
        for offset in range(count):
            index = (start + offset) % count
            pod = pods[index]
            if pod.running < pod.limit:
                self._next = index + 1
                return pod
        return None
