"""Bodies of the wrong shape, anywhere: the client hears what is wrong with them, and the server goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

WIDGETS = "/apis/test.swell.dev/v1/namespaces/default/widgets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
GOOD: dict[str, Any] = {
    WIDGETS: {"size": 1},
    DEPLOYMENTS: {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE},
}
WRONG: list[Any] = [None, 1, "x", [], [None], [1], {"a": 1}, {"containers": [1]}, {"containers": [None]}, {"name": 1}]
PATCHES = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)


def bodies(wrong: Any) -> Iterator[Any]:
    yield wrong
    yield {"metadata": wrong}
    yield {"metadata": {"name": "x", "labels": wrong, "ownerReferences": wrong, "finalizers": wrong}}
    yield {"metadata": {"name": "x"}, "spec": wrong}
    yield {"metadata": {"name": "x"}, "spec": {"template": {"spec": wrong}, "selector": wrong, "parts": wrong}}
    yield {"metadata": {"name": "x"}, "spec": {"versions": wrong, "names": wrong}, "status": wrong}


def patches(wrong: Any) -> Iterator[Any]:
    yield from bodies(wrong)
    yield [{"op": "replace", "path": "/metadata", "value": wrong}]
    yield {"spec": {"$setElementOrder/parts": wrong, "$retainKeys": wrong}, "$patch": wrong}


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
async def test_no_body_breaks_the_server(client: Any, wrong: Any) -> None:
    for path, spec in GOOD.items():
        made = await client.call("POST", path, json={"metadata": {"name": "good"}, "spec": spec})
        assert made[0] == 201
        for body in bodies(wrong):
            for method, where in (("POST", path), ("PUT", f"{path}/good"), ("DELETE", f"{path}/good")):
                status, told = await client.call(method, f"{where}?dryRun=All", json=body)
                assert status < 500, (method, body, told)
        for patch in patches(wrong):
            for kind in PATCHES:
                where = f"{path}/good?dryRun=All&fieldManager=me"
                headers = {"Content-Type": kind}
                status, told = await client.call("PATCH", where, data=json.dumps(patch), headers=headers)
                assert status < 500, (kind, patch, told)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": [1]},
        {"properties": {"a": 1}},
        {"items": 3},
        {"properties": {"a": {"pattern": "("}}},
        {"required": 1},
    ],
    ids=json.dumps,
)
async def test_a_definition_whose_schema_is_none_is_refused(client: Any, schema: Any) -> None:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "bads", "kind": "Bad"}
    spec = {"group": "test.swell.dev", "scope": "Namespaced", "names": names, "versions": [version]}
    body = {"metadata": {"name": "bads.test.swell.dev"}, "spec": spec}
    status, told = await client.call("POST", DEFINITIONS, json=body)
    assert (status, "openAPIV3Schema" in told["message"]) == (422, True), told
