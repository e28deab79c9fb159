"""Which rights an installation needs of whoever installs, as questions to the API server. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, product

from swell.api import kinds
from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.cli.installation.render import KINDS, SYSTEM_NAMESPACE, kind_of
from swell.runtime.errors import SwellError


class MissingRights(SwellError):
    """Whoever asks may not do all that is needed; nothing was changed."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource. `namespace` "" is the cluster, or all namespaces; `name` "" is any object."""

    group: str
    resource: str
    namespace: str
    name: str
    verb: str

    def to_review(self) -> Obj:
        """The question whether the caller has it, as a SelfSubjectAccessReview."""
        resource, _, subresource = self.resource.partition("/")
        attributes = {
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": self.namespace,
            "name": self.name,
            "verb": self.verb,
        }
        return {"spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}}}


def to_write(objects: Iterable[Obj]) -> set[Right]:
    """To make these objects or change them, and to watch over what becomes of them."""
    found = {_right(kind_of(obj), verb) for obj in objects for verb in ("get", "create", "patch")}
    looks = (kinds.CUSTOM_RESOURCE_DEFINITION, kinds.CLUSTER_ROLE_BINDING, kinds.DEPLOYMENT, kinds.POD)
    # A webhook that does not answer is taken away before the ConfigMaps that it guards are written.
    return found | {_right(kind, "list") for kind in looks} | {_right(kinds.VALIDATING_WEBHOOK, "delete")}


def to_remove() -> set[Right]:
    """To take an installation away, with all Services of the cluster."""
    cluster_wide = (kind for kind in KINDS if not kind.namespaced)
    deleted = (kinds.SERVICE, kinds.ROUTE, kinds.CONFIGURATION, kinds.DEPLOYMENT, kinds.POD, *cluster_wide)
    listed = (*deleted, kinds.REVISION, kinds.POD_AUTOSCALER)
    return {_everywhere(kind, "delete") for kind in deleted} | {_everywhere(kind, "list") for kind in listed}


def to_pass_on(objects: Iterable[Obj]) -> tuple[set[Right], set[Right]]:
    """For roles: the rights to give away any right, and, for who lacks one of those, all that are given away."""
    roles = [obj for obj in objects if kind_of(obj) in (kinds.CLUSTER_ROLE, kinds.ROLE)]
    free = {_right(kind_of(obj), "escalate") for obj in roles} | {_right(kind_of(obj), "bind") for obj in roles}
    return free, {right for role in roles for right in _granted(role)}


def describe(missing: Iterable[Right]) -> str:
    """One line for each resource, with all verbs that are missing."""

    def place(right: Right) -> tuple[str, str, str, str]:
        return right.group, right.resource, right.namespace, right.name

    lines = []
    for (group, resource, namespace, name), rights in groupby(sorted(missing), key=place):
        what = f"{resource}.{group}" if group else resource
        where = f" in namespace {namespace}" if namespace else ""
        lines.append(f"  {', '.join(right.verb for right in rights)} {what}{f' {name}' if name else ''}{where}")
    return "\n".join(lines)


def _right(kind: Kind, verb: str) -> Right:
    return Right(kind.group, kind.plural, SYSTEM_NAMESPACE if kind.namespaced else "", "", verb)


def _everywhere(kind: Kind, verb: str) -> Right:
    return Right(kind.group, kind.plural, "", "", verb)


def _granted(role: Obj) -> Iterator[Right]:
    namespace = role["metadata"].get("namespace", "")
    for rule in role["rules"]:
        names = rule.get("resourceNames") or ("",)
        for group, resource, name, verb in product(rule["apiGroups"], rule["resources"], names, rule["verbs"]):
            yield Right(group, resource, namespace, name, verb)
