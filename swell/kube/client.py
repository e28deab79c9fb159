"""What every program needs of a Kubernetes API, as one Protocol.

Two homes implement it: `swell.kube.rest` speaks to a cluster, and the embedded store implements it
in process. Callers cannot tell which one they hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from swell.api.kinds import Kind

Obj = dict[str, Any]
Patch = Obj | list[Obj]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
PatchType = Literal["merge", "json", "strategic"]
Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class ObjList:
    """A consistent list: the objects, and the resource version to watch from."""

    items: list[Obj]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. A BOOKMARK carries an object with only `metadata.resourceVersion`."""

    type: EventType
    object: Obj


class KubeClient(Protocol):
    """Reads and writes of objects; every method raises a `swell.kube.errors.KubeError`.

    Objects are JSON mappings with `apiVersion`, `kind` and `metadata`. What is returned may be shared
    with caches: copy before changing it.
    """

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj: ...

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> ObjList: ...

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`, until the server ends the stream.

        Raises `Expired` when that version is no longer kept: list again.
        """
        ...

    async def create(self, kind: Kind, obj: Obj) -> Obj: ...

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        """Replace the object (or, with `subresource="status"`, its status).

        With `metadata.resourceVersion` set, raises `Conflict` if it is no longer current.
        """
        ...

    async def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Patch,
        *,
        patch_type: PatchType = "merge",
        subresource: str = "",
    ) -> Obj: ...

    async def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
        grace_period_s: int | None = None,
    ) -> None: ...

    async def close(self) -> None: ...
