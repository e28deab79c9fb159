"""Which groups, versions and kinds there are: plain and aggregated discovery, `/version`, and the way to OpenAPI."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from typing import Final

import orjson
from aiohttp import web

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.local.apiserver.calls import JSON_TYPE, json_response
from swell.local.apiserver.failures import no_such_resource
from swell.local.apiserver.registry import Registry
from swell.local.apiserver.resource import Resource

VERSION: Final = (1, 34, 2)
"""The version of Kubernetes whose behaviour clients may expect."""
AGGREGATED: Final = "APIGroupDiscoveryList"
_SERVED_VERSIONS: Final = ("v2", "v2beta1")
_READ_WRITE: Final = ("get", "patch", "update")
_SUBRESOURCE_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "status": _READ_WRITE,
    "scale": _READ_WRITE,
    "finalize": ("update",),
    "log": ("get",),
    "eviction": ("create",),
    "binding": ("create",),
}
_SUBRESOURCE_KINDS: Final[Mapping[str, Kind]] = {
    "scale": Kind("autoscaling", "v1", "Scale", "scales"),
    "eviction": Kind("policy", "v1", "Eviction", "evictions"),
    "binding": Kind("", "v1", "Binding", "bindings"),
}


class Discovery:
    """Answers about the registry as it is at the moment."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def version(self) -> Obj:
        major, minor, patch = VERSION
        return {
            "major": str(major),
            "minor": str(minor),
            "gitVersion": f"v{major}.{minor}.{patch}+swell",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": platform.python_implementation(),
            "platform": f"{platform.system().lower()}/{platform.machine()}",
        }

    def answer(self, request: web.BaseRequest) -> web.Response | None:
        """None if the path is about objects, and not about kinds."""
        parts = request.path.strip("/").split("/")
        if parts[0] == "openapi":
            # Only explain, apply and their like ask: what answers them is loaded when they do.
            from swell.local.apiserver.openapi import answer

            return answer(self._registry, parts[1:], request)
        if len(parts) == 1:
            return self._root(parts[0], request)
        if parts[0] == "api":
            return json_response(self._resources("", parts[1])) if len(parts) == 2 else None
        if len(parts) == 2:
            return json_response(self._group(parts[1]))
        return json_response(self._resources(parts[1], parts[2])) if len(parts) == 3 else None

    def _root(self, root: str, request: web.BaseRequest) -> web.Response:
        version = _aggregated_version(request.headers.get("Accept", ""))
        if version:
            return self._aggregated(root, version, request)
        if root == "api":
            return json_response({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        groups = [self._group(name) for name in self._group_names(root)]
        return json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    def _aggregated(self, root: str, version: str, request: web.BaseRequest) -> web.Response:
        found = {
            "kind": AGGREGATED,
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": [self._aggregated_group(name) for name in self._group_names(root)],
        }
        tag = f'"{hashlib.sha256(orjson.dumps(found)).hexdigest()}"'
        headers = {"ETag": tag, "Vary": "Accept"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        content_type = f"{JSON_TYPE};g=apidiscovery.k8s.io;v={version};as={AGGREGATED}"
        response = json_response(found, content_type=content_type)
        response.headers.update(headers)
        return response

    def _aggregated_group(self, name: str) -> Obj:
        versions = [
            {
                "version": version,
                "resources": [_aggregated_resource(each) for each in resources],
                "freshness": "Current",
            }
            for version, resources in self._registry.groups()[name].items()
        ]
        return {"metadata": {"name": name} if name else {}, "versions": versions}

    def _group_names(self, root: str) -> list[str]:
        names = self._registry.groups()
        return [name for name in names if (name == "") == (root == "api")]

    def _group(self, name: str) -> Obj:
        versions = self._registry.groups().get(name)
        if not versions or not name:
            raise no_such_resource()
        served = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
        return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": served, "preferredVersion": served[0]}

    def _resources(self, group: str, version: str) -> Obj:
        resources = self._registry.groups().get(group, {}).get(version)
        if resources is None:
            raise no_such_resource()
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [entry for resource in resources for entry in _plain_resources(resource)],
        }


def _aggregated_version(accept: str) -> str:
    """The first version of aggregated discovery that an Accept header names and we have; "" for plain."""
    for entry in accept.split(","):
        parts = [part.strip() for part in entry.split(";")]
        if f"as={AGGREGATED}" in parts:
            for version in _SERVED_VERSIONS:
                if f"v={version}" in parts:
                    return version
        elif parts == [JSON_TYPE]:
            return ""
    return ""


def _aggregated_resource(resource: Resource) -> Obj:
    found: Obj = {
        "resource": resource.kind.plural,
        "responseKind": _group_version_kind(resource.kind),
        "scope": "Namespaced" if resource.kind.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    found |= _names(resource)
    if resource.subresources:
        found["subresources"] = [
            {
                "subresource": name,
                "responseKind": _group_version_kind(_SUBRESOURCE_KINDS.get(name, resource.kind)),
                "verbs": list(_SUBRESOURCE_VERBS[name]),
            }
            for name in sorted(resource.subresources)
        ]
    return found


def _plain_resources(resource: Resource) -> Iterable[Obj]:
    kind = resource.kind
    common: Obj = {"namespaced": kind.namespaced}
    yield {
        "name": kind.plural,
        "singularName": resource.singular,
        "kind": kind.kind,
        "verbs": list(resource.verbs),
        **common,
        **_names(resource),
    }
    for name in sorted(resource.subresources):
        answers = _SUBRESOURCE_KINDS.get(name, kind)
        yield {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "group": answers.group,
            "version": answers.version,
            "kind": answers.kind,
            "verbs": list(_SUBRESOURCE_VERBS[name]),
            **common,
        }


def _names(resource: Resource) -> Obj:
    found: Obj = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    return {key: value for key, value in found.items() if value}


def _group_version_kind(kind: Kind) -> Obj:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}
