"""Where a Route and its tags are reached (spec api 6.10). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from swell.api.serving import Route
from swell.api.specs import TrafficTarget
from swell.config.domain import DomainConfig
from swell.config.network import DOMAIN_TEMPLATE, NetworkConfig


@dataclass(frozen=True, slots=True)
class Names:
    """The cluster's rules for hosts and URLs."""

    domain: DomainConfig = field(default_factory=DomainConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)

    def url(self, route: Route, tag: str = "", *, hidden: bool = False) -> str:
        """The URL of the Route, or of one of its tags. `hidden` keeps it inside the cluster.

        Raises `TemplateError` if the configured templates make no host name.
        """
        domain = self.domain.local_domain if hidden else self.domain.domain_for(route.meta.labels)
        local = self.domain.is_cluster_local(domain)
        # What only the cluster may reach has the names that the cluster's DNS gives.
        rules = replace(self.network, domain_template=DOMAIN_TEMPLATE) if local else self.network
        name = rules.tag_name(route.meta.name, tag)
        host = rules.host(name, route.meta.namespace, domain, route.meta.labels, route.meta.annotations)
        return rules.url(host, cluster_local=local)

    def address(self, route: Route) -> str:
        """The URL inside the cluster, whoever else may reach the Route."""
        return f"http://{route.meta.name}.{route.meta.namespace}.{self.domain.local_domain}"

    def with_urls(self, route: Route, targets: Iterable[TrafficTarget]) -> tuple[TrafficTarget, ...]:
        """The targets, those with a tag with its URL. Raises `TemplateError`."""
        return tuple(
            replace(target, url=self.url(route, target.tag)) if target.tag else replace(target, url="")
            for target in targets
        )
