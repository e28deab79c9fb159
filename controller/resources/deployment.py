"""The Deployment of a revision (spec api 6.5): made from the revision and the cluster's settings. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import orjson

from controller.images import image_of
from controller.resources.meta import (
    child_annotations,
    child_labels,
    deployment_name,
    exactly,
    metadata,
    owner,
    short_hash,
    without,
)
from controller.resources.pod_settings import PodSettings
from controller.resources.probes import for_kubelet
from controller.resources.queue_container import (
    ADMIN_PORT,
    CERTIFICATES_VOLUME,
    configuration_name,
    make_queue_container,
)
from swell.api import labels
from swell.api.autoscaling import Annotations
from swell.api.kinds import DEPLOYMENT, REVISION
from swell.api.meta import Obj
from swell.api.podspec import serving_index
from swell.api.serving import Revision, user_port
from swell.api.settings import Defaults
from swell.config.deployment import AFFINITIES, DeploymentConfig

_AFFINITY_WEIGHT: Final = 100
_HOSTNAME: Final = "kubernetes.io/hostname"
# Keys that are ours to take away again: an object's other labels and annotations belong to somebody else.
_OURS: Final = "knative.dev/"


def make_deployment(revision: Revision, settings: PodSettings) -> Obj:
    """The Deployment as it is created. It carries a hash of itself: see `renewed`."""
    meta = revision.meta
    own, notes = child_labels(revision), child_annotations(revision)
    spec: Obj = {
        # min-scale is the autoscaler's business.
        "replicas": Annotations(meta.annotations).initial_scale(settings.autoscaler),
        "selector": {"matchLabels": {labels.REVISION_UID: meta.uid}},
        "progressDeadlineSeconds": _progress_deadline_s(revision, settings.deployment),
        "revisionHistoryLimit": 0,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": _template(revision, settings, own, notes),
    }
    digest = short_hash(orjson.dumps([spec, notes, own], option=orjson.OPT_SORT_KEYS))
    own = {**own, labels.DEPLOYMENT_HASH: digest}
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.kind,
        "metadata": metadata(deployment_name(meta.name), meta.namespace, own, notes, owner(REVISION, meta)),
        "spec": spec,
    }


def renewed(wanted: Obj, seen: Obj) -> Obj | None:
    """What to make of `seen` so that it is `wanted` (None clears a field); None if it was made from the same.

    Only the hash is compared, so that what Kubernetes fills in is no difference. Replicas are the
    autoscaler's and stay, as do the selector and what others have labelled and annotated.
    """
    before = seen["metadata"]
    if (before.get("labels") or {}).get(labels.DEPLOYMENT_HASH) == wanted["metadata"]["labels"][labels.DEPLOYMENT_HASH]:
        return None
    old, spec = seen.get("spec") or {}, dict(wanted["spec"])
    template = {**spec["template"], "metadata": _with_foreign(spec["template"], old.get("template") or {})}
    spec |= {"template": template, "replicas": old.get("replicas", 1)}
    if "selector" in old:
        spec["selector"] = old["selector"]
    meta = {**wanted["metadata"], **_with_foreign(wanted, seen)}
    return exactly({**wanted, "metadata": meta, "spec": spec}, seen)


def _with_foreign(wanted: Obj, seen: Obj) -> Obj:
    """The labels and annotations of `wanted`, and over them those of `seen` that are not ours."""
    new, old = wanted["metadata"], seen.get("metadata") or {}
    return {key: {**(new.get(key) or {}), **_foreign(old.get(key) or {})} for key in ("labels", "annotations")}


def _foreign(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if _OURS not in key and key != labels.APP}


def _progress_deadline_s(revision: Revision, config: DeploymentConfig) -> int:
    asked = Annotations(revision.meta.annotations).progress_deadline_s()
    return int(asked) if asked and asked >= 1 else config.progress_deadline_s


def _template(revision: Revision, settings: PodSettings, own: Obj, notes: Obj) -> Obj:
    spec = revision.spec
    serving = serving_index(spec.pod_spec)
    assert serving is not None, "admission refuses a revision that no container serves"
    containers = [
        _container(revision, container, serves=index == serving) for index, container in enumerate(spec.containers)
    ]
    queue = make_queue_container(revision, settings)
    pod: Obj = {**without(spec.pod_spec, "containers"), "containers": [*containers, queue]}
    if settings.system_internal_tls:
        pod["volumes"] = [*(pod.get("volumes") or ()), CERTIFICATES_VOLUME]
    pod["terminationGracePeriodSeconds"] = _grace_s(revision, settings.deployment)
    if settings.defaults.enable_service_links is not None:
        pod.setdefault("enableServiceLinks", settings.defaults.enable_service_links)
    if "affinity" not in pod and settings.deployment.default_affinity_type == AFFINITIES[0]:
        pod["affinity"] = _spread(revision)
    named = {**notes, labels.KUBECTL_DEFAULT_CONTAINER: containers[serving]["name"]}
    return {"metadata": {"labels": own, "annotations": named}, "spec": pod}


def _grace_s(revision: Revision, config: DeploymentConfig) -> int:
    """The time between a pod's deletion and SIGKILL.

    The reference's is the timeout, so a request that still comes then is cut at the end of its own (spec dataplane
    3.8). One may come in the quiet time, and has its timeout from there on.
    """
    # Without a timeout of its own it has the stock one, in the front door and in the sidecar.
    timeout_s = revision.spec.timeout_s or Defaults().revision_timeout_s
    return timeout_s + math.ceil(config.drain_quiet_s)


def _container(revision: Revision, container: Obj, *, serves: bool) -> Obj:
    """One of the user's containers as its pods run it."""
    rest = {
        key: value for key, value in container.items() if key not in ("readinessProbe", "livenessProbe", "startupProbe")
    }
    port = user_port(revision.spec.pod_spec) if serves else None
    found: Obj = {
        **rest,
        "name": container.get("name") or "user-container",
        "image": image_of(container, revision.status.container_statuses),
        "env": [*(container.get("env") or ()), *_contract(revision, port)],
        "lifecycle": {"preStop": {"httpGet": {"port": ADMIN_PORT, "path": "/wait-for-drain"}}},
        **for_kubelet(container, port),
    }
    found.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    if port is not None:
        found["ports"] = [{"name": "user-port", "containerPort": port, "protocol": "TCP"}]
    return found


def _contract(revision: Revision, port: int | None) -> list[Obj]:
    """The variables that every container finds (spec dataplane 4)."""
    values = {"PORT": str(port)} if port is not None else {}
    values |= {
        "K_REVISION": revision.meta.name,
        "K_CONFIGURATION": configuration_name(revision),
        "K_SERVICE": revision.meta.labels.get(labels.SERVICE, ""),
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _spread(revision: Revision) -> Obj:
    """Prefer nodes that do not run a pod of this revision yet."""
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": _AFFINITY_WEIGHT,
                    "podAffinityTerm": {
                        "topologyKey": _HOSTNAME,
                        "labelSelector": {"matchLabels": {labels.REVISION: revision.meta.name}},
                    },
                }
            ]
        }
    }
