"""What a container finds in its environment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP, SECRET
from swell.local.images import Image
from swell.local.kubelet.attempts import http_get_of
from swell.local.kubelet.command import command_of, inherited_from
from swell.local.kubelet.environment import ConfigError, declared, expand, sources_of, with_real_ports
from swell.local.kubelet.podspec import (
    QUEUE_PROXY_IMAGE,
    PodFacts,
    address_of,
    app_ports,
    hook_of,
    own_ports,
    port_variable,
)

FACTS = PodFacts("default", "web-1", "u-1", "127.5.0.1", "local", {8080: 20001})
POD: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"a/b": "note"}},
    "spec": {"containers": [], "serviceAccountName": "robot"},
}
SOURCES = {
    (CONFIG_MAP, "words"): {"data": {"word": "warm", "other": "cold"}},
    (SECRET, "keys"): {"data": {"key": "aHVzaA=="}},
    (CONFIG_MAP, "gone"): None,
}


def _field(path: str) -> dict[str, Any]:
    return {"fieldRef": {"fieldPath": path}}


VALUES = [
    ({"value": "plain"}, "plain"),
    ({}, ""),
    ({"value": "$(FIRST)-$(NONE)-$$(FIRST)"}, "one-$(NONE)-$(FIRST)"),
    ({"valueFrom": _field("metadata.name")}, "web-1"),
    ({"valueFrom": _field("metadata.namespace")}, "default"),
    ({"valueFrom": _field("metadata.uid")}, "u-1"),
    ({"valueFrom": _field("metadata.labels['app']")}, "web"),
    ({"valueFrom": _field("metadata.annotations['a/b']")}, "note"),
    ({"valueFrom": _field("metadata.labels['none']")}, ""),
    ({"valueFrom": _field("status.podIP")}, "127.5.0.1"),
    ({"valueFrom": _field("status.hostIP")}, "127.0.0.1"),
    ({"valueFrom": _field("spec.nodeName")}, "local"),
    ({"valueFrom": _field("spec.serviceAccountName")}, "robot"),
    ({"valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}}}, "warm"),
    ({"valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}}, "hush"),
    ({"valueFrom": {"configMapKeyRef": {"name": "gone", "key": "x", "optional": True}}}, None),
]


@pytest.mark.parametrize(("variable", "value"), VALUES)
def test_values_and_where_they_come_from(variable: dict[str, Any], value: str | None) -> None:
    container = {"env": [{"name": "FIRST", "value": "one"}, {"name": "X", **variable}]}
    assert declared(container, POD, FACTS, SOURCES).get("X") == value


WRONG = [
    ({"configMapKeyRef": {"name": "gone", "key": "x"}}, "configmap 'gone' not found"),
    ({"configMapKeyRef": {"name": "words", "key": "x"}}, "couldn't find key x in configmap 'words'"),
    ({"fieldRef": {"fieldPath": "status.phase"}}, "fieldRef 'status.phase' is not supported; there are: metadata.name"),
    ({"resourceFieldRef": {"resource": "limits.cpu"}}, "env X: valueFrom.resourceFieldRef is not supported"),
]


@pytest.mark.parametrize(("origin", "message"), WRONG)
def test_what_cannot_be_resolved_says_why(origin: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        declared({"env": [{"name": "X", "valueFrom": origin}]}, POD, FACTS, SOURCES)
    assert message in str(raised.value)


def test_whole_maps_come_with_a_prefix_and_single_variables_win() -> None:
    container = {
        "envFrom": [
            {"prefix": "C_", "configMapRef": {"name": "words"}},
            {"secretRef": {"name": "keys"}},
            {"configMapRef": {"name": "gone", "optional": True}},
        ],
        "env": [{"name": "key", "value": "mine"}],
    }
    assert sources_of(container) == [(CONFIG_MAP, "words"), (SECRET, "keys"), (CONFIG_MAP, "gone")]
    assert declared(container, POD, FACTS, SOURCES) == {"C_word": "warm", "C_other": "cold", "key": "mine"}
    with pytest.raises(ConfigError, match="configmap 'gone' not found"):
        declared({"envFrom": [{"configMapRef": {"name": "gone"}}]}, POD, FACTS, SOURCES)


def test_ports_become_the_real_ones_wherever_they_are_told() -> None:
    probe = [{"tcpSocket": {"port": 8080}}, {"httpGet": {"port": "8080", "path": "/8080"}}, {"grpc": {"port": 9000}}]
    env = {"USER_PORT": "8080", "OTHER": "8080", "SERVING_READINESS_PROBE": json.dumps(probe)}
    changed = with_real_ports(env, FACTS.ports, None)
    assert (changed["USER_PORT"], changed["OTHER"], "PORT" in changed) == ("20001", "8080", False)
    assert json.loads(changed["SERVING_READINESS_PROBE"]) == [
        {"tcpSocket": {"port": 20001}},
        {"httpGet": {"port": "20001", "path": "/8080"}},
        {"grpc": {"port": 9000}},
    ]
    assert with_real_ports({}, FACTS.ports, 8080) == {"PORT": "20001"}
    assert with_real_ports({"PORT": "3000"}, FACTS.ports, 8080) == {"PORT": "3000"}
    assert with_real_ports({"SERVING_READINESS_PROBE": "{"}, FACTS.ports, None) == {"SERVING_READINESS_PROBE": "{"}


def test_which_ports_a_pod_needs() -> None:
    app = {"name": "app", "image": "a", "ports": [{"name": "user-port", "containerPort": 3000}]}
    bare = {"name": "bare", "image": "b"}
    proxy = {"name": "queue-proxy", "image": QUEUE_PROXY_IMAGE, "ports": [{"name": "q", "containerPort": 8012}]}
    assert app_ports({"containers": [bare, app, proxy]}) == [3000]
    assert app_ports({"containers": [bare, proxy]}) == [8080]
    assert own_ports({"containers": [app, proxy]}) == [8012]
    assert port_variable(bare, {"containers": [bare, app]}) is None
    assert port_variable(bare, {"containers": [bare, proxy]}) == 8080
    facts = PodFacts("d", "n", "u", "127.5.0.1", "local", {3000: 20001})
    assert address_of(app, facts, "user-port") == ("127.0.0.1", 20001)
    assert address_of(app, facts, 4000) == ("127.0.0.1", 4000)
    assert address_of(proxy, facts, "q") == ("127.5.0.1", 8012)
    with pytest.raises(ValueError, match="container 'app' has no port named 'none'"):
        address_of(app, facts, "none")


@pytest.mark.parametrize(
    ("port", "host", "address"),
    [
        (8022, "", ("127.5.0.1", 8022)),
        (3000, "", ("127.0.0.1", 20001)),
        ("user-port", "", ("127.0.0.1", 20001)),
        (8022, "127.0.0.1", ("127.0.0.1", 8022)),
    ],
)
def test_a_hook_reaches_the_queue_proxy_at_the_pods_address(
    port: int | str, host: str, address: tuple[str, int]
) -> None:
    app = {"name": "app", "image": "a", "ports": [{"name": "user-port", "containerPort": 3000}]}
    facts = PodFacts("d", "n", "u", "127.5.0.1", "local", {3000: 20001})
    get = {"port": port, "path": "/wait-for-drain", **({"host": host} if host else {})}
    assert http_get_of(hook_of({"httpGet": get}, facts)["httpGet"], app, facts).address == address


def test_a_hook_that_is_a_command_is_tried_as_it_is() -> None:
    hook = {"exec": {"command": ["true"]}}
    assert hook_of(hook, PodFacts("d", "n", "u", "127.5.0.1", "local", {})) == hook


def test_command_and_args_as_with_container_images(tmp_path: Any) -> None:
    image = Image("web", str(tmp_path), "serve --fast")
    pod = {**POD, "spec": {"containers": [{"name": "c", "image": "web"}]}}

    def argv(**container: Any) -> tuple[str, ...]:
        found = command_of({"name": "c", "image": "web", **container}, pod, FACTS, {}, image, {})
        assert found.cwd.rstrip("/") == str(tmp_path)
        return found.argv

    assert argv() == ("serve", "--fast")
    assert argv(args=["--port", "$(PORT)"]) == ("serve", "--fast", "--port", "20001")
    assert argv(command=["other"], args=["x"]) == ("other", "x")
    image = Image("web", str(tmp_path), "serve $FLAGS")
    assert argv(args=["a b"]) == ("/bin/sh", "-c", 'exec serve $FLAGS "$@"', "sh", "a b")


def test_processes_inherit_little() -> None:
    found = inherited_from({"PATH": "/bin", "HOME": "/h", "AWS_SECRET_ACCESS_KEY": "x", "http_proxy": "y"})
    assert found.keys() == {"PATH", "HOME"}
    assert found["PATH"].startswith("/bin:")


def test_expansion_leaves_what_it_does_not_know() -> None:
    assert expand("$(A) $A ${A} $$ $(", {"A": "1"}) == "1 $A ${A} $ $("
