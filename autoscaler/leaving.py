"""Which pods go when a revision is to have fewer: those with nothing in flight, else those with the least.

Kubernetes chooses: of pods that are ready, those that cost least to delete. So the costs are put right just before
the replicas are written, with as few writes as that takes. Costs that are left on pods that stay do no harm: the next
time they are taken as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from autoscaler.pods import State, state_of
from swell.api.kinds import POD
from swell.api.meta import Key, Obj, condition_of, key_of
from swell.api.pod_cost import DELETION_COST, deletion_cost
from swell.kube.client import KubeClient
from swell.kube.errors import NotFound
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.tasks import gather_within

# How long the costs may hold up a scale-down, and how many are written at once.
WRITES_S: Final = 2.0
WRITES_MAX: Final = 16

logger = log.get(__name__)


def new_costs(pods: Sequence[Obj], loads: Mapping[str, int], replicas: int) -> dict[Key, int]:
    """The deletion costs to write so that of `pods` only `replicas` stay, those with most in flight.

    `loads`: requests in flight by the name of the pod. `replicas` is not 0. Pods that are not ready go first whatever
    they cost. Nothing is written where all that are ready have as much to do.
    """
    ready = [pod for pod in pods if state_of(pod) is State.READY]
    going = len(ready) - replicas
    if going <= 0 or len({_load(pod, loads) for pod in ready}) == 1:
        return {}
    # Among equals the choice is Kubernetes' own: what became ready last.
    ranked = sorted(ready, key=_ready_since, reverse=True)
    ranked.sort(key=lambda pod: (_load(pod, loads), deletion_cost(pod)))
    leaving, staying = ranked[:going], ranked[going:]
    lowest, highest = min(map(deletion_cost, staying)), max(map(deletion_cost, leaving))
    cheaper = {key_of(pod): lowest - 1 for pod in leaving if deletion_cost(pod) >= lowest}
    dearer = {key_of(pod): highest + 1 for pod in staying if deletion_cost(pod) <= highest}
    return cheaper if len(cheaper) <= len(dearer) else dearer


def _load(pod: Obj, loads: Mapping[str, int]) -> int:
    return loads.get(pod["metadata"]["name"], 0)


def _ready_since(pod: Obj) -> str:
    """RFC 3339, in UTC: later times are greater."""
    return condition_of(pod).get("lastTransitionTime") or ""


class Leaving:
    """Has Kubernetes take the idlest pods of a revision.

    `pods(revision)` are its pods, `loads(revision)` the requests in flight by the names of its pods.
    """

    def __init__(
        self,
        kube: KubeClient,
        clock: Clock,
        pods: Callable[[Key], list[Obj]],
        loads: Callable[[Key], Awaitable[Mapping[str, int]]],
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._pods = pods
        self._loads = loads

    async def choose(self, revision: Key, replicas: int) -> None:
        """Put the costs right for a revision that is to have so many pods; returns soon, if need be without."""
        if not replicas or len(self._pods(revision)) <= replicas:
            return
        loads = await self._loads(revision)
        costs = new_costs(self._pods(revision), loads, replicas)
        if not costs:
            return
        slots = asyncio.Semaphore(WRITES_MAX)
        done = await gather_within(
            self._clock, WRITES_S, (self._write(slots, pod, cost) for pod, cost in costs.items())
        )
        failed = [error for error in done if isinstance(error, BaseException)]
        logger.info("chose who goes", revision=revision, replicas=replicas, written=len(costs) - len(failed))
        if failed:
            logger.warning(
                "pods that are busy may go", revision=revision, not_written=len(failed), error=repr(failed[0])
            )

    async def _write(self, slots: asyncio.Semaphore, pod: Key, cost: int) -> None:
        async with slots:
            with contextlib.suppress(NotFound):  # it went before
                await self._kube.patch(POD, *pod, {"metadata": {"annotations": {DELETION_COST: str(cost)}}})
