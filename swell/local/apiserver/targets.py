"""What a request is about: from its path and query to a resource, an object and options. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from swell.api.meta import Obj
from swell.kube.client import Propagation
from swell.local.apiserver.deletion import DeleteOptions
from swell.local.apiserver.failures import bad_request, no_such_resource
from swell.local.apiserver.paging import Page
from swell.local.apiserver.registry import Registry
from swell.local.apiserver.resource import Resource
from swell.local.apiserver.selection import Selection
from swell.local.apiserver.writes import Validation

# `namespaces/X/status` is about the namespace X; `namespaces/X/pods` is about what is in it.
_OF_NAMESPACES: Final = ("status", "finalize")
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")


@dataclass(frozen=True, slots=True)
class Target:
    """`namespace` None: all namespaces, or a cluster-wide kind. `name` "": the collection."""

    resource: Resource
    namespace: str | None = None
    name: str = ""
    subresource: str = ""


def target_of(registry: Registry, path: str) -> Target:
    """The target of a path below /api or /apis; raises `NotFound` for what is not served."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, version, rest = "", *_version_and_rest(parts[1:])
    else:
        group = parts[1] if len(parts) > 1 else ""
        version, rest = _version_and_rest(parts[2:])
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3 or "" in rest:
        raise no_such_resource()
    plural, name, subresource = (*rest, "", "")[:3]
    resource = registry.find(group, version, plural)
    if resource.kind.namespaced != (namespace is not None) and (name or namespace is not None):
        raise no_such_resource()
    if subresource and not resource.has(subresource):
        raise no_such_resource()
    return Target(resource, namespace, name, subresource)


def _version_and_rest(parts: list[str]) -> tuple[str, list[str]]:
    if len(parts) < 2:
        raise no_such_resource()
    return parts[0], parts[1:]


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter; False when absent. Raises `Invalid`."""
    text = query.get(name, "")
    if text in _TRUE:
        return True
    if text in _FALSE or not text:
        return False
    raise bad_request(f'invalid {name}="{text}": want true or false')


def number(query: Mapping[str, str], name: str) -> int | None:
    """A number that is not negative; None when absent. Raises `Invalid`."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f'invalid {name}="{text}": want a number that is not negative')
    return int(text)


def selection_of(query: Mapping[str, str]) -> Selection:
    return Selection(query.get("labelSelector", ""), query.get("fieldSelector", ""))


def page_of(query: Mapping[str, str]) -> Page:
    return Page(number(query, "limit") or 0, query.get("continue", ""))


def validation_of(query: Mapping[str, str]) -> Validation:
    """What becomes of unknown fields; the reference warns unless told otherwise."""
    text = query.get("fieldValidation") or "Warn"
    if text not in get_args(Validation):
        raise bad_request(f'invalid fieldValidation="{text}": want one of {", ".join(get_args(Validation))}')
    return cast(Validation, text)


def is_dry_run(values: list[str]) -> bool:
    """Whether nothing is to be stored; raises `Invalid` for anything but `All`."""
    wrong = [value for value in values if value not in ("", "All")]
    if wrong:
        raise bad_request(f'invalid dryRun="{wrong[0]}": want All')
    return "All" in values


def delete_options(query: Mapping[str, str], body: Obj) -> DeleteOptions:
    """From the query, or the body where the query says nothing. Raises `Invalid`."""
    propagation = query.get("propagationPolicy") or body.get("propagationPolicy")
    if propagation is None and body.get("orphanDependents") is not None:
        propagation = "Orphan" if body["orphanDependents"] else "Background"
    if propagation is not None and propagation not in get_args(Propagation):
        raise bad_request(f'invalid propagationPolicy="{propagation}": want one of {", ".join(get_args(Propagation))}')
    grace_s = number(query, "gracePeriodSeconds")
    if grace_s is None:
        grace_s = body.get("gracePeriodSeconds")
    preconditions: Mapping[str, Any] = body.get("preconditions") or {}
    return DeleteOptions(
        cast("Propagation | None", propagation),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        grace_s=grace_s,
    )
