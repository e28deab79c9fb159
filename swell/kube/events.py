"""Events: what a person reads under `kubectl describe` and `kubectl get events`."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from swell.api.kinds import EVENT
from swell.api.meta import Obj, rfc3339
from swell.kube.client import KubeClient
from swell.kube.errors import AlreadyExists, KubeError, NotFound
from swell.runtime import log
from swell.runtime.clock import Clock

EventKind = Literal["Normal", "Warning"]
MESSAGE_CHARACTERS_MAX: Final = 1024
_NAME_CHARACTERS_MAX: Final = 200

logger = log.get(__name__)


class Recorder:
    """Writes core/v1 Events as `component`. An Event that cannot be written is logged, and nothing more."""

    def __init__(self, kube: KubeClient, component: str, clock: Clock) -> None:
        self._kube = kube
        self._component = component
        self._clock = clock

    async def event(self, obj: Obj, kind: EventKind, reason: str, message: str) -> None:
        """Tell of `obj`; the same event again only raises its count."""
        event = self._event(obj, kind, reason, message)
        try:
            await self._write(event)
        except KubeError as exc:
            name = obj["metadata"]["name"]
            logger.warning("an Event was not written", object=name, reason=reason, error=exc.message)

    async def _write(self, event: Obj) -> None:
        meta = event["metadata"]
        try:
            await self._kube.create(EVENT, event)
        except AlreadyExists:
            try:
                seen = await self._kube.get(EVENT, meta["namespace"], meta["name"])
                again = {"count": seen.get("count", 1) + 1, "lastTimestamp": event["lastTimestamp"]}
                await self._kube.patch(EVENT, meta["namespace"], meta["name"], again)
            except NotFound:
                await self._kube.create(EVENT, event)  # its time was over just then

    def _event(self, obj: Obj, kind: EventKind, reason: str, message: str) -> Obj:
        meta = obj["metadata"]
        about = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": meta["name"],
            "uid": meta.get("uid", ""),
            "resourceVersion": meta.get("resourceVersion", ""),
        }
        namespace = meta.get("namespace", "")
        if namespace:
            about["namespace"] = namespace
        now = rfc3339(self._clock.wall())
        text = message[:MESSAGE_CHARACTERS_MAX]
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {
                "name": _name(meta["name"], about["uid"], self._component, kind, reason, text),
                "namespace": namespace or "default",
            },
            "involvedObject": about,
            "type": kind,
            "reason": reason,
            "message": text,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _name(name: str, *parts: str) -> str:
    """The same for the same event, so that it is found again without being remembered."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{name[:_NAME_CHARACTERS_MAX]}.{digest[:16]}"
