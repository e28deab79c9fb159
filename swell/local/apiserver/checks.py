"""Faults of built-in objects that their schemas cannot express."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from swell.api.meta import Obj
from swell.api.names import dns1123_label_faults
from swell.local.apiserver.failures import FieldFault

_DATA_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_DATA_KEY_RULE: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',"
    "  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def pod_faults(obj: Obj, _: Obj | None) -> list[FieldFault]:
    """Pods: their containers have names of their own, which are parts of file names and messages too."""
    return list(_container_name_faults(obj["spec"], "spec"))


def workload_faults(obj: Obj, old: Obj | None) -> list[FieldFault]:
    """Deployments and ReplicaSets: the selector picks the template's pods and never changes."""
    spec = obj["spec"]
    found: list[FieldFault] = []
    if spec.get("replicas", 0) < 0:
        message = f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"
        found.append(FieldFault("spec.replicas", message))
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        message = f"Invalid value: {labels!r}: `selector` does not match template `labels`"
        found.append(FieldFault("spec.template.metadata.labels", message))
    if old is not None and old["spec"].get("selector") != spec.get("selector"):
        message = f"Invalid value: {spec.get('selector')!r}: field is immutable"
        found.append(FieldFault("spec.selector", message))
    found += _container_name_faults(spec["template"].get("spec") or {}, "spec.template.spec")
    return found


def key_faults(obj: Obj, old: Obj | None) -> list[FieldFault]:
    """ConfigMaps and Secrets: what a key may be made of. Keys that are stored already are left alone."""
    return [
        FieldFault(f"{field}[{key}]", f"Invalid value: {_quoted(key)}: {_DATA_KEY_RULE}")
        for field in ("data", "binaryData")
        for key in obj.get(field) or {}
        if not _DATA_KEY.fullmatch(key) and key not in ((old or {}).get(field) or {})
    ]


def _container_name_faults(spec: Obj, path: str) -> Iterator[FieldFault]:
    seen: set[str] = set()
    for key in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            name, where = container["name"], f"{path}.{key}[{index}].name"
            if name in seen:
                yield FieldFault(where, f"Duplicate value: {_quoted(name)}", "FieldValueDuplicate")
            seen.add(name)
            for fault in dns1123_label_faults(name):
                yield FieldFault(where, f"Invalid value: {_quoted(name)}: {fault}")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
