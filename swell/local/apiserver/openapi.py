"""OpenAPI v3 of what is served: schemas for `explain`, and what PATCH takes, for `apply`. Pure but for the answer."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson
from aiohttp import web

from swell.api.meta import Obj
from swell.local.apiserver.bodies import PATCH_TYPES
from swell.local.apiserver.calls import json_response
from swell.local.apiserver.failures import no_such_resource
from swell.local.apiserver.registry import Registry
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.types import REFERENCE

# Counts up when documents change for another reason than what they are made from: clients keep them by hash.
EDITION: Final = 1
GVK: Final = "x-kubernetes-group-version-kind"
_QUERY: Final = ("dryRun", "fieldManager", "fieldValidation")
_META: Final = "ObjectMeta"


def answer(registry: Registry, parts: list[str], request: web.BaseRequest) -> web.Response:
    """What is at /openapi/`parts`; raises `NotFound`."""
    if parts == ["v3"]:
        return json_response(index(registry))
    if parts[:1] != ["v3"]:
        # v2 is for clients from before v3; those that can do both go on without it.
        raise no_such_resource()
    resources = _group_versions(registry).get("/".join(parts[1:]))
    if resources is None:
        raise no_such_resource()
    response = json_response(document(registry, resources))
    tag = _hash(registry, resources)
    response.headers["ETag"] = f'"{tag}"'
    if request.query.get("hash") == tag:
        response.headers["Cache-Control"] = "public, immutable"
    return response


def index(registry: Registry) -> Obj:
    """The documents that there are, each under an address that changes with its content."""
    return {
        "paths": {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={_hash(registry, resources)}"}
            for path, resources in _group_versions(registry).items()
        }
    }


def document(registry: Registry, resources: list[Resource]) -> Obj:
    """The OpenAPI document of one group and version."""
    schemas: dict[str, Obj] = {}
    paths: dict[str, Obj] = {}
    names = {_META}
    for resource in resources:
        if resource.definition is not None:
            schemas[_custom_name(resource)] = _custom_schema(resource)
        else:
            names.add(resource.kind.kind)
        paths |= _paths(resource)
    for name in names:
        for part in registry.types.closure(name):
            schemas.setdefault(part, registry.types.component(part))
    for resource in resources:
        schema = schemas[_schema_name(resource)]
        kind = resource.kind
        schema[GVK] = [{"group": kind.group, "version": kind.version, "kind": kind.kind}]
        if resource.definition is None:
            _add_type_fields(schema)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.34"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _group_versions(registry: Registry) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for resource in registry.all():
        kind = resource.kind
        path = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        found.setdefault(path, []).append(resource)
    return found


def _hash(registry: Registry, resources: list[Resource]) -> str:
    made_from: list[Any] = [EDITION, registry.types.digest]
    made_from += [[str(resource.kind), sorted(resource.subresources), resource.definition] for resource in resources]
    return hashlib.sha256(orjson.dumps(made_from)).hexdigest()


def _schema_name(resource: Resource) -> str:
    return resource.kind.kind if resource.definition is None else _custom_name(resource)


def _custom_name(resource: Resource) -> str:
    """Such as `dev.knative.serving.v1.Service`: as the reference names them."""
    return ".".join([*reversed(resource.kind.group.split(".")), resource.kind.version, resource.kind.kind])


def _custom_schema(resource: Resource) -> Obj:
    assert resource.definition is not None
    raw: Obj = resource.definition["schema"]["openAPIV3Schema"]
    schema = {**raw, "type": "object", "properties": dict(raw.get("properties") or {})}
    _add_type_fields(schema)
    schema["properties"]["metadata"] = {"allOf": [{"$ref": f"{REFERENCE}{_META}"}]}
    return schema


def _add_type_fields(schema: Obj) -> None:
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": "The version of the schema that this object follows."},
        "kind": {"type": "string", "description": "The kind of this object."},
        **schema["properties"],
    }


def _paths(resource: Resource) -> dict[str, Obj]:
    kind = resource.kind
    namespace = "{namespace}" if kind.namespaced else None
    body = {"$ref": f"{REFERENCE}{_schema_name(resource)}"}
    kinds = {"group": kind.group, "version": kind.version, "kind": kind.kind}

    def operation(action: str, **more: Any) -> Obj:
        answers = {"200": {"description": "OK", "content": {"application/json": {"schema": body}}}}
        return {
            "x-kubernetes-action": action,
            GVK: kinds,
            "parameters": _parameters(action),
            "responses": answers,
        } | more

    found: dict[str, Obj] = {}
    if "create" in resource.verbs:
        found[kind.path(namespace)] = {"post": operation("post", requestBody=_body("application/json", schema=body))}
    if "patch" in resource.verbs:
        patches = [each for each in PATCH_TYPES if not (resource.custom and "strategic" in each)]
        found[kind.path(namespace, "{name}")] = {
            "get": operation("get"),
            "put": operation("put", requestBody=_body("application/json", schema=body)),
            "patch": operation("patch", requestBody=_body(*patches, schema={"type": "object"})),
            "delete": operation("delete"),
        }
    return found


def _body(*content_types: str, schema: Obj) -> Obj:
    return {"required": True, "content": {each: {"schema": schema} for each in content_types}}


def _parameters(action: str) -> list[Obj]:
    names = {"get": (), "delete": ("dryRun", "gracePeriodSeconds", "propagationPolicy")}.get(action, _QUERY)
    found = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in names]
    if action == "patch":
        found.append({"name": "force", "in": "query", "schema": {"type": "boolean", "uniqueItems": True}})
    return found
