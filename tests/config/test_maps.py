"""The other ConfigMaps: values, defaults and refusals (spec api 2)."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.settings import ApiSettings, Defaults, Features, Flag, SecurePodDefaults
from swell.config import admission, defaults, deployment, domain, features, network, observability
from swell.config.deployment import DeploymentConfig
from swell.config.network import NetworkConfig
from swell.config.observability import ObservabilityConfig
from swell.runtime.errors import SettingsError


@pytest.mark.parametrize(
    ("module", "stock"),
    [
        (defaults, Defaults()),
        (deployment, DeploymentConfig()),
        (features, Features()),
        (network, NetworkConfig()),
        (observability, ObservabilityConfig()),
    ],
)
def test_an_empty_map_gives_the_stock_values(module: Any, stock: object) -> None:
    assert module.parse({}) == stock
    assert module.parse({"_example": "text", "unknown": "x"}) == stock


@pytest.mark.parametrize(
    ("module", "key", "value", "allowed"),
    [
        (defaults, "revision-timeout-seconds", "700", "at most max-revision-timeout-seconds, which is 600"),
        (defaults, "revision-timeout-seconds", "5m", "a whole number"),
        (defaults, "revision-idle-timeout-seconds", "301", "0 (off) to revision-timeout-seconds, which is 300"),
        (defaults, "revision-response-start-timeout-seconds", "301", "0 (off) to revision-timeout-seconds"),
        (defaults, "container-concurrency", "1001", "0 to container-concurrency-max-limit, which is 1000"),
        (defaults, "container-concurrency-max-limit", "0", "1 to 2147483647"),
        (defaults, "revision-cpu-request", "lots", "a quantity such as 250m or 1.5Gi"),
        (defaults, "container-name-template", "{{.Nope}}", "the fields .Name, .GenerateName"),
        (deployment, "queue-sidecar-image", "", "the name of an image"),
        (deployment, "progress-deadline", "1500ms", "more than 0s, in whole seconds"),
        (deployment, "digest-resolution-timeout", "0s", "more than 0s"),
        (deployment, "queue-sidecar-memory-limit", "x", "a quantity"),
        (deployment, "default-affinity-type", "close", "prefer-spread-revision-over-nodes, none"),
        (deployment, "swell.announce-to", "nowhere", "host:port"),
        (deployment, "swell.announce-to", "h:0", "host:port"),
        (deployment, "queue-sidecar-tls-min-version", "1.1", "1.2, 1.3, or empty"),
        (observability, "logging.enable-request-log", "Enabled", "true or false"),
        (observability, "logging.request-log-template", "a\n {{.Request.Mthod}}", "line 2, column 2: no field"),
        (observability, "request-metrics-protocol", "grpc", "none, prometheus"),
        (network, "domain-template", "{{.Name}}/{{.Domain}}", "a host name without port and path"),
        (network, "domain-template", "{{.Nope}}", "the fields .Name"),
        (network, "tag-template", "{{.Namespace}}", "the fields .Name, .Tag"),
        (network, "http-protocol", "Sometimes", "Enabled, Redirected, Disabled"),
        (network, "rollout-duration", "-1", "0 or more (seconds)"),
        (network, "default-external-scheme", "ftp", "http, https"),
        (network, "mesh-compatibility-mode", "maybe", "auto, enabled, disabled"),
        (network, "swell.external-port", "70000", "1 to 65535"),
        (domain, "not a domain", "", "a domain such as example.com"),
        (domain, "example.com", "selector: [", "YAML"),
        (domain, "example.com", "selector: {a: 1}", "a map of strings"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_allowed(
    module: Any, key: str, value: str, allowed: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        module.parse({key: value})
    assert caught.value.key == f"{module.NAME}: {key}"
    assert allowed in caught.value.allowed
    assert str(caught.value).startswith(f"{module.NAME}: {key}=")


@pytest.mark.parametrize(
    ("module", "given", "want"),
    [
        (
            defaults,
            {
                "revision-timeout-seconds": "120",
                "revision-memory-limit": "1Gi",
                "revision-cpu-request": "50m",
                "enable-service-links": "Default",
                "container-name-template": "{{.Name}}",
                "swell.automount-service-account-token": "false",
            },
            {
                "revision_timeout_s": 120,
                "revision_response_start_timeout_s": 120,
                "requests": {"cpu": "50m"},
                "limits": {"memory": "1Gi"},
                "enable_service_links": None,
                "container_name_template": "{{.Name}}",
                "automount_token": False,
            },
        ),
        (
            deployment,
            {
                "registries-skipping-tag-resolving": "dev.local, my.registry",
                "progress-deadline": "2m",
                "queue-sidecar-cpu-request": "",
                "queue-sidecar-memory-limit": "64Mi",
                "swell.announce-to": "10.0.0.1:9090,[::1]:9090",
            },
            {
                "registries_skipping_tag_resolving": {"dev.local", "my.registry"},
                "progress_deadline_s": 120,
                "queue_sidecar_requests": {},
                "queue_sidecar_limits": {"memory": "64Mi"},
                "announce_to": ("10.0.0.1:9090", "[::1]:9090"),
            },
        ),
        (
            observability,
            {
                "logging.revision-url-template": "http://logs/${REVISION_UID}",
                "logging.enable-request-log": "true",
                "logging.request-log-template": "{{.Request.Method}}",
                "logging.enable-probe-request-log": "true",
                "request-metrics-protocol": "Prometheus",
                "tracing-protocol": "none",
            },
            {
                "revision_url_template": "http://logs/${REVISION_UID}",
                "enable_request_log": True,
                "request_log_template": "{{.Request.Method}}",
                "enable_probe_request_log": True,
                "request_metrics_protocol": "prometheus",
            },
        ),
        (network, {"http-protocol": "redirected"}, {"http_protocol": "Redirected"}),
        # Older spellings count where the newer are absent.
        (network, {"autoTLS": "Enabled"}, {"external_domain_tls": True}),
        (network, {"auto-tls": "enabled", "external-domain-tls": "Disabled"}, {"external_domain_tls": False}),
        (network, {"internal-encryption": "true"}, {"system_internal_tls": True}),
        (
            network,
            {"domainTemplate": "{{.Name}}.x", "domain-template": "{{.Name}}.y"},
            {"domain_template": "{{.Name}}.y"},
        ),
    ],
)
def test_what_a_map_says_is_what_counts(module: Any, given: dict[str, str], want: dict[str, object]) -> None:
    found = module.parse(given)
    assert {name: getattr(found, name) for name in want} == want


def test_features_whatever_the_case_and_what_is_no_state_is_ignored() -> None:
    found = features.parse(
        {
            "multi-container": "disabled",
            "kubernetes.podspec-affinity": "ALLOWED",
            "kubernetes.podspec-fieldref": "perhaps",
            "secure-pod-defaults": "allowrootbounded",
        }
    )
    assert found.flag("multi-container") is Flag.DISABLED
    assert found.permitted("kubernetes.podspec-affinity")
    assert not found.enabled("kubernetes.podspec-affinity")
    assert not found.permitted("kubernetes.podspec-fieldref")
    assert found.enabled("kubernetes.podspec-volumes-emptydir")
    assert found.secure_pod_defaults is SecurePodDefaults.ALLOW_ROOT_BOUNDED
    assert features.parse({"secure-pod-defaults": "Allowed"}).secure_pod_defaults is SecurePodDefaults.DISABLED


def test_the_domain_with_the_most_matching_labels_wins_and_ties_go_by_the_alphabet() -> None:
    found = domain.parse(
        {
            "example.com": "",
            "prod.example.com": "selector: {env: prod}",
            "b.example.com": "selector: {env: prod, team: b}",
            "a.example.com": "selector: {env: prod, team: b}",
        }
    )
    assert found.domain_for({}) == "example.com"
    assert found.domain_for({"env": "prod"}) == "prod.example.com"
    assert found.domain_for({"env": "prod", "team": "b"}) == "a.example.com"
    assert found.domain_for({"networking.knative.dev/visibility": "cluster-local"}) == "svc.cluster.local"


def test_without_a_default_domain_routes_are_local_to_the_cluster() -> None:
    empty = domain.parse({"_example": "x"})
    assert empty.domain_for({}) == "svc.cluster.local"
    assert empty.is_cluster_local(empty.domain_for({}))


def test_hosts_tags_and_urls() -> None:
    stock = NetworkConfig(external_port=8080)
    host = stock.host(stock.tag_name("hello", "v1"), "default", "localhost")
    assert host == "v1-hello.default.localhost"
    assert stock.url(host) == "http://v1-hello.default.localhost:8080"
    assert stock.url(host, scheme="https") == "https://v1-hello.default.localhost:8080"
    assert stock.url("hello.default.svc.cluster.local", cluster_local=True) == "http://hello.default.svc.cluster.local"
    assert NetworkConfig().url(host) == f"http://{host}"
    assert NetworkConfig(external_port=443).url(host, scheme="https") == f"https://{host}"
    assert stock.tag_name("hello", "") == "hello"


def test_admission_takes_its_settings_from_three_maps() -> None:
    assert admission.parse({}) == ApiSettings()
    found = admission.parse(
        {
            "config-defaults": {"revision-timeout-seconds": "60"},
            "config-autoscaler": {"max-scale-limit": "5", "max-scale": "5"},
            "config-features": {"multi-container": "Disabled"},
            "config-network": {"rollout-duration": "not looked at"},
        }
    )
    assert found.defaults.revision_timeout_s == 60
    assert found.autoscaler.max_scale_limit == 5
    assert not found.features.permitted("multi-container")
    with pytest.raises(SettingsError, match="config-defaults"):
        admission.parse({"config-defaults": {"container-concurrency": "-1"}})


def test_an_empty_template_is_refused_only_while_the_log_is_on() -> None:
    empty = {"logging.request-log-template": " "}
    assert observability.parse(empty) == ObservabilityConfig()
    with pytest.raises(SettingsError, match="a template, or no such key for the default one"):
        observability.parse(empty | {"logging.enable-request-log": "true"})
