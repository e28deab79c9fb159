"""Writes replicas into Deployments: always the latest wish, one write at a time for each.

Knows numbers of replicas, not why they are wanted. Callers say what they want and go on. More replicas come as fast
as the pace allows, in several writes if it takes that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from autoscaler.pace import Pace, Place
from swell.api.kinds import DEPLOYMENT
from swell.api.meta import Key, Obj, key_of
from swell.kube.backoff import backoff_s
from swell.kube.client import KubeClient
from swell.kube.errors import Conflict, KubeError, NotFound
from swell.runtime import log
from swell.runtime.clock import Clock

RETRY_FIRST_S: Final = 0.02
RETRY_LAST_S: Final = 10.0

logger = log.get(__name__)


class Scaler:
    """The replicas of every Deployment that is scaled, as they are and as they should be.

    `on_scaled(deployment, before, after)` is called after each write; `choose(deployment, replicas)` is waited for
    before a write of fewer replicas than before, unless none are left: it sees to it that the right pods go.
    """

    def __init__(
        self,
        kube: KubeClient,
        clock: Clock,
        on_scaled: Callable[[Key, int, int], object],
        pace: Pace | None = None,
        choose: Callable[[Key, int], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._kube = kube
        self._pace = pace or Pace(clock)
        self._clock = clock
        self._on_scaled = on_scaled
        self._choose = choose
        self._deployments: dict[Key, _Deployment] = {}

    def changed(self, old: Obj | None, new: Obj | None) -> None:
        """Take in one event of a Deployment. One that is older than our own last write tells nothing."""
        obj = new if new is not None else old
        assert obj is not None
        if new is None:
            self._forget(key_of(obj))
            return
        known = self._deployments.setdefault(key_of(new), _Deployment())
        known.see(new)

    def replicas(self, deployment: Key) -> int | None:
        """What the Deployment asks for; None if there is no such Deployment."""
        known = self._deployments.get(deployment)
        return None if known is None else known.replicas

    def want(self, deployment: Key, replicas: int) -> None:
        """Have the Deployment ask for so many replicas. The write starts at once, or follows the one under way.

        Nothing happens without the Deployment: ask again when there is one.
        """
        known = self._deployments.get(deployment)
        if known is None:
            return
        known.wanted = replicas
        if known.choosing is not None and replicas >= known.replicas:
            known.choosing.cancel()  # nobody goes: what is wanted now must not wait
        if known.writing is None and known.replicas != replicas:
            known.writing = asyncio.create_task(self._write(deployment, known), name=f"scale {deployment}")

    def ready(self, deployment: Key, ready: int) -> None:
        """So many pods of the Deployment are ready now."""
        known = self._deployments.get(deployment)
        if known is None:
            return
        known.give_back(ready - known.ready)
        known.ready = ready

    async def close(self) -> None:
        """Stop writing; what was not written yet is for whoever comes next."""
        tasks = [known.writing for known in self._deployments.values() if known.writing is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pace.close()

    def _forget(self, deployment: Key) -> None:
        known = self._deployments.pop(deployment, None)
        if known is not None:
            known.give_back(len(known.starting))
            if known.writing is not None:
                known.writing.cancel()

    async def _write(self, deployment: Key, known: _Deployment) -> None:
        """Until the Deployment is as wanted, or gone."""
        failures = 0
        try:
            while known.replicas != known.wanted:
                try:
                    await self._step(deployment, known)
                except NotFound:
                    return  # its deletion is on the way to us
                except Conflict as exc:
                    logger.debug("cannot scale, trying again", deployment=deployment, error=exc.message)
                except KubeError as exc:
                    logger.warning("cannot scale, trying again", deployment=deployment, error=exc.message)
                except Exception:
                    # A bug in whoever is told of it must not end the scaling of this Deployment.
                    logger.exception("a write of replicas failed, trying again", deployment=deployment)
                else:
                    failures = 0
                    continue
                failures += 1
                await self._clock.sleep(backoff_s(failures, RETRY_FIRST_S, RETRY_LAST_S))
        finally:
            known.writing = None

    async def _step(self, deployment: Key, known: _Deployment) -> None:
        """One write towards what is wanted; that may change while pods wait to be started."""
        if known.wanted > known.replicas:
            await self._start(deployment, known, await self._pace.starts(known.wanted - known.replicas))
            return
        wanted = known.wanted
        if self._choose is not None and wanted:
            await self._chosen(deployment, known, self._choose(deployment, wanted))
        if known.wanted == wanted:
            await self._patch(deployment, known, wanted)
            # Those that are not ready go first.
            known.give_back(len(known.starting) - max(0, wanted - known.ready))

    async def _start(self, deployment: Key, known: _Deployment, places: list[Place]) -> None:
        """Write so many more replicas, or as many of them as are wanted still; fewer are another step."""
        before = known.replicas
        known.starting.extend(places)
        try:
            await self._patch(deployment, known, max(before, min(known.wanted, before + len(places))))
        finally:
            known.give_back(len(places) - max(0, known.replicas - before))

    async def _chosen(self, deployment: Key, known: _Deployment, choice: Coroutine[Any, Any, None]) -> None:
        """Returns when the choice is made, or called off. Without one, whoever goes goes."""
        known.choosing = choosing = asyncio.ensure_future(choice)
        try:
            await asyncio.wait((choosing,))
            if not choosing.cancelled() and (error := choosing.exception()) is not None:
                logger.error("who goes was not chosen", deployment=deployment, error=repr(error))
        finally:
            known.choosing = None
            choosing.cancel()

    async def _patch(self, deployment: Key, known: _Deployment, wanted: int) -> None:
        before = known.replicas
        if before == wanted:
            return
        patch = {"spec": {"replicas": wanted}}
        scale = await self._kube.patch(DEPLOYMENT, *deployment, patch, subresource="scale")
        known.see(scale)
        # The answer is what counts now, whatever versions may look like.
        known.replicas = wanted
        logger.info("scaled", deployment=deployment, before=before, after=wanted)
        self._on_scaled(deployment, before, wanted)


class _Deployment:
    """What is known of one Deployment's replicas. `starting`: the places of pods on their way, the oldest first."""

    __slots__ = ("choosing", "ready", "replicas", "starting", "version", "wanted", "writing")

    def __init__(self) -> None:
        self.replicas = 1
        self.ready = 0
        self.starting: deque[Place] = deque()
        self.version = 0
        self.wanted = 1
        self.writing: asyncio.Task[None] | None = None
        self.choosing: asyncio.Future[None] | None = None

    def give_back(self, pods: int) -> None:
        """The starts of so many pods, at most, are over."""
        for _ in range(min(pods, len(self.starting))):
            self.starting.popleft().give_back()

    def see(self, obj: Obj) -> None:
        """Take the replicas of a Deployment or its Scale, unless something newer was seen."""
        version = obj["metadata"].get("resourceVersion", "")
        number = int(version) if version.isdigit() else self.version
        if number < self.version:
            return
        self.version = number
        found = (obj.get("spec") or {}).get("replicas")
        # Absent means one in a Deployment, and none in a Scale, which leaves zeros out.
        self.replicas = (0 if obj.get("kind") == "Scale" else 1) if found is None else found
