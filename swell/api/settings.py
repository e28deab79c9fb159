"""The cluster's settings as far as defaulting and validation need them; defaults are the stock ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from swell.api.labels import CLASS_KPA


class Flag(Enum):
    """State of a feature. Most features that run something new ask for ENABLED; masks ask for not DISABLED."""

    ENABLED = "Enabled"
    ALLOWED = "Allowed"
    DISABLED = "Disabled"


class SecurePodDefaults(Enum):
    """How far unset security fields are filled with the restricted values."""

    DISABLED = "Disabled"
    ALLOW_ROOT_BOUNDED = "AllowRootBounded"
    ENABLED = "Enabled"


@dataclass(frozen=True, slots=True)
class Defaults:
    """ConfigMap config-defaults (spec api 2.2). Durations are whole seconds; 0 turns a timeout off.

    `requests` and `limits` hold a quantity per resource name. `enable_service_links` None leaves it unset.
    Without `automount_token` (our own key) pods get no token for the API unless their revision asks for one.
    """

    revision_timeout_s: int = 300
    max_revision_timeout_s: int = 600
    revision_response_start_timeout_s: int = 300
    revision_idle_timeout_s: int = 0
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    container_name_template: str = "user-container"
    init_container_name_template: str = "init-container"
    container_concurrency: int = 0
    container_concurrency_max: int = 1000
    allow_container_concurrency_zero: bool = True
    enable_service_links: bool | None = False
    automount_token: bool = True


@dataclass(frozen=True, slots=True)
class AutoscalerLimits:
    """What admission needs of ConfigMap config-autoscaler. `max_scale_limit` 0 means no limit.

    `metrics_allowed_hosts` are entries of `swell.api.allowed_hosts`; `policies` are names.
    """

    pod_autoscaler_class: str = CLASS_KPA
    initial_scale: int = 1
    allow_zero_initial_scale: bool = False
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0
    metrics_allowed_hosts: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


_ENABLED_BY_DEFAULT = ("multi-container", "kubernetes.podspec-volumes-emptydir")


@dataclass(frozen=True, slots=True)
class Features:
    """ConfigMap config-features (spec api 2.1): the flags that were set, by key."""

    flags: Mapping[str, Flag] = field(default_factory=dict)
    secure_pod_defaults: SecurePodDefaults = SecurePodDefaults.DISABLED

    def flag(self, key: str) -> Flag:
        """The state of one flag, stock unless set."""
        stock = Flag.ENABLED if key in _ENABLED_BY_DEFAULT else Flag.DISABLED
        return self.flags.get(key, stock)

    def enabled(self, key: str) -> bool:
        """Exactly Enabled; Allowed does not count."""
        return self.flag(key) is Flag.ENABLED

    def permitted(self, key: str) -> bool:
        """Enabled or Allowed."""
        return self.flag(key) is not Flag.DISABLED


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """All that `admit` needs of the cluster's ConfigMaps."""

    defaults: Defaults = field(default_factory=Defaults)
    autoscaler: AutoscalerLimits = field(default_factory=AutoscalerLimits)
    features: Features = field(default_factory=Features)
