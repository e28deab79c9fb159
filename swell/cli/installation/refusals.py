"""Why an installation must not go ahead: what is in the cluster already, and whose it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from swell.api import kinds
from swell.api.meta import Obj
from swell.cli.installation.render import PART_OF, SYSTEM_NAMESPACE, VERSION
from swell.runtime.errors import SwellError

GROUPS: Final = (kinds.SERVICE.group, kinds.POD_AUTOSCALER.group)
NAME: Final = "app.kubernetes.io/name"


class Refused(SwellError):
    """The cluster has something that this would harm; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cluster has that matters here: its definitions, all bindings, and the system namespace."""

    definitions: Sequence[Obj] = ()
    bindings: Sequence[Obj] = ()
    namespace: Obj | None = None


def check(seen: Seen, wanted: Sequence[Obj], version: str) -> None:
    """Raises `Refused` for another's definitions, another installation, a newer one, one that is just going."""
    definitions = [each for each in seen.definitions if each["spec"]["group"] in GROUPS]
    _check_foreign(definitions)
    _check_other_namespace(seen.bindings)
    _check_newer(definitions, wanted, version)
    if ((seen.namespace or {}).get("metadata") or {}).get("deletionTimestamp"):
        raise Refused(f"the namespace {SYSTEM_NAMESPACE} is being deleted: wait until it is gone, then install again")


def is_ours(obj: Obj) -> bool:
    """Whether this is of an installation of Swell."""
    labels = obj["metadata"].get("labels") or {}
    return labels.get(NAME) == "swell" or labels.get(PART_OF) == "swell"


def _check_foreign(definitions: Sequence[Obj]) -> None:
    foreign = sorted(each["metadata"]["name"] for each in definitions if not is_ours(each))
    if foreign:
        raise Refused(
            f"the cluster has definitions that Swell did not make: {', '.join(foreign)}. Is it Knative Serving? "
            "Two systems cannot serve the same kinds: remove the other one first, or use another cluster"
        )


def _check_other_namespace(bindings: Sequence[Obj]) -> None:
    places = {
        subject.get("namespace", "")
        for binding in bindings
        if is_ours(binding)
        for subject in binding.get("subjects") or ()
    }
    others = sorted(places - {SYSTEM_NAMESPACE, ""})
    if others:
        raise Refused(
            f"Swell is installed in this cluster already, in namespace {', '.join(others)}: "
            f"a second one, in {SYSTEM_NAMESPACE}, would serve the same Services. Remove the other one first"
        )


def _check_newer(definitions: Sequence[Obj], wanted: Sequence[Obj], version: str) -> None:
    known = {obj["metadata"]["name"]: _versions(obj) for obj in wanted if obj["kind"] == "CustomResourceDefinition"}
    for each in definitions:
        name, found = each["metadata"]["name"], (each["metadata"].get("labels") or {}).get(VERSION, "")
        unknown = sorted(_versions(each) - known.get(name, _versions(each)))
        if unknown:
            raise Refused(
                f"the cluster's {name} has {', '.join(unknown)}, which Swell {version} does not know: "
                "it was installed by a newer one. Use that, or a later version"
            )
        if _numbers(found) > _numbers(version):
            raise Refused(f"the cluster has Swell {found}, and this is the older {version}: use {found} or a later one")


def _versions(definition: Obj) -> set[str]:
    return {version["name"] for version in definition["spec"]["versions"]}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
