"""The cluster's settings that the pods of revisions depend on."""

from __future__ import annotations

from dataclasses import dataclass, field

from swell.api.settings import AutoscalerLimits, Defaults, Features
from swell.config.deployment import DeploymentConfig
from swell.config.observability import ObservabilityConfig


@dataclass(frozen=True, slots=True)
class PodSettings:
    """The cluster's settings that pods depend on."""

    deployment: DeploymentConfig = field(default_factory=DeploymentConfig)
    defaults: Defaults = field(default_factory=Defaults)
    features: Features = field(default_factory=Features)
    autoscaler: AutoscalerLimits = field(default_factory=AutoscalerLimits)
    observability: ObservabilityConfig = field(default_factory=ObservabilityConfig)
    system_internal_tls: bool = False
    system_namespace: str = "swell-system"
