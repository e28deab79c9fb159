"""The cluster's settings that reconcilers need, kept as the ConfigMaps of the system namespace have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.resources.pod_settings import PodSettings
from controller.traffic.domains import Names
from swell.api.meta import Obj
from swell.config import autoscaler, defaults, deployment, domain, features, gc, network, observability
from swell.runtime import log
from swell.runtime.errors import SettingsError

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Config:
    """All of it."""

    pods: PodSettings = field(default_factory=PodSettings)
    names: Names = field(default_factory=Names)
    gc: gc.GcConfig = field(default_factory=gc.GcConfig)


def stock(system_namespace: str, cluster_domain: str) -> Config:
    """What holds without any ConfigMap."""
    return Config(
        pods=PodSettings(system_namespace=system_namespace),
        names=Names(domain=domain.DomainConfig(cluster_domain=cluster_domain)),
    )


def changed(config: Config, name: str, data: Mapping[str, str], cluster_domain: str) -> Config:
    """`config` with what the ConfigMap of that name says; the same if it is none of ours.

    Raises `SettingsError`.
    """
    read = _READERS.get(name)
    return config if read is None else read(config, data, cluster_domain)


def _pods(key: str, parse: Callable[[Mapping[str, str]], Any]) -> _Reader:
    return lambda config, data, _: replace(config, pods=replace(config.pods, **{key: parse(data)}))


def _domain(config: Config, data: Mapping[str, str], cluster_domain: str) -> Config:
    return replace(config, names=replace(config.names, domain=domain.parse(data, cluster_domain)))


def _network(config: Config, data: Mapping[str, str], _: str) -> Config:
    found = network.parse(data)
    return replace(
        config,
        names=replace(config.names, network=found),
        pods=replace(config.pods, system_internal_tls=found.system_internal_tls),
    )


_Reader = Callable[[Config, Mapping[str, str], str], Config]
_READERS: Final[dict[str, _Reader]] = {
    autoscaler.NAME: _pods("autoscaler", lambda data: autoscaler.parse(data).limits),
    defaults.NAME: _pods("defaults", defaults.parse),
    deployment.NAME: _pods("deployment", deployment.parse),
    domain.NAME: _domain,
    features.NAME: _pods("features", features.parse),
    gc.NAME: lambda config, data, _: replace(config, gc=gc.parse(data)),
    network.NAME: _network,
    observability.NAME: _pods("observability", observability.parse),
}


class ConfigMaps:
    """Follows the ConfigMaps; one that cannot be used is logged, and what it said before stays."""

    def __init__(self, system_namespace: str, cluster_domain: str, on_change: Callable[[], None]) -> None:
        self.config = stock(system_namespace, cluster_domain)
        self._cluster_domain = cluster_domain
        self._on_change = on_change

    def seen(self, old: Obj | None, new: Obj | None) -> None:
        """A handler for an informer of the system namespace's ConfigMaps."""
        obj = new if new is not None else old
        assert obj is not None
        name = obj["metadata"]["name"]
        data = (new or {}).get("data") or {}
        try:
            config = changed(self.config, name, data, self._cluster_domain)
        except SettingsError as exc:
            logger.error("a ConfigMap cannot be used, what it said before stays", error=str(exc))
            return
        if config != self.config:
            self.config = config
            self._on_change()
