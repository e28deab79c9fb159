"""ConfigMap config-network (spec api 2.2), and our own key for the port that users see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swell.api.naming_template import TemplateError, render
from swell.config.reading import Reader

NAME: Final = "config-network"
EXTERNAL_PORT: Final = "swell.external-port"
DOMAIN_TEMPLATE: Final = "{{.Name}}.{{.Namespace}}.{{.Domain}}"
TAG_TEMPLATE: Final = "{{.Tag}}-{{.Name}}"
MESH_MODES: Final = ("auto", "enabled", "disabled")
HTTP_PROTOCOLS: Final = ("Enabled", "Redirected", "Disabled")

_IMPLIED_PORTS: Final = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """How hosts and URLs are made, and what is done about TLS.

    `external_port` is where users reach the gateway; URLs show it unless the scheme implies it.
    """

    ingress_class: str = "swell.ingress.networking.knative.dev"
    certificate_class: str = "cert-manager.certificate.networking.knative.dev"
    domain_template: str = DOMAIN_TEMPLATE
    tag_template: str = TAG_TEMPLATE
    external_domain_tls: bool = False
    cluster_local_domain_tls: bool = False
    system_internal_tls: bool = False
    http_protocol: str = "Enabled"
    rollout_duration_s: int = 0
    autocreate_cluster_domain_claims: bool = False
    namespace_wildcard_cert_selector: str = ""
    default_external_scheme: str = "http"
    mesh_compatibility_mode: str = "auto"
    enable_mesh_pod_addressability: bool = False
    external_port: int = 80

    def host(
        self,
        name: str,
        namespace: str,
        domain: str,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """The host of a route or tag. Raises `TemplateError` if the result is no host name."""
        host = render(
            self.domain_template,
            {
                "Name": name,
                "Namespace": namespace,
                "Domain": domain,
                "Labels": labels or {},
                "Annotations": annotations or {},
            },
        )
        if not _HOST.fullmatch(host) or len(host) > 253:
            raise TemplateError(f"a host name without port and path; domain-template gives {host!r}")
        return host

    def tag_name(self, name: str, tag: str) -> str:
        """The name that stands for a route's tag; without a tag, the route's own."""
        return render(self.tag_template, {"Name": name, "Tag": tag}) if tag else name

    def url(self, host: str, *, scheme: str = "", cluster_local: bool = False) -> str:
        """The URL of a host. A cluster-local one has http and no port: the cluster's own port is 80."""
        if cluster_local:
            return f"{scheme or 'http'}://{host}"
        scheme = scheme or self.default_external_scheme
        port = "" if self.external_port == _IMPLIED_PORTS.get(scheme) else f":{self.external_port}"
        return f"{scheme}://{host}{port}"


def parse(data: Mapping[str, str]) -> NetworkConfig:
    """Read the map; unknown keys are ignored. Raises `SettingsError` at the first bad value."""
    reader = Reader(NAME, _kebab(data))
    stock = NetworkConfig()
    config = NetworkConfig(
        ingress_class=reader.text("ingress-class", stock.ingress_class),
        certificate_class=reader.text("certificate-class", stock.certificate_class),
        domain_template=reader.text("domain-template", stock.domain_template),
        tag_template=reader.text("tag-template", stock.tag_template),
        external_domain_tls=_enabled(reader, "external-domain-tls", "auto-tls"),
        cluster_local_domain_tls=_enabled(reader, "cluster-local-domain-tls"),
        system_internal_tls=_enabled(reader, "system-internal-tls", "internal-encryption"),
        http_protocol=reader.choice("http-protocol", stock.http_protocol, HTTP_PROTOCOLS),
        rollout_duration_s=reader.integer("rollout-duration", 0),
        autocreate_cluster_domain_claims=reader.flag("autocreate-cluster-domain-claims", False),
        namespace_wildcard_cert_selector=reader.text("namespace-wildcard-cert-selector", ""),
        default_external_scheme=reader.text("default-external-scheme", stock.default_external_scheme),
        mesh_compatibility_mode=reader.choice("mesh-compatibility-mode", "auto", MESH_MODES),
        enable_mesh_pod_addressability=reader.flag("enable-mesh-pod-addressability", False),
        external_port=reader.integer(EXTERNAL_PORT, stock.external_port),
    )
    _check(reader, config)
    return config


def _check(reader: Reader, config: NetworkConfig) -> None:
    reader.check(config.rollout_duration_s >= 0, "rollout-duration", "0 or more (seconds)")
    reader.check(config.default_external_scheme in _IMPLIED_PORTS, "default-external-scheme", "http, https")
    reader.check(0 < config.external_port < 65536, EXTERNAL_PORT, "a port: 1 to 65535")
    try:
        config.host("name", "namespace", "example.com", {}, {})
    except TemplateError as exc:
        reader.refuse("domain-template", str(exc), config.domain_template)
    try:
        config.tag_name("name", "tag")
    except TemplateError as exc:
        reader.refuse("tag-template", str(exc), config.tag_template)


def _enabled(reader: Reader, key: str, *older: str) -> bool:
    """A switch with older names: the newest that is present counts. `true` is the oldest way to say Enabled."""
    found = next((name for name in (key, *older) if name in reader.data), None)
    return found is not None and reader.text(found, "").lower() in ("enabled", "true")


def _kebab(data: Mapping[str, str]) -> dict[str, str]:
    """Keys in kebab case: a camelCase spelling counts where the kebab one is absent."""
    spelt = {re.sub(r"[A-Z]+", lambda match: "-" + match[0].lower(), key): value for key, value in data.items()}
    return {**spelt, **{key: value for key, value in data.items() if key == key.lower()}}
