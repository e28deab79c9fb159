"""Writes to the embedded API server pass through admission: definitions, defaults, refusals, live settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from swell.api import labels
from swell.api.crds import definitions
from swell.api.kinds import CONFIG_MAP, CONFIGURATION, POD_AUTOSCALER, REVISION, ROUTE, SERVICE
from swell.kube.errors import Invalid, NotFound
from swell.local.admission import Admission
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.local.apiserver.writes import Caller
from swell.local.bootstrap import NAMESPACES, SYSTEM_NAMESPACE
from swell.testing.objects import configuration, revision, revision_template, route, service

Obj = dict[str, Any]
WEBHOOK = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: '
CONFIG_WEBHOOK = 'admission webhook "config.webhook.serving.knative.dev" denied the request: validation failed: '


@pytest.fixture
def admission() -> Admission:
    return Admission()


@pytest.fixture
def server(admission: Admission) -> Iterator[ApiServer]:
    store = open_store(":memory:")
    server = ApiServer(store, admit=admission)
    bootstrap(server, definitions(), [*NAMESPACES, "ns"])
    yield server
    store.close()


@pytest.fixture
def kube(server: ApiServer) -> StoreClient:
    return StoreClient(server, "alice")


def autoscaler() -> Obj:
    return {
        "apiVersion": POD_AUTOSCALER.api_version,
        "kind": POD_AUTOSCALER.kind,
        "metadata": {"name": "rev", "namespace": "ns"},
        "spec": {
            "containerConcurrency": 0,
            "protocolType": "http1",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rev-deployment"},
        },
    }


async def test_every_kind_is_stored_with_its_defaults_and_takes_a_status(kube: StoreClient) -> None:
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    for kind, obj in (
        (SERVICE, service()),
        (CONFIGURATION, configuration()),
        (REVISION, revision()),
        (ROUTE, route(traffic=[{"percent": 100, "configurationName": "cfg"}])),
        (POD_AUTOSCALER, autoscaler()),
    ):
        made = await kube.create(kind, obj)
        status: Obj = {"observedGeneration": 1, "conditions": conditions}
        if kind == POD_AUTOSCALER:
            status |= {"serviceName": "", "metricsServiceName": "", "desiredScale": 0, "actualScale": 0}
        new = await kube.update(kind, {**made, "status": status}, subresource="status")
        assert new["status"] == status, kind
        assert new["spec"] == made["spec"]
        assert new["metadata"]["generation"] == 1
    assert made["metadata"]["annotations"][labels.METRIC] == "concurrency"


def test_a_warning_reaches_the_writer_of_what_is_accepted(server: ApiServer) -> None:
    warnings: list[str] = []
    server.create(server.registry.of(SERVICE), "ns", service(), Caller(warn=warnings.append))
    assert len(warnings) == 1
    assert "spec.template.spec.containers[0].securityContext.runAsNonRoot" in warnings[0]


async def test_what_is_not_valid_names_the_field_and_creates_nothing(kube: StoreClient) -> None:
    bad = service(template=revision_template(containerConcurrency=-1))
    with pytest.raises(Invalid) as caught:
        await kube.create(SERVICE, bad)
    assert caught.value.status == 400
    assert str(caught.value) == f"{WEBHOOK}expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency"
    with pytest.raises(NotFound):
        await kube.get(SERVICE, "ns", "svc")


def test_a_misspelt_field_is_named(server: ApiServer) -> None:
    resource = server.registry.of(SERVICE)
    for container, field in (
        ({"image": "app", "imagee": "app"}, "containers[0].imagee"),
        ({"image": "app", "env": [{"name": "A", "vaule": "1"}]}, "containers[0].env[0].vaule"),
        ({"image": "app", "ports": [{"containerPort": 80, "hostPort": 80}]}, "containers[0].ports[0].hostPort"),
    ):
        with pytest.raises(Invalid) as caught:
            server.create(resource, "ns", service(template=revision_template(container)), Caller(validation="Strict"))
        assert f'unknown field "spec.template.spec.{field}"' in str(caught.value)


async def test_a_field_of_the_wrong_type_and_one_that_is_missing_are_named(kube: StoreClient) -> None:
    typed = service(template=revision_template(timeoutSeconds="5m"))
    with pytest.raises(Invalid, match=r"spec\.template\.spec\.timeoutSeconds in body must be of type integer"):
        await kube.create(SERVICE, typed)
    number = service(template=revision_template(annotations={labels.MIN_SCALE: 1}))  # type: ignore[dict-item]
    with pytest.raises(Invalid, match=r"autoscaling\.knative\.dev/min-scale in body must be of type string"):
        await kube.create(SERVICE, number)
    empty = service()
    empty["spec"]["template"]["spec"] = {}
    with pytest.raises(Invalid, match=r"spec\.template\.spec\.containers: Required value"):
        await kube.create(SERVICE, empty)


async def test_fields_behind_a_feature_are_kept_whole_once_it_is_on(kube: StoreClient, admission: Admission) -> None:
    affinity = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    template = revision_template(affinity=affinity)
    with pytest.raises(Invalid, match=r"must not set the field\(s\): spec\.template\.spec\.affinity"):
        await kube.create(SERVICE, service(template=template))
    admission.update("config-features", {"kubernetes.podspec-affinity": "enabled"})
    made = await kube.create(SERVICE, service(template=template))
    assert made["spec"]["template"]["spec"]["affinity"] == affinity


async def test_case_15_through_the_server(kube: StoreClient, server: ApiServer) -> None:
    bob = StoreClient(server, "bob")
    await kube.create(SERVICE, service())
    labelled = await bob.patch(SERVICE, "ns", "svc", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["annotations"][labels.LAST_MODIFIER] == "alice"
    assert labelled["metadata"]["generation"] == 1
    template = {"metadata": {"annotations": {labels.TARGET: "5"}}}
    changed = await bob.patch(SERVICE, "ns", "svc", {"spec": {"template": template}})
    assert changed["metadata"]["annotations"][labels.LAST_MODIFIER] == "bob"
    assert changed["metadata"]["generation"] == 2
    with pytest.raises(Invalid, match="annotation value is immutable"):
        await bob.patch(SERVICE, "ns", "svc", {"metadata": {"annotations": {labels.CREATOR: "bob"}}})


async def test_case_16_through_the_server(kube: StoreClient) -> None:
    made = await kube.create(REVISION, revision())
    container = {**made["spec"]["containers"][0], "image": "app:2"}
    with pytest.raises(Invalid, match=r"Immutable fields changed \(-old \+new\): spec"):
        await kube.patch(REVISION, "ns", "rev", {"spec": {"containers": [container]}})
    await kube.patch(REVISION, "ns", "rev", {"metadata": {"labels": {labels.ROUTING_STATE: "active"}}})


async def test_a_name_that_the_server_makes_up(kube: StoreClient) -> None:
    made = await kube.create(SERVICE, service("", generateName="svc-"))
    assert made["metadata"]["name"].startswith("svc-")
    named = service("", generateName="svc-", template=revision_template(name="svc-v1"))
    with pytest.raises(Invalid, match=r"must not set the field\(s\): spec\.template\.metadata\.name"):
        await kube.create(SERVICE, named)


async def test_writing_the_same_again_writes_nothing(kube: StoreClient) -> None:
    made = await kube.create(SERVICE, service())
    again = await kube.patch(SERVICE, "ns", "svc", {"spec": service()["spec"]})
    # A merge patch replaces lists: the container lost its defaults, and got them back.
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def config_map(name: str, namespace: str = SYSTEM_NAMESPACE, **data: str) -> Obj:
    values = {key.replace("_", "-"): value for key, value in data.items()}
    return {"metadata": {"name": name, "namespace": namespace}, "data": values}


@pytest.mark.parametrize(
    ("name", "key", "value", "allowed"),
    [
        ("config-autoscaler", "stable_window", "1s", "6s to 1h, in whole seconds"),
        ("config-defaults", "container_concurrency", "-1", "0 to container-concurrency-max-limit, which is 1000"),
        ("config-deployment", "progress_deadline", "0s", "more than 0s, in whole seconds"),
        ("config-network", "http_protocol", "Never", "Enabled, Redirected, Disabled"),
    ],
)
async def test_a_config_map_with_a_bad_value_is_refused_with_key_value_and_what_is_allowed(
    kube: StoreClient, name: str, key: str, value: str, allowed: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await kube.create(CONFIG_MAP, config_map(name, **{key: value}))
    shown = key.replace("_", "-")
    assert str(caught.value) == f"{CONFIG_WEBHOOK}{name}: {shown}='{value}' is not usable: {allowed}"
    await kube.create(CONFIG_MAP, config_map(name))
    with pytest.raises(Invalid, match=allowed[:10]):
        await kube.patch(CONFIG_MAP, SYSTEM_NAMESPACE, name, {"data": {shown: value}})


async def test_other_config_maps_are_nobodys_business(kube: StoreClient) -> None:
    await kube.create(CONFIG_MAP, config_map("config-autoscaler", "ns", stable_window="1s"))
    await kube.create(CONFIG_MAP, config_map("mine", stable_window="1s"))


async def test_settings_follow_the_config_maps(kube: StoreClient, admission: Admission) -> None:
    seen = await kube.create(CONFIG_MAP, config_map("config-defaults", revision_timeout_seconds="60"))
    admission.on_config_map(None, seen)
    made = await kube.create(SERVICE, service("first"))
    assert made["spec"]["template"]["spec"]["timeoutSeconds"] == 60
    admission.on_config_map(seen, None)
    made = await kube.create(SERVICE, service("second"))
    assert made["spec"]["template"]["spec"]["timeoutSeconds"] == 300


def test_a_map_that_cannot_be_used_leaves_the_settings_before_it(caplog: pytest.LogCaptureFixture) -> None:
    admission = Admission({"config-defaults": {"revision-timeout-seconds": "60"}})
    admission.update("config-defaults", {"revision-timeout-seconds": "5m"})
    admission.update("config-features", {"multi-container": "disabled"})
    assert admission.settings.defaults.revision_timeout_s == 60
    assert not admission.settings.features.permitted("multi-container")
    assert "the settings before it stay" in caplog.text


def test_maps_of_other_names_and_namespaces_do_not_count() -> None:
    admission = Admission()
    before = admission.settings
    admission.on_config_map(None, config_map("config-defaults", "ns", revision_timeout_seconds="60"))
    admission.on_config_map(None, config_map("mine", revision_timeout_seconds="60"))
    admission.on_config_map(None, None)
    assert admission.settings == before
