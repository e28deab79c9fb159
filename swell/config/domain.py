"""ConfigMap config-domain: which domain a route gets, by its labels (spec api 2.2, 6.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from swell.api.labels import VISIBILITY, VISIBILITY_CLUSTER_LOCAL
from swell.api.names import is_dns1123_subdomain
from swell.config.reading import Reader

NAME: Final = "config-domain"
CLUSTER_DOMAIN: Final = "cluster.local"


@dataclass(frozen=True, slots=True)
class DomainConfig:
    """Each domain with the labels that a route must have for it; {} is the default domain's selector."""

    selectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cluster_domain: str = CLUSTER_DOMAIN

    @property
    def local_domain(self) -> str:
        """The domain of what only the cluster may reach."""
        return f"svc.{self.cluster_domain}"

    def domain_for(self, labels: Mapping[str, str]) -> str:
        """The route's domain: the most specific selector that matches; ties go by the alphabet."""
        if labels.get(VISIBILITY) == VISIBILITY_CLUSTER_LOCAL:
            return self.local_domain
        matching = [
            (-len(selector), domain)
            for domain, selector in self.selectors.items()
            if all(labels.get(key) == value for key, value in selector.items())
        ]
        return min(matching)[1] if matching else self.local_domain

    def is_cluster_local(self, domain: str) -> bool:
        """Whether routes in this domain are hidden from outside."""
        return domain == self.local_domain


def parse(data: Mapping[str, str], cluster_domain: str = CLUSTER_DOMAIN) -> DomainConfig:
    """Read the map. Without a default domain, what matches nothing is cluster-local.

    Raises `SettingsError` for a key that is no domain or a value that is no selector.
    """
    reader = Reader(NAME, data)
    selectors = {}
    for domain in data:
        if domain == "_example":
            continue
        reader.check(is_dns1123_subdomain(domain), domain, "a domain such as example.com as the key")
        selectors[domain] = _selector(reader, domain)
    return DomainConfig(selectors, cluster_domain)


def _selector(reader: Reader, domain: str) -> dict[str, str]:
    text = reader.text(domain, "")
    if not text:
        return {}
    value = _yaml(reader, domain, text)
    selector = value.get("selector") or {}
    ok = isinstance(selector, dict) and all(
        isinstance(key, str) and isinstance(wanted, str) for key, wanted in selector.items()
    )
    reader.check(ok, domain, "nothing, or YAML with `selector:` and a map of strings below it")
    return dict(selector)


def _yaml(reader: Reader, domain: str, text: str) -> dict[str, Any]:
    import yaml  # most clusters have one domain and no selector: they do not pay for this

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        reader.refuse(domain, f"YAML ({exc})")
    if not isinstance(value, dict):
        reader.refuse(domain, "nothing, or YAML with `selector:` and a map of strings below it")
    return value
