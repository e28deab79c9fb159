"""`KubeClient` over HTTPS: any Kubernetes API server, any kind, JSON in and out."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

import orjson

from swell.api.kinds import POD, Kind
from swell.kube import connect
from swell.kube.client import Obj, ObjList, Patch, PatchType, Propagation, WatchEvent
from swell.kube.connect import Access
from swell.kube.discovery import Discovery, Served, read_aggregated, read_plain
from swell.kube.errors import Invalid, from_status
from swell.kube.transport import Transport, lines, notice_loss
from swell.runtime.clock import Clock

WATCH_S: Final = 300.0
"""How long a watch is asked to last at most; each a little shorter, so that they do not all end together."""
WATCH_GRACE_S: Final = 15.0
"""How much longer to wait for a server that does not end it: then the connection is dead."""

_CONTENT_TYPES: Final[dict[PatchType, str]] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_APPLY: Final = "application/apply-patch+yaml"
_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_DISCOVERY: Final = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


class RestClient:
    """A client of the cluster that `in_cluster` or `from_kubeconfig` found; `close` it in the end."""

    def __init__(self, access: Access) -> None:
        self._http = Transport(access)
        self._discovery: Discovery | None = None

    @classmethod
    async def in_cluster(cls, clock: Clock) -> RestClient:
        """The cluster that this pod runs in. Raises `swell.kube.connect.NoAccess`, a `SwellError`."""
        return cls(await connect.in_cluster(clock))

    @classmethod
    async def from_kubeconfig(cls, path: str) -> RestClient:
        """The cluster of a kubeconfig's current context. Raises `swell.kube.connect.NoAccess`, a `SwellError`."""
        return cls(await connect.from_kubeconfig(path))

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        found: Obj = await self._http.call("GET", _path(kind, namespace, name))
        return found

    async def list(
        self, kind: Kind, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjList:
        query = _selectors(label_selector, field_selector)
        found = await self._http.call("GET", _path(kind, namespace), query=query)
        # Lists do not repeat what their own kind says already.
        identity = {"apiVersion": kind.api_version, "kind": kind.kind}
        items = [{**identity, **item} for item in found.get("items") or ()]
        return ObjList(items, found["metadata"].get("resourceVersion", ""))

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        lasts_s = random.uniform(WATCH_S * 0.8, WATCH_S)
        query = {
            **_selectors(label_selector, field_selector),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(int(lasts_s)),
        }
        path = _path(kind, namespace)
        async with self._http.stream("GET", path, query=query, timeout_s=lasts_s + WATCH_GRACE_S) as response:
            notice_loss(response)
            async for line in lines(response):
                if line:
                    yield _event(line)

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        namespace = (obj.get("metadata") or {}).get("namespace")
        made: Obj = await self._http.call("POST", _path(kind, namespace), body=_identified(kind, obj))
        return made

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        meta = obj["metadata"]
        path = _path(kind, meta.get("namespace"), meta["name"], subresource)
        written: Obj = await self._http.call("PUT", path, body=_identified(kind, obj))
        return written

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
        path = _path(kind, namespace, name, subresource)
        written: Obj = await self._http.call("PATCH", path, body=patch, content_type=_CONTENT_TYPES[patch_type])
        return written

    async def apply(self, kind: Kind, obj: Obj, *, manager: str, dry_run: bool = False) -> Obj:
        """Server-side apply: make the object if it is not there, else give it these fields, whoever set them before.

        Fields that `manager` applied earlier and leaves out now are removed. `dry_run` writes nothing.
        """
        meta = obj["metadata"]
        query = {"fieldManager": manager, "force": "true", **({"dryRun": "All"} if dry_run else {})}
        written: Obj = await self._http.call(
            "PATCH",
            _path(kind, meta.get("namespace"), meta["name"]),
            query=query,
            body=_identified(kind, obj),
            content_type=_APPLY,
        )
        return written

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
        options: Obj = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        await self._http.call("DELETE", _path(kind, namespace, name), body=options)

    async def table(
        self, kind: Kind, namespace: str | None = None, name: str | None = None, label_selector: str = ""
    ) -> Obj:
        """Objects, or one, as a `meta.k8s.io/v1` Table: columns and cells as `kubectl get` shows them."""
        path = _path(kind, namespace, name) if name is not None else _path(kind, namespace)
        found: Obj = await self._http.call("GET", path, query=_selectors(label_selector, ""), accept=_TABLE)
        return found

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str | None = None,
        follow: bool = False,
        tail: int | None = None,
    ) -> AsyncIterator[bytes]:
        """What a container wrote, in pieces of any size; only the last `tail` lines; with `follow` what comes too."""
        query = {"container": container, "follow": "true" if follow else None, "tailLines": tail}
        wanted = {key: str(value) for key, value in query.items() if value is not None}
        async with self._http.stream("GET", _path(POD, namespace, pod, "log"), query=wanted, accept="*/*") as response:
            async for chunk in response.content.iter_any():
                yield chunk

    async def through_pod(self, namespace: str, pod: str, port: int, path: str) -> Any:
        """What a pod answers to GET `path` on `port`, decoded from JSON; the API server asks it."""
        return await self._http.call("GET", _path(POD, namespace, f"{pod}:{port}", "proxy") + path)

    async def discover(self) -> Discovery:
        """The kinds that the cluster serves; asked for once."""
        if self._discovery is None:
            self._discovery = Discovery([*await _served(self._http, "/api"), *await _served(self._http, "/apis")])
        return self._discovery

    async def resolve(self, word: str) -> Kind:
        """The kind that people call `word`, such as `ksvc`, `pods`, `Deployment`. Raises `NoSuchKind`."""
        return (await self.discover()).resolve(word)

    async def kind_of(self, obj: Obj) -> Kind:
        """The kind of a manifest, by its `apiVersion` and `kind`. Raises `NoSuchKind`."""
        return (await self.discover()).of(str(obj.get("apiVersion", "")), str(obj.get("kind", "")))

    async def close(self) -> None:
        await self._http.close()


