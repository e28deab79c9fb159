"""What the front door needs to know of a Revision, read from its object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.api.front_door import NO_RULES, FrontDoorRules, read_rules
from swell.api.labels import CONFIGURATION, SERVICE
from swell.api.meta import condition_of
from swell.api.podspec import PROTOCOL_H2C, protocol, serving_index

# What a Revision without `timeoutSeconds` gets (config-defaults, `revision-timeout-seconds`).
TIMEOUT_DEFAULT_S: Final = 300.0
DEADLINE_EXCEEDED: Final = "ProgressDeadlineExceeded"


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """Limits in requests per pod and seconds; `failed` is the cause when the Revision has failed, or "".
    `overdue`: it has failed because its pods run, but were not ready within the progress deadline.

    `head_timeout_s` is the time an answer may take to begin: the smallest of the total, the response-start
    and the idle timeout (waiting is idle: spec dataplane 2.8, 3.5).
    `kubernetes_decides`: a pod counts only once Kubernetes calls it ready, because it has probes that
    only the kubelet can run (spec dataplane 2.6, optimised readiness).
    `http2`: its pods are spoken to in HTTP/2 with prior knowledge, whatever the caller speaks.
    `service` and `configuration` are what it belongs to, "" for none.
    """

    container_concurrency: int = 0
    timeout_s: float = TIMEOUT_DEFAULT_S
    head_timeout_s: float = TIMEOUT_DEFAULT_S
    kubernetes_decides: bool = False
    failed: str = ""
    overdue: bool = False
    rules: FrontDoorRules = NO_RULES
    http2: bool = False
    service: str = ""
    configuration: str = ""


def read_revision(revision: Mapping[str, Any]) -> RevisionFacts:
    """The facts of a Revision object. Missing fields have their defaults; zero timeouts mean absent."""
    spec = revision.get("spec") or {}
    failed = _failure(revision)
    metadata = revision.get("metadata") or {}
    labels = metadata.get("labels") or {}
    timeout_s = float(spec.get("timeoutSeconds") or TIMEOUT_DEFAULT_S)
    others = (spec.get("responseStartTimeoutSeconds"), spec.get("idleTimeoutSeconds"))
    return RevisionFacts(
        container_concurrency=int(spec.get("containerConcurrency") or 0),
        timeout_s=timeout_s,
        head_timeout_s=min(timeout_s, *(float(other or timeout_s) for other in others)),
        kubernetes_decides=any(_has_kubelet_probe(container) for container in spec.get("containers") or []),
        failed=failed,
        overdue=failed.startswith(DEADLINE_EXCEEDED),
        rules=read_rules(metadata.get("annotations") or {}),
        http2=serving_index(spec) is not None and protocol(spec) == PROTOCOL_H2C,
        service=labels.get(SERVICE) or "",
        configuration=labels.get(CONFIGURATION) or "",
    )


def _has_kubelet_probe(container: Mapping[str, Any]) -> bool:
    return "startupProbe" in container or "exec" in (container.get("readinessProbe") or {})


def _failure(revision: Mapping[str, Any]) -> str:
    ready = condition_of(revision)
    if ready.get("status") != "False":
        return ""
    reason, message = ready.get("reason") or "Failed", ready.get("message") or ""
    return f"{reason}: {message}" if message else str(reason)
