"""The queue-proxy's container (spec api 6.5, dataplane 3.1 and 3.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller.resources.pod_settings import PodSettings
from controller.resources.probes import for_queue_proxy, of_queue_proxy
from swell.api import labels
from swell.api.kinds import CONFIGURATION
from swell.api.meta import Obj, controller_of
from swell.api.podspec import PROTOCOL_H2C
from swell.api.serving import Revision, protocol, serving_container, user_port
from swell.api.settings import Features, Flag
from swell.config.deployment import RESOURCES, DeploymentConfig
from swell.config.observability import ObservabilityConfig
from swell.wire.observability import Observability, encode

NAME: Final = "queue-proxy"
HTTP1_PORT: Final = 8012
H2C_PORT: Final = 8013
ADMIN_PORT: Final = 8022
METRICS_PORT: Final = 9090
USER_METRICS_PORT: Final = 9091
TLS_PORT: Final = 8112

CERTIFICATES_PATH: Final = "/var/lib/knative/certs"
# Optional: without the Secret pods serve plain HTTP, rather than not at all.
CERTIFICATES_VOLUME: Final[Obj] = {
    "name": "server-certs",
    "secret": {"secretName": "serving-certs", "optional": True},
}
_SECURITY: Final[Obj] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# What `queueproxy.resource-defaults` adds where config-deployment says nothing.
_MORE_REQUESTS: Final = {"memory": "400Mi"}
_MORE_LIMITS: Final = {"cpu": "1000m", "memory": "800Mi"}


def queue_port(revision: Revision) -> int:
    """Where the queue-proxy takes requests: HTTP/1.1 and h2c have a port each."""
    return H2C_PORT if protocol(revision.spec.pod_spec) == PROTOCOL_H2C else HTTP1_PORT


def make_queue_container(revision: Revision, settings: PodSettings) -> Obj:
    """The sidecar of every pod of the revision."""
    config, features = settings.deployment, settings.features
    port = queue_port(revision)
    found: Obj = {
        "name": NAME,
        "image": config.queue_sidecar_image,
        # The image holds all of our programs.
        "args": ["activator.queueproxy"],
        "ports": [
            {"name": "http-autometric", "containerPort": METRICS_PORT, "protocol": "TCP"},
            {"name": "http-usermetric", "containerPort": USER_METRICS_PORT, "protocol": "TCP"},
            {"name": "queue-port", "containerPort": port, "protocol": "TCP"},
            {"name": "https-port", "containerPort": TLS_PORT, "protocol": "TCP"},
        ],
        "env": [*_identity(revision), *_settings(revision, port, features), *_cluster(settings)],
        "resources": _resources(revision, config, features),
        "securityContext": dict(_SECURITY),
    }
    if settings.system_internal_tls:
        mount = {"name": CERTIFICATES_VOLUME["name"], "mountPath": CERTIFICATES_PATH, "readOnly": True}
        found["volumeMounts"] = [mount]
    return {**found, **of_queue_proxy(serving_container(revision.spec.pod_spec).get("readinessProbe"), port)}


def _identity(revision: Revision) -> list[Obj]:
    meta = revision.meta
    return [
        _value("SERVING_NAMESPACE", meta.namespace),
        _value("SERVING_SERVICE", meta.labels.get(labels.SERVICE, "")),
        _value("SERVING_CONFIGURATION", configuration_name(revision)),
        _value("SERVING_REVISION", meta.name),
        _field("SERVING_POD", "metadata.name"),
        _field("SERVING_POD_IP", "status.podIP"),
        _field("SERVING_POD_UID", "metadata.uid"),
        _field("HOST_IP", "status.hostIP"),
    ]


def _settings(revision: Revision, port: int, features: Features) -> list[Obj]:
    spec = revision.spec
    app = user_port(spec.pod_spec)
    duplex = revision.meta.annotations.get(labels.HTTP_FULL_DUPLEX, "").lower() == "enabled"
    return [
        _value("QUEUE_SERVING_PORT", str(port)),
        _value("QUEUE_SERVING_TLS_PORT", str(TLS_PORT)),
        _value("CONTAINER_CONCURRENCY", str(spec.container_concurrency or 0)),
        _value("REVISION_TIMEOUT_SECONDS", str(spec.timeout_s or 0)),
        _value("REVISION_RESPONSE_START_TIMEOUT_SECONDS", str(spec.response_start_timeout_s or 0)),
        _value("REVISION_IDLE_TIMEOUT_SECONDS", str(spec.idle_timeout_s or 0)),
        _value("USER_PORT", str(app)),
        _value("SERVING_READINESS_PROBE", for_queue_proxy(spec.pod_spec, app, features)),
        _value("ENABLE_HTTP2_AUTO_DETECTION", _flag(features, "autodetect-http2")),
        _value("ENABLE_HTTP_FULL_DUPLEX", "true" if duplex else "false"),
        _value("ENABLE_MULTI_CONTAINER_PROBES", _flag(features, "multi-container-probing")),
    ]


def _cluster(settings: PodSettings) -> list[Obj]:
    config = settings.deployment
    return [
        _value("SERVING_LOGGING_CONFIG", ""),
        _value("SERVING_LOGGING_LEVEL", ""),
        _value("SYSTEM_NAMESPACE", settings.system_namespace),
        _value("OBSERVABILITY_CONFIG", _observability(settings.observability)),
        _value("ROOT_CA", config.queue_sidecar_rootca),
        *(
            _value(f"QUEUE_PROXY_TLS_{name.upper().replace('-', '_')}", value)
            for name, value in config.queue_sidecar_tls.items()
        ),
        _value("SWELL_ANNOUNCE_TO", ",".join(config.announce_to)),
        _value("SWELL_DRAIN_QUIET_S", f"{config.drain_quiet_s:g}"),
    ]


def _observability(config: ObservabilityConfig) -> str:
    return encode(
        Observability(
            config.enable_request_log,
            config.request_log_template,
            config.enable_probe_request_log,
            config.request_metrics_protocol,
        )
    )


def configuration_name(revision: Revision) -> str:
    """The Configuration that made the revision; "" if something else did."""
    owner = controller_of({"metadata": {"ownerReferences": revision.meta.owner_references}})
    return str(owner["name"]) if owner and owner.get("kind") == CONFIGURATION.kind else ""


def _resources(revision: Revision, config: DeploymentConfig, features: Features) -> Obj:
    """From config-deployment, then from the revision's own annotations, which win."""
    stock = features.flag("queueproxy.resource-defaults") is Flag.ENABLED
    sides = {
        "requests": {**(_MORE_REQUESTS if stock else {}), **config.queue_sidecar_requests},
        "limits": {**(_MORE_LIMITS if stock else {}), **config.queue_sidecar_limits},
    }
    annotations = revision.meta.annotations
    for side, quantities in sides.items():
        quantities |= _annotated(annotations, side.removesuffix("s"))
    return {side: quantities for side, quantities in sides.items() if quantities}


def _annotated(annotations: Mapping[str, str], side: str) -> dict[str, str]:
    keys = {resource: f"{labels.QUEUE_SIDECAR_GROUP}/{resource}-resource-{side}" for resource in RESOURCES}
    return {resource: annotations[key] for resource, key in keys.items() if annotations.get(key)}


def _flag(features: Features, key: str) -> str:
    return "true" if features.enabled(key) else "false"


def _value(name: str, value: str) -> Obj:
    return {"name": name, "value": value}


def _field(name: str, path: str) -> Obj:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
