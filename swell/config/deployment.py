"""ConfigMap config-deployment (spec api 2.2), and our own keys: where pods announce themselves, how long they drain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from swell.api.numbers import is_quantity
from swell.config.reading import Reader

NAME: Final = "config-deployment"
ANNOUNCE_TO: Final = "swell.announce-to"
DRAIN_QUIET: Final = "swell.drain-quiet-period"
AFFINITIES: Final = ("prefer-spread-revision-over-nodes", "none")
RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
TLS_OPTIONS: Final = ("min-version", "max-version", "cipher-suites", "curve-preferences")
TLS_VERSIONS: Final = ("", "1.2", "1.3")

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DeploymentConfig:
    """How a revision's pods are made. `_s` are seconds.

    `queue_sidecar_tls` has what the `TLS_OPTIONS` are set to.
    `announce_to` are the activators' admin addresses, as host:port, that a pod tells when it can serve.
    A pod that is to go serves on until no request has come for `drain_quiet_s`. Only front doors send it any, and they
    see it go when Kubernetes does: this need not outlast load balancers, as the reference's 30 s do.
    """

    queue_sidecar_image: str = "swell.local/queue-proxy"
    registries_skipping_tag_resolving: frozenset[str] = frozenset(("kind.local", "ko.local", "dev.local"))
    digest_resolution_timeout_s: float = 10.0
    progress_deadline_s: int = 600
    queue_sidecar_requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "25m"})
    queue_sidecar_limits: Mapping[str, str] = field(default_factory=dict)
    queue_sidecar_token_audiences: tuple[str, ...] = ()
    queue_sidecar_rootca: str = ""
    queue_sidecar_tls: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(TLS_OPTIONS, ""))
    default_affinity_type: str = AFFINITIES[0]
    pod_is_always_schedulable: bool = False
    announce_to: tuple[str, ...] = ("activator-pods.swell-system.svc.cluster.local.:9090",)
    drain_quiet_s: float = 5.0


def parse(data: Mapping[str, str]) -> DeploymentConfig:
    """Read the map; unknown keys are ignored. Raises `SettingsError` at the first bad value."""
    reader = Reader(NAME, data)
    stock = DeploymentConfig()
    config = DeploymentConfig(
        queue_sidecar_image=reader.text("queue-sidecar-image", stock.queue_sidecar_image),
        registries_skipping_tag_resolving=_registries(reader, stock),
        digest_resolution_timeout_s=reader.duration_s("digest-resolution-timeout", 10.0),
        progress_deadline_s=_progress_deadline_s(reader, stock.progress_deadline_s),
        queue_sidecar_requests=_quantities(reader, "request", stock.queue_sidecar_requests),
        queue_sidecar_limits=_quantities(reader, "limit", {}),
        queue_sidecar_token_audiences=_words(reader, "queue-sidecar-token-audiences", ()),
        queue_sidecar_rootca=reader.text("queue-sidecar-rootca", ""),
        queue_sidecar_tls={name: reader.text(f"queue-sidecar-tls-{name}", "") for name in TLS_OPTIONS},
        default_affinity_type=reader.choice("default-affinity-type", stock.default_affinity_type, AFFINITIES),
        pod_is_always_schedulable=reader.flag("pod-is-always-schedulable", False),
        announce_to=_words(reader, ANNOUNCE_TO, stock.announce_to),
        drain_quiet_s=reader.duration_s(DRAIN_QUIET, stock.drain_quiet_s),
    )
    reader.check(bool(config.queue_sidecar_image), "queue-sidecar-image", "the name of an image")
    reader.check(config.digest_resolution_timeout_s > 0, "digest-resolution-timeout", "more than 0s")
    reader.check(config.drain_quiet_s >= 0, DRAIN_QUIET, "0s or more")
    for name in ("min-version", "max-version"):
        reader.check(config.queue_sidecar_tls[name] in TLS_VERSIONS, f"queue-sidecar-tls-{name}", "1.2, 1.3, or empty")
    for address in config.announce_to:
        _check_address(reader, address)
    return config


def _registries(reader: Reader, stock: DeploymentConfig) -> frozenset[str]:
    key = "registries-skipping-tag-resolving"
    return frozenset(_words(reader, key, tuple(stock.registries_skipping_tag_resolving)))


def _progress_deadline_s(reader: Reader, default_s: int) -> int:
    ns = reader.duration_ns("progress-deadline", default_s)
    seconds, rest = divmod(ns, 1_000_000_000)
    reader.check(seconds > 0 and rest == 0, "progress-deadline", "more than 0s, in whole seconds")
    return seconds


def _quantities(reader: Reader, side: str, stock: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for resource in RESOURCES:
        key = f"queue-sidecar-{resource}-{side}"
        if value := reader.text(key, stock.get(resource, "")):
            reader.check(is_quantity(value), key, "a quantity such as 250m or 1.5Gi")
            found[resource] = value
    return found


def _words(reader: Reader, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """A comma list; empty text is an empty list."""
    if key not in reader.data:
        return default
    return tuple(word.strip() for word in reader.text(key, "").split(",") if word.strip())


def _check_address(reader: Reader, address: str) -> None:
    match = _ADDRESS.fullmatch(address)
    ok = match is not None and 0 < int(match[2]) < 65536
    reader.check(ok, ANNOUNCE_TO, "host:port, and more of them after commas", address)
