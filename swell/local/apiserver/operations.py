"""What a request to a resource does: from a parsed call to the API server, and back to an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from swell.api.meta import Obj
from swell.kube.errors import NotFound
from swell.local.apiserver.bodies import decode, decode_patch
from swell.local.apiserver.builtins import review
from swell.local.apiserver.calls import Call
from swell.local.apiserver.deletion import DeleteOptions
from swell.local.apiserver.failures import bad_request, method_not_allowed, success
from swell.local.apiserver.logs import serve_log
from swell.local.apiserver.podlogs import PodLogs
from swell.local.apiserver.schema import faults_of
from swell.local.apiserver.selection import Selection
from swell.local.apiserver.server import ApiServer
from swell.local.apiserver.targets import delete_options, flag, is_dry_run, page_of, selection_of
from swell.local.apiserver.types import Types
from swell.local.apiserver.watching import serve_watch
from swell.local.apiserver.writes import Caller

Operation = Callable[[Call], Awaitable[web.StreamResponse]]
_COLLECTION: Final = "*"


class Operations:
    """Every method on every resource. All raise `KubeError`."""

    def __init__(self, server: ApiServer, logs: PodLogs | None) -> None:
        self._server = server
        self._logs = logs
        self._operations: dict[tuple[str, str], tuple[str, Operation]] = {
            ("GET", _COLLECTION): ("list", self._list),
            ("POST", _COLLECTION): ("create", self._create),
            ("DELETE", _COLLECTION): ("deletecollection", self._delete_collection),
            ("GET", ""): ("get", self._get),
            ("PUT", ""): ("update", self._update),
            ("PATCH", ""): ("patch", self._patch),
            ("DELETE", ""): ("delete", self._delete),
            ("GET", "status"): ("get", self._get),
            ("PUT", "status"): ("update", self._update),
            ("PATCH", "status"): ("patch", self._patch),
            ("GET", "scale"): ("get", self._scale),
            ("PUT", "scale"): ("update", self._update),
            ("PATCH", "scale"): ("patch", self._patch),
            ("PUT", "finalize"): ("update", self._update),
            ("GET", "log"): ("get", self._log),
            ("POST", "eviction"): ("create", self._evict),
            ("POST", "binding"): ("create", self._bind),
        }

    async def run(self, call: Call) -> web.StreamResponse:
        target = call.target
        place = (target.subresource or "") if target.name else _COLLECTION
        found = self._operations.get((call.request.method, place))
        if found is None or found[0] not in target.resource.verbs:
            raise method_not_allowed()
        return await found[1](call)

    async def _list(self, call: Call) -> web.StreamResponse:
        if flag(call.query, "watch"):
            return await serve_watch(self._server, call)
        target = call.target
        listing = self._server.list(target.resource, target.namespace, selection_of(call.query), page_of(call.query))
        return call.respond(call.presenter.many(listing.items, listing.metadata(), self._now_s()))

    async def _get(self, call: Call) -> web.StreamResponse:
        if flag(call.query, "watch"):
            return await serve_watch(self._server, call, Selection(fields=f"metadata.name={call.target.name}"))
        obj = self._server.get(call.target.resource, call.namespace, call.target.name)
        return self._respond(call, obj)

    async def _create(self, call: Call) -> web.StreamResponse:
        obj = _object(await call.body(self._server.registry))
        answer = review(call.target.resource.kind, obj, call.caller.user)
        if answer is not None:
            return call.respond(answer, 201)
        return self._respond(call, self._server.create(call.target.resource, call.namespace, obj, call.caller), 201)

    async def _update(self, call: Call) -> web.StreamResponse:
        target = call.target
        obj = _object(await call.body(self._server.registry))
        done = self._server.update(target.resource, call.namespace, target.name, obj, call.caller, target.subresource)
        return self._respond(call, done)

    async def _patch(self, call: Call) -> web.StreamResponse:
        target = call.target
        patch, how = decode_patch(await call.request.read(), call.request.headers.get("Content-Type", ""))
        if how == "apply":
            return self._apply(call, _object(patch))
        done = self._server.patch(
            target.resource, call.namespace, target.name, patch, how, call.caller, target.subresource
        )
        return self._respond(call, done)

    def _apply(self, call: Call, wanted: Obj) -> web.StreamResponse:
        target = call.target
        manager = call.query.get("fieldManager", "")
        if not manager:
            raise bad_request(
                "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply"
            )
        try:
            self._server.get(target.resource, call.namespace, target.name)
            status = 200
        except NotFound:
            status = 201
        done = self._server.apply(
            target.resource,
            call.namespace,
            target.name,
            wanted,
            call.caller,
            manager=manager,
            force=flag(call.query, "force"),
            subresource=target.subresource,
        )
        return self._respond(call, done, status)

    async def _delete(self, call: Call) -> web.StreamResponse:
        target = call.target
        options, caller = await self._options(call)
        obj, gone = self._server.delete(target.resource, call.namespace, target.name, options, caller)
        if gone:
            return call.respond(success(target.resource.kind, target.name, obj["metadata"]["uid"]))
        return self._respond(call, obj)

    async def _delete_collection(self, call: Call) -> web.StreamResponse:
        resource = call.target.resource
        options, caller = await self._options(call)
        listing = self._server.list(resource, call.target.namespace, selection_of(call.query), page_of(call.query))
        for obj in listing.items:
            meta = obj["metadata"]
            try:
                self._server.delete(resource, meta.get("namespace", ""), meta["name"], options, caller)
            except NotFound:
                continue  # went with one before it
        return call.respond(call.presenter.many(listing.items, listing.metadata(), self._now_s()))

    async def _options(self, call: Call) -> tuple[DeleteOptions, Caller]:
        """What the query and the body, which may be empty, say of a delete."""
        content = await call.request.read()
        content_type = call.request.headers.get("Content-Type", "")
        registry = self._server.registry
        return _deletion(call, registry.types, decode(content, content_type, registry) if content else {})

    async def _scale(self, call: Call) -> web.StreamResponse:
        return call.respond(self._server.scale(call.target.resource, call.namespace, call.target.name))

    async def _log(self, call: Call) -> web.StreamResponse:
        pod = self._server.get(call.target.resource, call.namespace, call.target.name)
        return await serve_log(self._logs, pod, call.request, self._now_s())

    async def _evict(self, call: Call) -> web.StreamResponse:
        target = call.target
        body = _object(await call.body(self._server.registry))
        options, caller = _deletion(call, self._server.registry.types, body.get("deleteOptions") or {})
        obj, _ = self._server.delete(target.resource, call.namespace, target.name, options, caller)
        return call.respond(success(target.resource.kind, target.name, obj["metadata"]["uid"]), 201)

    async def _bind(self, call: Call) -> web.StreamResponse:
        target = call.target
        node = (_object(await call.body(self._server.registry)).get("target") or {}).get("name")
        if not isinstance(node, str) or not node:
            raise bad_request("target.name: Required value: the node for the pod")
        self._server.bind(call.namespace, target.name, node, call.caller)
        return call.respond(success(target.resource.kind, target.name, ""), 201)

    def _respond(self, call: Call, obj: Obj, status: int = 200) -> web.Response:
        if call.target.subresource == "scale":
            return call.respond(obj, status)
        return call.respond(call.presenter.one(obj, self._now_s()), status)

    def _now_s(self) -> float:
        return self._server.clock.wall()


def _deletion(call: Call, types: Types, body: Any) -> tuple[DeleteOptions, Caller]:
    """`body` are DeleteOptions, in which a dry run may be asked for too. Raises `Invalid`."""
    body = {} if body is None else body
    faults = faults_of(types.schema("DeleteOptions"), body, "DeleteOptions")
    if faults:
        raise bad_request(f"{faults[0].path}: {faults[0].message}")
    caller = replace(call.caller, dry_run=True) if is_dry_run(body.get("dryRun") or []) else call.caller
    return delete_options(call.query, body), caller


def _object(found: Any) -> Obj:
    if not isinstance(found, dict):
        raise bad_request("the body is no object")
    return found
