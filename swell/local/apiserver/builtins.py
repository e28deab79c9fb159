"""The built-in kinds: one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from swell.api import kinds
from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.api.names import dns1035_faults, dns1123_label_faults
from swell.local.apiserver import checks, defaults
from swell.local.apiserver.columns import BUILT_IN_COLUMNS
from swell.local.apiserver.definitions import definition_faults, definition_status, fill_definition
from swell.local.apiserver.resource import Resource, ScalePaths
from swell.local.apiserver.schema import Schema
from swell.local.apiserver.selection import FieldPath

SELF_SUBJECT_REVIEW: Final = Kind(
    "authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False
)

_POD_FIELDS: Final[Mapping[str, FieldPath]] = {
    "spec.nodeName": ("spec", "nodeName"),
    "spec.restartPolicy": ("spec", "restartPolicy"),
    "spec.schedulerName": ("spec", "schedulerName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "status.phase": ("status", "phase"),
    "status.podIP": ("status", "podIP"),
    "status.nominatedNodeName": ("status", "nominatedNodeName"),
}
_EVENT_FIELDS: Final[Mapping[str, FieldPath]] = {
    **{
        f"involvedObject.{key}": ("involvedObject", key)
        for key in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    },
    "reason": ("reason",),
    "type": ("type",),
    "source": ("source", "component"),
    "reportingComponent": ("reportingComponent",),
}

_STATUS: Final = frozenset({"status"})
_STATUS_SCALE: Final = frozenset({"status", "scale"})
_ALL: Final = ("all",)

ROWS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    kinds.NAMESPACE: {
        "short_names": ("ns",),
        "subresources": frozenset({"status", "finalize"}),
        "fields": {"status.phase": ("status", "phase")},
        "defaults": defaults.namespace,
        "derive_status": defaults.namespace_status,
        "name_faults": dns1123_label_faults,
    },
    kinds.NODE: {
        "short_names": ("no",),
        "subresources": _STATUS,
        "fields": {"spec.unschedulable": ("spec", "unschedulable")},
        "derive_status": defaults.node_status,
    },
    kinds.POD: {
        "short_names": ("po",),
        "categories": _ALL,
        "subresources": frozenset({"status", "log", "eviction", "binding"}),
        "fields": _POD_FIELDS,
        "defaults": defaults.pod,
        "derive_status": defaults.pod_status,
        "check": checks.pod_faults,
        "counts_generations": True,
    },
    kinds.CORE_SERVICE: {
        "short_names": ("svc",),
        "categories": _ALL,
        "subresources": _STATUS,
        "defaults": defaults.service,
        "derive_status": defaults.plain_status,
        "name_faults": dns1035_faults,
    },
    kinds.ENDPOINTS: {"short_names": ("ep",), "singular": "endpoints"},
    kinds.CONFIG_MAP: {"short_names": ("cm",), "check": checks.key_faults},
    kinds.SECRET: {"fields": {"type": ("type",)}, "defaults": defaults.secret, "check": checks.key_faults},
    kinds.SERVICE_ACCOUNT: {"short_names": ("sa",)},
    kinds.EVENT: {"short_names": ("ev",), "fields": _EVENT_FIELDS},
    kinds.DEPLOYMENT: {
        "short_names": ("deploy",),
        "categories": _ALL,
        "subresources": _STATUS_SCALE,
        "scale": ScalePaths(),
        "defaults": defaults.deployment,
        "derive_status": defaults.plain_status,
        "check": checks.workload_faults,
        "counts_generations": True,
    },
    kinds.REPLICA_SET: {
        "short_names": ("rs",),
        "categories": _ALL,
        "subresources": _STATUS_SCALE,
        "scale": ScalePaths(),
        "fields": {"status.replicas": ("status", "replicas")},
        "defaults": defaults.replica_set,
        "derive_status": defaults.replica_set_status,
        "check": checks.workload_faults,
        "counts_generations": True,
    },
    # Kept as objects: nothing in this cluster scales by them.
    kinds.HORIZONTAL_POD_AUTOSCALER: {
        "short_names": ("hpa",),
        "categories": _ALL,
        "subresources": _STATUS,
        "derive_status": defaults.plain_status,
    },
    kinds.ENDPOINT_SLICE: {"defaults": defaults.endpoint_slice, "counts_generations": True},
    kinds.LEASE: {},
    kinds.POD_METRICS: {"singular": "pod", "verbs": ("get", "list")},
    kinds.CUSTOM_RESOURCE_DEFINITION: {
        "short_names": ("crd", "crds"),
        "categories": ("api-extensions",),
        "subresources": _STATUS,
        "defaults": fill_definition,
        "check": definition_faults,
        "derive_status": definition_status,
        "counts_generations": True,
    },
    kinds.SELF_SUBJECT_ACCESS_REVIEW: {"verbs": ("create",)},
    SELF_SUBJECT_REVIEW: {"verbs": ("create",)},
}

# Kinds whose fields are not checked: their shape is looked at where they are used.
_OPEN_KINDS: Final = frozenset({kinds.SELF_SUBJECT_ACCESS_REVIEW, SELF_SUBJECT_REVIEW})
_OPEN: Final = Schema(type="object", open=True)


def built_in_resources(schema_of: Callable[[str], Schema]) -> Iterator[Resource]:
    """All rows; `schema_of` finds the compiled schema of a type when it is first needed."""
    for kind, row in ROWS.items():
        columns = BUILT_IN_COLUMNS.get(str(kind), ())
        yield Resource(
            kind=kind,
            storage=str(kind),
            schema=_schema(kind, schema_of),
            columns=columns,
            **{"singular": kind.kind.lower(), **row},
        )


def _schema(kind: Kind, schema_of: Callable[[str], Schema]) -> Callable[[], Schema]:
    if kind in _OPEN_KINDS:
        return lambda: _OPEN
    return lambda: schema_of(kind.kind)


def review(kind: Kind, obj: Obj, user: str) -> Obj | None:
    """The answer to an object of a kind that is a question; None for any other kind."""
    if kind == kinds.SELF_SUBJECT_ACCESS_REVIEW:
        return {**obj, "status": {"allowed": True, "reason": "the token of this cluster allows everything"}}
    if kind == SELF_SUBJECT_REVIEW:
        return {**obj, "status": {"userInfo": {"username": user, "groups": ["system:masters"]}}}
    return None
