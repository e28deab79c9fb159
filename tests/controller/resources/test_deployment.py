"""The Deployment of a revision: what its pods run, and when it is made anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controller.resources.deployment import make_deployment, renewed
from controller.resources.meta import deployment_name, short_hash
from controller.resources.pod_settings import PodSettings
from swell.api import labels
from swell.api.kinds import REVISION
from swell.api.meta import Obj
from swell.api.settings import AutoscalerLimits, Defaults, Features, Flag
from swell.config import deployment
from swell.config.deployment import DeploymentConfig
from swell.config.observability import ObservabilityConfig
from swell.kube.apply import difference
from swell.testing.serving import owned_by, pod_spec, revision, template
from swell.wire.observability import Observability, decode

SETTINGS = PodSettings(
    deployment=DeploymentConfig(queue_sidecar_image="queue", announce_to=("127.0.0.1:9090", "127.0.0.2:9090"))
)


def made(settings: PodSettings = SETTINGS, spec: Obj | None = None, **rest: Any) -> Obj:
    return make_deployment(revision(spec=spec, **rest), settings)


def containers(deployment: Obj) -> tuple[Obj, ...]:
    return tuple(deployment["spec"]["template"]["spec"]["containers"])


def variables(container: Obj) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_names_labels_and_annotations() -> None:
    noted = {
        labels.LAST_PINNED: "1",
        labels.NO_GC: "true",
        labels.ROUTING_STATE_MODIFIED: "x",
        labels.ROUTES: "svc",
        labels.MIN_SCALE: "1",
        labels.CREATOR: "alice",
    }
    found = made(annotations=noted, labels={labels.ROUTE: "svc", "team": "a"})
    meta = found["metadata"]
    assert meta["name"] == "svc-00001-deployment"
    assert meta["annotations"] == {labels.CREATOR: "alice"}
    assert meta["ownerReferences"] == [owned_by(REVISION, "svc-00001")]
    pods = {
        "team": "a",
        labels.CONFIGURATION: "svc",
        labels.CONFIGURATION_GENERATION: "1",
        labels.CONFIGURATION_UID: "uid-svc",
        labels.SERVICE: "svc",
        labels.SERVICE_UID: "uid-svc",
        labels.REVISION: "svc-00001",
        labels.REVISION_UID: "uid-svc-00001",
        labels.APP: "svc-00001",
    }
    assert meta["labels"] == {**pods, labels.DEPLOYMENT_HASH: meta["labels"][labels.DEPLOYMENT_HASH]}
    named = {labels.CREATOR: "alice", labels.KUBECTL_DEFAULT_CONTAINER: "user-container"}
    assert found["spec"]["template"]["metadata"] == {"labels": pods, "annotations": named}
    assert found["spec"]["selector"] == {"matchLabels": {labels.REVISION_UID: "uid-svc-00001"}}


def test_case_20b_a_long_name_is_shortened_by_its_hash() -> None:
    assert deployment_name("b" * 55) == "b" * 20 + "73979428bc0de15c39d14ae331b35295-deployment"


def test_case_22_scale_deadline_grace_and_an_h2c_port() -> None:
    spec = {**pod_spec(ports=[{"containerPort": 9000, "name": "h2c"}]), "timeoutSeconds": 45}
    found = made(spec=spec, annotations={labels.INITIAL_SCALE: "3", labels.PROGRESS_DEADLINE: "30s"})
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["progressDeadlineSeconds"] == 30
    quiet_s = PodSettings().deployment.drain_quiet_s
    assert found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 45 + quiet_s
    app, queue = containers(found)
    assert variables(app)["PORT"] == "9000"
    assert app["ports"] == [{"name": "user-port", "containerPort": 9000, "protocol": "TCP"}]
    assert {port["name"]: port["containerPort"] for port in queue["ports"]}["queue-port"] == 8013
    assert variables(queue)["QUEUE_SERVING_PORT"] == "8013"


@pytest.mark.parametrize(("timeout_s", "quiet_s", "grace_s"), [(600, 5.0, 605), (1, 0.2, 2), (0, 0.0, 300)])
def test_the_grace_covers_a_request_that_comes_at_the_end_of_the_quiet_time(
    timeout_s: int, quiet_s: float, grace_s: int
) -> None:
    settings = PodSettings(deployment=DeploymentConfig(drain_quiet_s=quiet_s))
    found = made(settings, spec={**pod_spec(), "timeoutSeconds": timeout_s})
    assert found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == grace_s


def test_stock_scale_and_strategy() -> None:
    spec = made(PodSettings(autoscaler=AutoscalerLimits(initial_scale=2)), annotations={labels.MIN_SCALE: "5"})["spec"]
    assert (spec["replicas"], spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"]) == (2, 600, 0)
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}


def test_what_the_app_finds() -> None:
    app = containers(made(spec={**pod_spec(env=[{"name": "TARGET", "value": "World"}]), "timeoutSeconds": 300}))[0]
    assert [(each["name"], each["value"]) for each in app["env"]] == [
        ("TARGET", "World"),
        ("PORT", "8080"),
        ("K_REVISION", "svc-00001"),
        ("K_CONFIGURATION", "svc"),
        ("K_SERVICE", "svc"),
    ]
    assert app["lifecycle"] == {"preStop": {"httpGet": {"port": 8022, "path": "/wait-for-drain"}}}
    assert app["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert "readinessProbe" not in app, "the queue-proxy runs it"


def test_the_queue_proxy_comes_last_and_knows_where_it_is() -> None:
    spec = {**template()["spec"], "containerConcurrency": 7, "idleTimeoutSeconds": 20}
    queue = containers(made(spec=spec))[-1]
    assert (queue["name"], queue["image"]) == ("queue-proxy", "queue")
    assert {port["name"]: port["containerPort"] for port in queue["ports"]} == {
        "http-autometric": 9090,
        "http-usermetric": 9091,
        "queue-port": 8012,
        "https-port": 8112,
    }
    assert queue["resources"] == {"requests": {"cpu": "25m"}}
    assert queue["readinessProbe"] == {
        "successThreshold": 1,
        "httpGet": {"port": 8012, "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}]},
    }
    assert queue["startupProbe"] == {
        "periodSeconds": 1,
        "failureThreshold": 86400,
        "httpGet": {"port": 8012, "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}]},
    }
    found = variables(queue)
    expected = {
        "SERVING_NAMESPACE": "ns",
        "SERVING_SERVICE": "svc",
        "SERVING_CONFIGURATION": "svc",
        "SERVING_REVISION": "svc-00001",
        "QUEUE_SERVING_PORT": "8012",
        "QUEUE_SERVING_TLS_PORT": "8112",
        "CONTAINER_CONCURRENCY": "7",
        "REVISION_TIMEOUT_SECONDS": "300",
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "0",
        "REVISION_IDLE_TIMEOUT_SECONDS": "20",
        "USER_PORT": "8080",
        "SYSTEM_NAMESPACE": "swell-system",
        "SWELL_ANNOUNCE_TO": "127.0.0.1:9090,127.0.0.2:9090",
        "ENABLE_HTTP_FULL_DUPLEX": "false",
        "QUEUE_PROXY_TLS_MIN_VERSION": "",
        "QUEUE_PROXY_TLS_CURVE_PREFERENCES": "",
    }
    assert decode(found["OBSERVABILITY_CONFIG"]) == Observability()
    assert {name: found[name] for name in expected} == expected
    fields = {name: value["fieldRef"]["fieldPath"] for name, value in found.items() if isinstance(value, dict)}
    assert fields == {
        "HOST_IP": "status.hostIP",
        "SERVING_POD": "metadata.name",
        "SERVING_POD_IP": "status.podIP",
        "SERVING_POD_UID": "metadata.uid",
    }


PROBES = [
    ({"tcpSocket": {"port": 0}}, {"tcpSocket": {"host": "127.0.0.1", "port": 8080}}, False),
    (
        {"httpGet": {"path": "/ok"}, "periodSeconds": 5},
        {
            "httpGet": {"host": "127.0.0.1", "path": "/ok", "port": 8080, "scheme": "HTTP"},
            "periodSeconds": 5,
            "timeoutSeconds": 1,
        },
        False,
    ),
    ({"httpGet": {"port": "user-port"}}, {"httpGet": {"host": "127.0.0.1", "port": 8080, "scheme": "HTTP"}}, False),
    ({"tcpSocket": {"port": 9999}}, {"tcpSocket": {"host": "127.0.0.1", "port": 9999}}, False),
    ({"grpc": {"service": "s"}}, {"grpc": {"port": 8080, "service": "s"}}, False),
    ({"exec": {"command": ["true"]}}, {"tcpSocket": {"host": "127.0.0.1", "port": 8080}}, True),
]


@pytest.mark.parametrize(("probe", "asked", "stays"), PROBES, ids=lambda value: str(value))
def test_readiness_is_the_queue_proxys_save_what_only_the_kubelet_can_run(probe: Obj, asked: Obj, stays: bool) -> None:
    app, queue = containers(made(spec=pod_spec(readinessProbe=probe)))
    assert json.loads(variables(queue)["SERVING_READINESS_PROBE"]) == asked
    assert app.get("readinessProbe") == (probe if stays else None)


def test_an_app_with_a_period_of_its_own_is_asked_at_that_pace_only() -> None:
    queue = containers(made(spec=pod_spec(readinessProbe={"tcpSocket": {}, "periodSeconds": 5})))[-1]
    assert queue["readinessProbe"]["periodSeconds"] == 5
    assert "startupProbe" not in queue


def test_without_a_probe_the_pod_is_ready_at_once() -> None:
    queue = containers(made(spec=pod_spec(readinessProbe=None)))[-1]
    assert variables(queue)["SERVING_READINESS_PROBE"] == ""
    assert "readinessProbe" not in queue


def test_liveness_and_startup_ask_the_app() -> None:
    container = {
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8012}},
        "startupProbe": {"tcpSocket": {"port": 0}},
    }
    app = containers(made(spec=pod_spec(**container)))[0]
    assert app["livenessProbe"]["httpGet"]["port"] == 8080
    assert app["startupProbe"]["tcpSocket"]["port"] == 8080


def test_a_sidecar_of_the_users_has_no_port_and_no_probes_of_the_apps() -> None:
    serving = {"name": "app", "image": "a", "ports": [{"containerPort": 8080}]}
    spec = {"containers": [{"name": "helper", "image": "h"}, serving]}
    found = made(spec=spec)
    helper = containers(found)[0]
    assert "PORT" not in variables(helper)
    assert variables(helper)["K_SERVICE"] == "svc"
    assert found["spec"]["template"]["metadata"]["annotations"][labels.KUBECTL_DEFAULT_CONTAINER] == "app"


def test_case_74_with_multi_container_probing_sidecars_are_probed_too() -> None:
    serving = {"name": "app", "ports": [{"containerPort": 8080}], "readinessProbe": {"exec": {"command": ["x"]}}}
    helpers = [
        {"name": "web", "readinessProbe": {"httpGet": {"port": 8081}, "periodSeconds": 5}},
        {"name": "shell", "readinessProbe": {"exec": {"command": ["y"]}}},
        {"name": "none"},
    ]
    features = Features({"multi-container-probing": Flag.ENABLED})
    *apps, queue = containers(made(PodSettings(features=features), {"containers": [serving, *helpers]}))
    assert json.loads(variables(queue)["SERVING_READINESS_PROBE"]) == [
        {"tcpSocket": {"host": "127.0.0.1", "port": 8080}},
        {
            "httpGet": {"host": "127.0.0.1", "port": 8081, "scheme": "HTTP"},
            "periodSeconds": 5,
            "timeoutSeconds": 1,
        },
    ]
    assert variables(queue)["ENABLE_MULTI_CONTAINER_PROBES"] == "true"
    assert [app["name"] for app in apps if "readinessProbe" in app] == ["app", "shell"], "what only the kubelet can run"
    silent = {"containers": [{"name": "app", "readinessProbe": None}]}
    assert variables(containers(made(PodSettings(features=features), silent))[-1])["SERVING_READINESS_PROBE"] == ""


def test_what_is_recorded_of_requests_and_how_tls_is_spoken_is_told_to_the_queue_proxy() -> None:
    settings = PodSettings(
        observability=ObservabilityConfig("", True, "{{.TraceID}}", True, "prometheus"),
        deployment=deployment.parse({"queue-sidecar-tls-cipher-suites": "TLS_X"}),
    )
    found = variables(containers(made(settings))[-1])
    assert decode(found["OBSERVABILITY_CONFIG"]) == Observability(True, "{{.TraceID}}", True, "prometheus")
    assert found["QUEUE_PROXY_TLS_CIPHER_SUITES"] == "TLS_X"


def test_with_internal_tls_certificates_are_mounted_where_there_are_any() -> None:
    volumes = [{"name": "data", "emptyDir": {}}]
    found = made(PodSettings(system_internal_tls=True), {**pod_spec(), "volumes": volumes})
    certificates = {"name": "server-certs", "secret": {"secretName": "serving-certs", "optional": True}}
    assert found["spec"]["template"]["spec"]["volumes"] == [*volumes, certificates]
    mount = {"name": "server-certs", "mountPath": "/var/lib/knative/certs", "readOnly": True}
    assert containers(found)[-1]["volumeMounts"] == [mount]
    assert "volumes" not in made()["spec"]["template"]["spec"]


def test_resources_of_the_queue_proxy_by_settings_then_by_annotation() -> None:
    features = Features({"queueproxy.resource-defaults": Flag.ENABLED})
    group = labels.QUEUE_SIDECAR_GROUP
    noted = {f"{group}/cpu-resource-limit": "2", f"{group}/memory-resource-request": "1Gi"}
    queue = containers(made(PodSettings(features=features), annotations=noted))[-1]
    assert queue["resources"] == {
        "requests": {"cpu": "25m", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "800Mi"},
    }


def test_pods_are_spread_unless_the_user_or_the_cluster_says_otherwise() -> None:
    def affinity(settings: PodSettings = SETTINGS, **spec: Any) -> Any:
        return made(settings, spec={**pod_spec(), **spec})["spec"]["template"]["spec"].get("affinity")

    assert "podAntiAffinity" in affinity()
    assert affinity(affinity={"nodeAffinity": {}}) == {"nodeAffinity": {}}
    assert affinity(PodSettings(deployment=DeploymentConfig(default_affinity_type="none"))) is None


def test_service_links_are_as_the_live_settings_say_unless_the_revision_says_so_itself() -> None:
    def links(value: bool | None, **spec: Any) -> Any:
        settings = PodSettings(defaults=Defaults(enable_service_links=value))
        return made(settings, spec={**pod_spec(), **spec})["spec"]["template"]["spec"].get("enableServiceLinks")

    assert (links(False), links(None), links(False, enableServiceLinks=True)) == (False, None, True)


def test_the_hash_is_fnv_1a_in_base_36() -> None:
    assert int(short_hash(b""), 36) == 0x811C9DC5
    assert int(short_hash(b"a"), 36) == 0xE40C292C


def test_the_same_revision_and_settings_need_no_second_write() -> None:
    assert renewed(made(), made()) is None


def test_a_new_version_keeps_replicas_selector_and_what_others_wrote() -> None:
    seen = made(annotations={"mine": "1"})
    seen["spec"] |= {"replicas": 9, "selector": {"matchLabels": {"old": "selector"}}}
    seen["metadata"]["labels"]["other/label"] = "theirs"
    seen["spec"]["template"]["metadata"]["annotations"]["restartedAt"] = "noon"
    seen["metadata"]["labels"]["serving.knative.dev/gone"] = "x"
    change = renewed(made(spec=pod_spec(image="hello:2")), seen)
    assert change is not None
    patch = difference(change, seen)
    assert patch["metadata"]["labels"].keys() == {labels.DEPLOYMENT_HASH, "serving.knative.dev/gone"}
    assert patch["metadata"]["labels"]["serving.knative.dev/gone"] is None
    assert patch["spec"].keys() == {"template"}
    assert patch["spec"]["template"]["spec"]["containers"][0]["image"] == "hello:2"
    assert "metadata" not in patch["spec"]["template"]
