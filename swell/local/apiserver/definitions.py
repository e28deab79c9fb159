"""CustomResourceDefinitions: what makes one valid, and the resources that it defines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.local.apiserver.ages import age_of
from swell.local.apiserver.columns import NAME, PLAIN_COLUMNS
from swell.local.apiserver.failures import FieldFault
from swell.local.apiserver.jsonpath import BadPath, compile_path
from swell.local.apiserver.resource import Column, Resource, ScalePaths
from swell.local.apiserver.schema import Schema, compile_schema
from swell.local.apiserver.selection import FieldPath

CLEANUP_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
_OPEN: Final = Schema(type="object", open=True)


def fill_definition(obj: Obj) -> None:
    """Names that follow from others, in place; and the finalizer that keeps it until its objects are gone."""
    names = obj.get("spec", {}).get("names")
    if isinstance(names, dict) and isinstance(names.get("kind"), str):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    obj.get("spec", {}).setdefault("conversion", {"strategy": "None"})
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") and CLEANUP_FINALIZER not in (meta.get("finalizers") or ()):
        meta["finalizers"] = [*(meta.get("finalizers") or ()), CLEANUP_FINALIZER]


def definition_faults(obj: Obj, _: Obj | None) -> list[FieldFault]:
    """Group, names, versions and schemas that cannot be served."""
    return list(_faults(obj))


def _faults(obj: Obj) -> Iterator[FieldFault]:
    spec = obj.get("spec", {})
    names = spec.get("names", {})
    for path, found in (
        ("spec.group", spec.get("group")),
        ("spec.names.plural", names.get("plural")),
        ("spec.names.kind", names.get("kind")),
    ):
        if not found:
            yield FieldFault(path, "Required value", "FieldValueRequired")
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if obj["metadata"].get("name") != wanted:
        message = f'Invalid value: "{obj["metadata"].get("name")}": must be spec.names.plural+"."+spec.group'
        yield FieldFault("metadata.name", message)
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        message = f'Unsupported value: "{spec.get("scope")}": supported values: "Cluster", "Namespaced"'
        yield FieldFault("spec.scope", message, "FieldValueNotSupported")
    yield from _version_faults(spec.get("versions") or [])


def _version_faults(versions: list[Obj]) -> Iterator[FieldFault]:
    if sum(bool(version.get("storage")) for version in versions) != 1:
        message = "Invalid value: must have exactly one version marked as storage version"
        yield FieldFault("spec.versions", message)
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        raw = version.get("schema", {}).get("openAPIV3Schema")
        if not isinstance(raw, dict):
            message = "Required value: schemas are required"
            yield FieldFault(f"{path}.schema.openAPIV3Schema", message, "FieldValueRequired")
        elif (wrong := _schema_fault(raw)) is not None:
            yield FieldFault(f"{path}.schema.openAPIV3Schema", f"Invalid value: no schema: {wrong}")
        for at, column in enumerate(version.get("additionalPrinterColumns") or ()):
            try:
                compile_path(column["jsonPath"])
            except (BadPath, KeyError) as exc:
                yield FieldFault(f"{path}.additionalPrinterColumns[{at}].jsonPath", f"Invalid value: {exc}")


def _schema_fault(raw: Obj) -> str | None:
    """Why this is no schema; None if it is one."""
    try:
        _root_schema(raw)
    except (AttributeError, KeyError, TypeError, ValueError, re.error) as exc:
        return str(exc)
    return None


def definition_status(obj: Obj, _: Obj | None) -> Obj:
    """A definition is established as soon as it is stored."""
    spec = obj["spec"]
    since = obj["metadata"].get("creationTimestamp")
    conditions = [
        {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"},
        {
            "type": "Established",
            "status": "True",
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]
    return {
        "acceptedNames": spec["names"],
        "conditions": [{**condition, "lastTransitionTime": since} for condition in conditions],
        "storedVersions": [version["name"] for version in spec["versions"] if version.get("storage")],
    }


def storage_of(definition: Obj) -> str:
    """The storage name of the kind that is defined."""
    return str(definition["metadata"]["name"])


def defined_resources(definition: Obj) -> Iterator[Resource]:
    """One resource for each version that is served."""
    for version in definition["spec"]["versions"]:
        if version.get("served", True):
            yield _resource(definition["spec"], version)


def _resource(spec: Obj, version: Obj) -> Resource:
    names = spec["names"]
    kind = Kind(spec["group"], version["name"], names["kind"], names["plural"], spec["scope"] == "Namespaced")
    subresources = version.get("subresources") or {}
    raw = version["schema"]["openAPIV3Schema"]
    return Resource(
        kind=kind,
        singular=names.get("singular") or names["kind"].lower(),
        storage=f"{names['plural']}.{spec['group']}",
        schema=_once(lambda: _root_schema(raw)),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=frozenset(subresources),
        columns=tuple(_columns(version)),
        fields=dict(_fields(version)),
        scale=_scale_paths(subresources.get("scale")),
        counts_generations=True,
        list_kind=names.get("listKind") or "",
        definition=version,
    )


def _once(make: Callable[[], Schema]) -> Callable[[], Schema]:
    made: list[Schema] = []

    def get() -> Schema:
        if not made:
            made.append(make())
        return made[0]

    return get


def _root_schema(raw: Obj) -> Schema:
    return compile_schema({"type": "object", **raw})


def _columns(version: Obj) -> Iterator[Column]:
    defined = version.get("additionalPrinterColumns")
    if not defined:
        yield from PLAIN_COLUMNS
        return
    yield NAME
    for column in defined:
        yield Column(
            column["name"],
            _cell(compile_path(column["jsonPath"]), column.get("type", "string")),
            type=column.get("type", "string"),
            priority=column.get("priority", 0),
            format=column.get("format", ""),
            description=column.get("description", ""),
        )


def _cell(find: Callable[[Any], list[Any]], kind: str) -> Callable[[Obj, float], Any]:
    def cell(obj: Obj, now_s: float) -> Any:
        found = find(obj)
        if not found or found[0] is None:
            return None
        if kind == "date":
            return age_of(str(found[0]), now_s)
        if kind == "string":
            return ",".join(each if isinstance(each, str) else str(each) for each in found)
        return found[0]

    return cell


def _fields(version: Obj) -> Iterator[tuple[str, FieldPath]]:
    for each in version.get("selectableFields") or ():
        path = each["jsonPath"].lstrip(".")
        yield path, tuple(path.split("."))


def _scale_paths(raw: Mapping[str, str] | None) -> ScalePaths | None:
    if raw is None:
        return None

    def path(key: str) -> tuple[str, ...]:
        text = raw.get(key, "").lstrip(".")
        return tuple(text.split(".")) if text else ()

    return ScalePaths(path("specReplicasPath"), path("statusReplicasPath"), path("labelSelectorPath"))
