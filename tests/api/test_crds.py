"""The definitions of our kinds: as committed, as Kubernetes asks of them, as the specification lists them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from swell.api import masks
from swell.api.crds import DEFINITIONS, FOLDER, definitions, file_name, to_yaml, write
from swell.api.settings import Defaults, Features, Flag

Obj = dict[str, Any]


def schema_of(plural: str) -> Obj:
    definition = next(each for each in definitions() if each["spec"]["names"]["plural"] == plural)
    found: Obj = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def nodes(schema: Obj, path: str = "") -> Iterator[tuple[str, Obj]]:
    """Every schema below this one, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def test_the_committed_files_are_the_generated_ones() -> None:
    wanted = {file_name(definition): to_yaml(definition) for definition in definitions()}
    found = {path.name: path.read_text() for path in FOLDER.glob("*.yaml")}
    assert found == wanted, "run `make crds`"


def test_the_files_hold_the_definitions() -> None:
    for definition in definitions():
        assert yaml.safe_load(to_yaml(definition)) == definition


def test_writing_removes_the_file_of_a_kind_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "metric.yaml").write_text("old")
    written = write(tmp_path)
    assert [path.name for path in written] == sorted(map(file_name, definitions()))
    assert written == sorted(tmp_path.iterdir())
    assert [path.read_text() for path in written] == [(FOLDER / path.name).read_text() for path in written]


@pytest.mark.parametrize(
    ("name", "short", "ducks", "columns"),
    [
        (
            "services.serving.knative.dev",
            ["kservice", "ksvc"],
            {"addressable", "podspecable"},
            ["URL", "LatestCreated", "LatestReady", "Ready", "Reason"],
        ),
        (
            "configurations.serving.knative.dev",
            ["config", "cfg"],
            {"podspecable"},
            ["LatestCreated", "LatestReady", "Ready", "Reason"],
        ),
        (
            "revisions.serving.knative.dev",
            ["rev"],
            set(),
            ["Config Name", "Generation", "Ready", "Reason", "Actual Replicas", "Desired Replicas"],
        ),
        ("routes.serving.knative.dev", ["rt"], {"addressable"}, ["URL", "Ready", "Reason"]),
        (
            "podautoscalers.autoscaling.internal.knative.dev",
            ["kpa", "pa"],
            set(),
            ["DesiredScale", "ActualScale", "Ready", "Reason"],
        ),
    ],
)
def test_names_ducks_and_columns(name: str, short: list[str], ducks: set[str], columns: list[str]) -> None:
    definition = next(each for each in definitions() if each["metadata"]["name"] == name)
    version = definition["spec"]["versions"][0]
    assert definition["spec"]["names"]["shortNames"] == short
    assert [column["name"] for column in version["additionalPrinterColumns"]] == columns
    labels = definition["metadata"]["labels"]
    assert labels["knative.dev/crd-install"] == "true"
    assert {key.partition("/")[2] for key in labels if key.startswith("duck.knative.dev/")} == ducks
    assert version["subresources"] == {"status": {}}
    internal = "internal" in definition["spec"]["group"]
    categories = ["knative-internal", "autoscaling"] if internal else ["all", "knative", "serving"]
    assert definition["spec"]["names"]["categories"] == categories


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind.kind)
def test_schemas_are_structural(definition: Any) -> None:
    for path, node in nodes(definition.schema()):
        integer_or_string = node.get("x-kubernetes-int-or-string", False)
        assert ("type" in node) is not integer_or_string, path
        if node.get("type") == "array":
            assert "items" in node, path
        if "properties" in node or "additionalProperties" in node:
            assert node["type"] == "object", path
            assert not ("properties" in node and "additionalProperties" in node), path
        for name in node.get("required", ()):
            assert name in node["properties"], f"{path}.{name}"
        for key in node.get("x-kubernetes-list-map-keys", ()):
            item = node["items"]
            assert key in item.get("required", ()) or "default" in item["properties"][key], path


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind.kind)
def test_every_field_is_described(definition: Any) -> None:
    bare = [path for path, node in nodes(definition.schema()) if not node.get("description")]
    assert [path for path in bare if not path.endswith("[]") and path != ".metadata"] == []


def test_unknown_fields_are_kept_only_where_a_feature_decides_or_metadata_is_the_users() -> None:
    schema = schema_of("services")["properties"]["spec"]
    opened = {path for path, node in nodes(schema) if node.get("x-kubernetes-preserve-unknown-fields")}
    pod = ".template.spec"
    assert opened == {
        ".template.metadata",
        *(f"{pod}.{name}" for name in ("affinity", "dnsConfig")),
        *(f"{pod}.{name}[]" for name in ("hostAliases", "initContainers", "tolerations", "topologySpreadConstraints")),
        *(f"{pod}.containers[].env[].valueFrom.{name}" for name in ("fieldRef", "resourceFieldRef")),
        *(f"{pod}.volumes[].{name}" for name in masks.VOLUME_FEATURES),
        f"{pod}.volumes[].projected.sources[].downwardAPI.items[].resourceFieldRef",
    }


def test_the_schema_has_the_fields_that_the_masks_can_let_through() -> None:
    pod = schema_of("services")["properties"]["spec"]["properties"]["template"]["properties"]["spec"]["properties"]
    gated = ("multi-container", "kubernetes.podspec-init-containers", "kubernetes.podspec-securitycontext")
    names = {f"kubernetes.podspec-{key.lower()}" for key in pod} | set(gated)
    everything = Features(dict.fromkeys(names, Flag.ENABLED))
    assert masks.pod_mask({"automountServiceAccountToken": False}, everything, Defaults()) == pod.keys()
    container = pod["containers"]["items"]["properties"]
    assert container.keys() == masks.CONTAINER
    assert container["ports"]["items"]["properties"].keys() == masks.CONTAINER_PORT
    assert container["env"]["items"]["properties"].keys() == masks.ENV_VAR
    assert container["envFrom"]["items"]["properties"].keys() == masks.ENV_FROM
    assert container["resources"]["properties"].keys() == masks.RESOURCES
    # The grace of a probe passes the mask, but the API server never shows it (spec api 1.5).
    probe = container["livenessProbe"]["properties"].keys()
    assert masks.PROBE - {"terminationGracePeriodSeconds"} == probe
    security = container["securityContext"]["properties"]
    assert masks.security_mask({"privileged": False}) == security.keys()
    assert masks.capabilities_mask({}, Features({"kubernetes.containerspec-addcapabilities": Flag.ENABLED})) == (
        security["capabilities"]["properties"].keys()
    )


def test_defaults_and_list_types_of_the_schema() -> None:
    pod = schema_of("revisions")["properties"]["spec"]["properties"]
    container = pod["containers"]["items"]["properties"]
    assert container["ports"]["items"]["properties"]["protocol"]["default"] == "TCP"
    assert container["livenessProbe"]["properties"]["grpc"]["properties"]["service"]["default"] == ""
    keys = {
        name: (container.get(name) or pod[name]).get("x-kubernetes-list-map-keys")
        for name in ("env", "volumeMounts", "volumes", "imagePullSecrets", "ports")
    }
    assert keys == {
        "env": ["name"],
        "volumeMounts": ["mountPath"],
        "volumes": ["name"],
        "imagePullSecrets": ["name"],
        "ports": None,
    }
    assert {container[name]["x-kubernetes-list-type"] for name in ("command", "args", "envFrom")} == {"atomic"}
    assert schema_of("revisions")["properties"]["spec"]["required"] == ["containers"]
