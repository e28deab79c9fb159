"""Makes plans so: the only place of the controller that writes. Knows plans and the API, not what they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from controller.plan import Child, Delete, Patch, Plan
from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.kube.apply import ensure, write_status
from swell.kube.client import KubeClient
from swell.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, KubeError, NotFound
from swell.kube.events import Recorder

# Spec api 5.1, 8.
DEADLINE_S: Final = 30.0


class InTheWay(KubeError):
    """What a plan wants cannot be had as things are, such as a name that belongs to somebody else."""

    def __init__(self, message: str) -> None:
        super().__init__(409, "NotOwned", message)


class Applier:
    """Applies plans. Applying the same plan twice changes nothing more."""

    def __init__(self, kube: KubeClient, recorder: Recorder) -> None:
        self._kube = kube
        self._recorder = recorder

    async def apply(
        self, kind: Kind, obj: Obj, plan: Plan, refused: Callable[[str], Plan] | None = None
    ) -> float | None:
        """Make it so; returns in how many seconds to look again, or None.

        The status is written even if something else fails. Raises `InTheWay` for the plan's own error, another
        `KubeError` for what the API refused; both are told as a Warning event, save what only means that a
        cache was behind. `refused` gives the plan to follow when the API finds an object of ours unacceptable.
        """
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._writes(obj, plan)
        except (AlreadyExists, Conflict):
            raise
        except (Invalid, Forbidden) as exc:
            if refused is None:
                await self._failed(kind, obj, plan, exc)
                raise
            return await self.apply(kind, obj, refused(exc.message))
        except (KubeError, TimeoutError) as exc:
            await self._failed(kind, obj, plan, exc)
            raise
        await self._report(kind, obj, plan)
        if plan.error:
            await self._recorder.event(obj, "Warning", "InternalError", plan.error)
            raise InTheWay(plan.error)
        return plan.requeue_after_s

    async def _failed(self, kind: Kind, obj: Obj, plan: Plan, error: Exception) -> None:
        await self._report(kind, obj, plan)
        message = str(error) or f"the API did not answer within {DEADLINE_S:g} s"
        await self._recorder.event(obj, "Warning", "InternalError", message)

    async def _report(self, kind: Kind, obj: Obj, plan: Plan) -> None:
        if plan.status is not None:
            await write_status(self._kube, kind, obj, plan.status.to_obj())
        for news in plan.news:
            await self._recorder.event(obj, news.kind, news.reason, news.message)

    async def _writes(self, obj: Obj, plan: Plan) -> None:
        for child in plan.ensure:
            await self._ensure(obj, child)
        for patch in plan.patches:
            await self._patch(patch)
        for delete in plan.deletes:
            await self._delete(delete)

    async def _ensure(self, obj: Obj, child: Child) -> None:
        await ensure(self._kube, child.kind, child.wanted, child.seen)
        if child.seen is None and child.news:
            await self._recorder.event(obj, "Normal", "Created", child.news)

    async def _patch(self, patch: Patch) -> None:
        meta: Obj = {
            "labels": dict(patch.labels),
            "annotations": dict(patch.annotations),
            "resourceVersion": patch.version,
        }
        body: Obj = {"metadata": {key: value for key, value in meta.items() if value}}
        try:
            await self._kube.patch(patch.kind, patch.namespace, patch.name, body)
        except NotFound:
            return  # gone meanwhile: so is what should have been changed

    async def _delete(self, delete: Delete) -> None:
        try:
            await self._kube.delete(delete.kind, delete.namespace, delete.name, uid=delete.uid)
        except (NotFound, Conflict):
            return  # gone, or another object by now
