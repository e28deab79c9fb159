"""All kinds of the cluster: the built-in ones, and those that its definitions add. Pure."""

from __future__ import annotations

from typing import Final

from swell.api import kinds
from swell.api.kinds import Kind
from swell.api.meta import Obj

BUILT_IN: Final = (
    kinds.DEPLOYMENT,
    kinds.REPLICA_SET,
    kinds.POD,
    kinds.CORE_SERVICE,
    kinds.ENDPOINT_SLICE,
    kinds.ENDPOINTS,
    kinds.CONFIG_MAP,
    kinds.SECRET,
    kinds.SERVICE_ACCOUNT,
)
"""Kinds whose objects own and are owned."""

UNOWNED: Final = (kinds.EVENT, kinds.LEASE)
"""Kinds of a namespace that nobody owns: they only go with it."""


def kind_of_definition(definition: Obj) -> Kind | None:
    """The kind that a CustomResourceDefinition adds, in a version that is served; None if none is."""
    spec = definition["spec"]
    names = spec["names"]
    served = [version for version in spec.get("versions") or () if version.get("served")]
    for version in sorted(served, key=lambda version: not version.get("storage")):
        namespaced = spec.get("scope") != "Cluster"
        return Kind(spec["group"], version["name"], names["kind"], names["plural"], namespaced)
    return None
