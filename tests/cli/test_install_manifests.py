"""The manifests: complete, in step with the code, and the same for kustomize and for `swell install`."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from autoscaler.address import port_name, slice_name
from autoscaler.settings import AUTOSCALER_PORT
from swell.api import masks
from swell.api.buckets import BUCKETS_MAX, bucket_names
from swell.api.settings import Features
from swell.cli.installation import manifests
from swell.cli.installation.render import Options, render
from swell.config import autoscaler, defaults, deployment, domain, features, gc, leader_election, network
from swell.runtime.errors import SettingsError

Obj = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
PARSERS: dict[str, Callable[[Mapping[str, str]], object]] = {
    module.NAME: module.parse for module in (autoscaler, defaults, deployment, domain, gc, leader_election, network)
}
# Something else than the default for any key, or refused by it.
PROBES = ("§", "Enabled", "false", "1", "host:1")


def rendered(options: Options | None = None) -> list[Obj]:
    return render(manifests.base(), manifests.disruption_budgets(), options or Options())


def config_map(name: str) -> Obj:
    return next(obj for obj in rendered() if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == name)


def example(name: str) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(config_map(name)["data"]["_example"])
    return found


def outcome(name: str, data: dict[str, str]) -> object:
    try:
        return PARSERS[name](data)
    except SettingsError as error:
        return str(error)


@pytest.mark.parametrize("name", sorted(set(PARSERS) - {domain.NAME}))
def test_every_key_of_an_example_is_known_and_has_its_default(name: str) -> None:
    stock = PARSERS[name]({})
    assert PARSERS[name](example(name)) == stock
    for key, value in example(name).items():
        assert PARSERS[name]({key: value}) == stock
        assert any(outcome(name, {key: probe}) != stock for probe in PROBES), f"{key} is read by nobody"


@pytest.mark.parametrize(
    "module", [autoscaler, defaults, deployment, gc, leader_election, network], ids=lambda module: module.NAME
)
def test_every_key_that_is_read_is_in_the_example(module: ModuleType) -> None:
    source = inspect.getsource(module)
    spelt = set(re.findall(r'_(?!quantities)\w+\(\s*reader, "([^"]+)"', source))
    spelt |= set(re.findall(r'reader\.\w+\(\s*"([^"]+)"', source))
    spelt |= set(re.findall(r'^[A-Z_]+: Final = "(swell\.[^"]+)"', source, re.MULTILINE))
    assert spelt - set(example(module.NAME)) == set()


def test_every_feature_of_the_example_is_known_and_has_its_default() -> None:
    named = example(features.NAME)
    assert {key: Features().flag(key).value for key in named} == named
    gated = {f"kubernetes.podspec-{field.lower()}" for field in masks._GATED}
    assert gated | set(masks.VOLUME_FEATURES.values()) <= set(named)


def test_the_example_of_domains_can_be_used() -> None:
    found = domain.parse(example(domain.NAME))
    assert found.domain_for({}) == "example.com"
    assert found.domain_for({"team": "shop"}) == "example.org"


def test_what_the_maps_hold_can_be_used() -> None:
    for name, parse in PARSERS.items():
        parse(config_map(name)["data"])
    assert features.parse(config_map(features.NAME)["data"]) == Features()


def test_every_key_of_a_map_is_one_that_kubernetes_takes() -> None:
    for obj in rendered():
        if obj["kind"] == "ConfigMap":
            assert all(key.replace("-", "").replace("_", "").replace(".", "").isalnum() for key in obj["data"])


def test_the_version_on_every_object_is_that_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    objects = rendered(Options(replicas=2))
    assert {obj["metadata"]["labels"]["app.kubernetes.io/version"] for obj in objects} == {version}
    images = {
        container["image"]
        for obj in objects
        if obj["kind"] == "Deployment"
        for container in obj["spec"]["template"]["spec"]["containers"]
    }
    assert images == {f"swell.dev/swell:{version}", config_map(deployment.NAME)["data"]["queue-sidecar-image"]}


def test_every_program_is_bounded_probed_and_locked_down() -> None:
    for obj in rendered():
        if obj["kind"] != "Deployment":
            continue
        spec = obj["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}


def test_the_front_door_has_time_for_its_whole_drain() -> None:
    (door,) = (obj for obj in rendered() if obj["kind"] == "Deployment" and obj["metadata"]["name"] == "activator")
    spec = door["spec"]["template"]["spec"]
    env = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    drain_s = float(env["SWELL_SHUTDOWN_GRACE_S"]) + float(env["SWELL_DRAIN_DEADLINE_S"])
    assert spec["terminationGracePeriodSeconds"] > drain_s
    assert float(env["SWELL_DRAIN_DEADLINE_S"]) >= defaults.parse({}).max_revision_timeout_s


def test_the_front_door_may_only_read() -> None:
    (role,) = (
        obj for obj in rendered() if obj["kind"] == "ClusterRole" and obj["metadata"]["name"] == "swell-activator"
    )
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list", "watch"}


def test_the_autoscaler_may_own_every_bucket_and_has_a_port_for_each() -> None:
    found = {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered()}
    named = {name for rule in found["Role", "autoscaler"]["rules"] for name in rule.get("resourceNames", ())}
    for total in range(1, BUCKETS_MAX + 1):
        assert named >= {*bucket_names(total)}
    assert named >= {slice_name(bucket) for bucket in range(BUCKETS_MAX)}
    ports = [(port["name"], port["port"]) for port in found["Service", "autoscaler"]["spec"]["ports"]]
    assert ports == [(port_name(bucket), AUTOSCALER_PORT + bucket) for bucket in range(BUCKETS_MAX)]


def test_no_role_has_wildcards() -> None:
    for obj in rendered():
        for rule in obj.get("rules", ()) if obj["kind"] in ("Role", "ClusterRole") else ():
            assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])


@pytest.mark.parametrize(
    ("folder", "options"),
    [
        (".", Options()),
        ("overlays/node-port", Options(service_type="NodePort")),
        ("overlays/high-availability", Options(replicas=2)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_kustomize_makes_what_swell_install_writes(folder: str, options: Options) -> None:
    built = keyed(kustomize(manifests.folder() / folder))
    ours = keyed(rendered(options))
    ours["Namespace/swell-system"]["metadata"].pop("annotations", None)  # what was asked for is noted by us alone
    assert built == ours


def test_an_image_set_in_an_overlay_reaches_the_sidecar_too(tmp_path: Path) -> None:
    copy = shutil.copytree(manifests.folder(), tmp_path / "manifests")
    overlay = copy / "overlays" / "high-availability" / "kustomization.yaml"
    overlay.write_text(
        overlay.read_text() + "images:\n- name: swell.dev/swell\n  newName: r.example/s\n  newTag: '7'\n"
    )
    built = keyed(kustomize(overlay.parent))
    wanted = keyed(rendered(Options(replicas=2, image="r.example/s:7")))
    for key in ("ConfigMap/config-deployment", "Deployment/activator", "Deployment/controller"):
        assert built[key] == wanted[key]


def kustomize(folder: Path) -> list[Obj]:
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl")
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def keyed(objects: list[Obj]) -> dict[str, Obj]:
    return {f"{obj['kind']}/{obj['metadata']['name']}": obj for obj in objects}