async def _served(http: Transport, root: str) -> list[Served]:
    """The kinds below `/api` or `/apis`, aggregated where the server can."""
    document = await http.call("GET", root, accept=_DISCOVERY)
    if document.get("kind") == "APIGroupDiscoveryList":
        return list(read_aggregated(document))
    found: list[Served] = []
    for group_version in _preferred_first(document):
        plain = await http.call("GET", f"{root}/{group_version}")
        group, _, version = group_version.rpartition("/")
        found += read_plain(group, version, plain)
    return found


def _preferred_first(document: Obj) -> list[str]:
    """All group versions of an `APIVersions` or `APIGroupList`."""
    found: list[str] = list(document.get("versions") or ())
    for group in document.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        versions = [version["groupVersion"] for version in group["versions"]]
        found += sorted(versions, key=lambda version: version != preferred)
    return found


def _path(kind: Kind, namespace: str | None, name: str | None = None, subresource: str = "") -> str:
    """Raises `Invalid` for names that would make it the path of something else, such as of all objects."""
    if name is not None and (name in ("", ".", "..") or "/" in name):
        raise Invalid(400, "BadRequest", f"{name!r} is no name of a {kind.kind}")
    if namespace and (namespace in (".", "..") or "/" in namespace):
        raise Invalid(400, "BadRequest", f"{namespace!r} is no name of a namespace")
    quoted = quote(name, safe="") if name is not None else None
    return kind.path(quote(namespace, safe="") if namespace else None, quoted, subresource)


def _selectors(labels: str, fields: str) -> dict[str, str]:
    return {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}


def _identified(kind: Kind, obj: Obj) -> Obj:
    return {"apiVersion": kind.api_version, "kind": kind.kind, **obj}


def _event(line: bytes) -> WatchEvent:
    event: dict[str, Any] = orjson.loads(line)
    if event["type"] == "ERROR":
        raise from_status(event["object"])
    return WatchEvent(event["type"], event["object"])
