"""`KubeClient` on the API server in this process: calls without a wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.kube.client import ObjList, PatchType, Propagation, WatchEvent
from swell.local.apiserver.deletion import DeleteOptions
from swell.local.apiserver.failures import method_not_allowed
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.selection import Selection
from swell.local.apiserver.writes import Caller

if TYPE_CHECKING:
    from swell.local.apiserver.server import ApiServer

Patch = Obj | list[Obj]


class StoreClient:
    """`KubeClient` on the server in this process."""

    def __init__(self, server: ApiServer, user: str = "system:admin") -> None:
        self._server = server
        self._caller = Caller(user)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        return self._server.get(self._resource(kind), namespace or "", name)

    async def list(
        self, kind: Kind, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjList:
        selection = Selection(label_selector, field_selector)
        found = self._server.list(self._resource(kind), namespace or None, selection)
        return ObjList(found.items, found.resource_version)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        selection = Selection(label_selector, field_selector)
        subscription = self._server.watch(self._resource(kind), namespace or None, selection, resource_version)
        try:
            while True:
                yield await subscription.next()
        finally:
            subscription.close()

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        namespace = (obj.get("metadata") or {}).get("namespace", "")
        return self._server.create(self._resource(kind), namespace, obj, self._caller)

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        meta = obj["metadata"]
        namespace = meta.get("namespace", "")
        return self._server.update(self._resource(kind), namespace, meta["name"], obj, self._caller, subresource)

    async def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Patch,
        *,
        patch_type: PatchType = "merge",
        subresource: str = "",
    ) -> Obj:
        resource = self._resource(kind)
        return self._server.patch(resource, namespace or "", name, patch, patch_type, self._caller, subresource)

    async def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
        grace_period_s: int | None = None,
    ) -> None:
        options = DeleteOptions(propagation, uid, grace_s=grace_period_s)
        self._server.delete(self._resource(kind), namespace or "", name, options, self._caller)

    async def close(self) -> None:
        """Nothing to close: the server belongs to this process."""

    def _resource(self, kind: Kind) -> Resource:
        resource = self._server.registry.of(kind)
        if "get" not in resource.verbs:
            raise method_not_allowed()
        return resource
