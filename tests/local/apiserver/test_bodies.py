"""Bodies and paths of requests."""

from __future__ import annotations

from typing import Any

import pytest

from swell.kube.errors import Invalid, KubeError, NotFound
from swell.local.apiserver.bodies import decode, decode_patch, duplicates
from swell.local.apiserver.targets import delete_options, flag, is_dry_run, number, target_of, validation_of


def test_json_and_yaml_and_nothing_else(api: Any) -> None:
    registry = api.server.registry
    assert decode(b'{"a":1}', "application/json; charset=utf-8", registry) == {"a": 1}
    assert decode(b'{"a":1}', "", registry) == {"a": 1}
    assert decode(b"a: [1]\nb: 2026-01-02\n", "application/yaml", registry) == {"a": [1], "b": "2026-01-02"}
    with pytest.raises(KubeError) as caught:
        decode(b"<a/>", "text/xml", registry)
    assert caught.value.status == 415


@pytest.mark.parametrize(("body", "kind"), [(b"{", "application/json"), (b"a: [", "application/yaml")])
def test_a_body_that_cannot_be_read_is_refused(api: Any, body: bytes, kind: str) -> None:
    with pytest.raises(Invalid, match="the body is not valid"):
        decode(body, kind, api.server.registry)


def test_fields_that_are_there_twice_are_found_by_path() -> None:
    body = b'{"a":1,"b":{"c":1,"c":2},"d":[{"e":1},{"e":1,"e":2,"e":3}],"a":2}'
    assert duplicates(body) == ["a", "b.c", "d[1].e"]
    assert duplicates(b'{"a":{"b":1},"c":{"b":1}}') == []


def test_patches_by_their_content_type() -> None:
    assert decode_patch(b"[]", "application/json-patch+json") == ([], "json")
    assert decode_patch(b"a: 1", "application/apply-patch+yaml") == ({"a": 1}, "apply")
    with pytest.raises(KubeError) as caught:
        decode_patch(b"{}", "application/json")
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("/api/v1/pods", ("pods", None, "", "")),
        ("/api/v1/namespaces", ("namespaces", None, "", "")),
        ("/api/v1/namespaces/team", ("namespaces", None, "team", "")),
        ("/api/v1/namespaces/team/status", ("namespaces", None, "team", "status")),
        ("/api/v1/namespaces/team/pods", ("pods", "team", "", "")),
        ("/api/v1/namespaces/team/pods/one/log", ("pods", "team", "one", "log")),
        ("/apis/apps/v1/namespaces/team/deployments/web/scale", ("deployments", "team", "web", "scale")),
        ("/api/v1/nodes/local", ("nodes", None, "local", "")),
    ],
)
def test_a_path_names_its_target(api: Any, path: str, want: tuple[Any, ...]) -> None:
    target = target_of(api.server.registry, path)
    assert (target.resource.kind.plural, target.namespace, target.name, target.subresource) == want


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/v1",
        "/api/v2/pods",
        "/api/v1/unknown",
        "/api/v1/pods/one",
        "/api/v1/namespaces/team/nodes",
        "/api/v1/namespaces/team/nodes/local",
        "/api/v1/namespaces/team/pods/one/what",
        "/api/v1/namespaces/team/pods/one/log/more",
        "/api/v1/namespaces/team/pods//log",
        "/apis/apps",
        "/apis//v1/x",
    ],
)
def test_a_path_to_nothing_is_not_found(api: Any, path: str) -> None:
    with pytest.raises(NotFound):
        target_of(api.server.registry, path)


def test_parameters_that_are_not_understood_are_refused() -> None:
    for wrong in (
        lambda: flag({"watch": "maybe"}, "watch"),
        lambda: number({"limit": "-1"}, "limit"),
        lambda: validation_of({"fieldValidation": "Loose"}),
        lambda: is_dry_run(["Some"]),
        lambda: delete_options({"propagationPolicy": "Later"}, {}),
    ):
        with pytest.raises(Invalid):
            wrong()


def test_options_of_a_delete_come_from_the_query_or_the_body() -> None:
    body = {"propagationPolicy": "Orphan", "gracePeriodSeconds": 0, "preconditions": {"uid": "u"}}
    found = delete_options({"propagationPolicy": "Foreground"}, body)
    assert (found.propagation, found.grace_s, found.uid) == ("Foreground", 0, "u")
    assert delete_options({}, {"orphanDependents": True}).propagation == "Orphan"
    assert delete_options({}, {}).propagation is None
