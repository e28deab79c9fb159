"""Which kinds a cluster serves, and by which names people call them. Reads discovery documents; does no I/O."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.runtime.errors import SwellError

SUGGESTIONS_MAX: Final = 3


class NoSuchKind(SwellError):
    """The cluster serves no kind of that name."""


@dataclass(frozen=True, slots=True)
class Served:
    """One kind that the cluster serves. `names` are all words for it, in lower case."""

    kind: Kind
    names: frozenset[str]
    categories: frozenset[str]


class Discovery:
    """The kinds of one cluster, the preferred ones first."""

    def __init__(self, served: Iterable[Served]) -> None:
        self._served = tuple(served)

    def kinds(self) -> list[Kind]:
        return [each.kind for each in self._served]

    def resolve(self, word: str) -> Kind:
        """The kind that people call `word`: plural, singular, short name, kind; also PLURAL.GROUP.

        Of several the first in the cluster's order, as in kubectl: `service` is the core one. Raises `NoSuchKind`.
        """
        wanted = word.lower()
        for each in self._served:
            if wanted in each.names or wanted in _qualified(each):
                return each.kind
        raise NoSuchKind(f"the cluster has no kind {word!r}{self._suggestion(wanted)}")

    def of(self, api_version: str, kind: str) -> Kind:
        """The kind that a manifest names. Raises `NoSuchKind`."""
        for each in self._served:
            if each.kind.kind == kind and each.kind.api_version == api_version:
                return each.kind
        others = sorted({each.kind.api_version for each in self._served if each.kind.kind == kind})
        hint = f"; it has {kind} in {', '.join(others)}" if others else ""
        raise NoSuchKind(f"the cluster has no kind {kind!r} in {api_version!r}{hint}")

    def in_category(self, category: str) -> list[Kind]:
        """The kinds of a category, such as `all` or `knative`; [] if there is no such category."""
        return [each.kind for each in self._served if category.lower() in each.categories]

    def _suggestion(self, word: str) -> str:
        names = sorted(set().union(*(each.names for each in self._served)) if self._served else ())
        near = difflib.get_close_matches(word, names, SUGGESTIONS_MAX)
        return f": did you mean {' or '.join(near)}?" if near else ""


def read_aggregated(document: Obj) -> Iterator[Served]:
    """The kinds of an `APIGroupDiscoveryList`: each group's first version is its preferred one."""
    for group in document.get("items") or ():
        for version in group.get("versions") or ():
            for resource in version.get("resources") or ():
                yield _aggregated(group["metadata"].get("name", ""), version["version"], resource)


def read_plain(group: str, version: str, document: Obj) -> Iterator[Served]:
    """The kinds of an `APIResourceList`."""
    for resource in document.get("resources") or ():
        if "/" not in resource["name"]:  # those are subresources
            kind = Kind(group, version, resource["kind"], resource["name"], resource.get("namespaced", True))
            yield _served(kind, resource.get("singularName", ""), resource)


def _aggregated(group: str, version: str, resource: Obj) -> Served:
    kind_name = (resource.get("responseKind") or {}).get("kind", "")
    kind = Kind(group, version, kind_name, resource["resource"], resource.get("scope") != "Cluster")
    return _served(kind, resource.get("singularResource", ""), resource)


def _served(kind: Kind, singular: str, resource: Obj) -> Served:
    names = {kind.plural, singular or kind.kind.lower(), kind.kind.lower(), *(resource.get("shortNames") or ())}
    return Served(kind, frozenset(names - {""}), frozenset(resource.get("categories") or ()))


def _qualified(served: Served) -> Iterator[str]:
    kind = served.kind
    if kind.group:
        for name in served.names:
            yield f"{name}.{kind.group}"
            yield f"{name}.{kind.version}.{kind.group}"
