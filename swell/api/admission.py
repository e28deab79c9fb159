"""Admission of Serving objects: fill in defaults, say who wrote them, refuse what is not valid (spec api 3, 4).

Pure: objects and settings in, an object out. Does not know where the objects or the settings come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.api import labels
from swell.api.defaults import apply_defaults
from swell.api.field_errors import merge, render
from swell.api.fields import Malformed
from swell.api.kinds import CONFIGURATION, POD_AUTOSCALER, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Obj
from swell.api.settings import ApiSettings
from swell.api.validation import Request, validate
from swell.api.values import same

KINDS: Final = (SERVICE, CONFIGURATION, REVISION, ROUTE, POD_AUTOSCALER)
STOCK: Final = ApiSettings()

_BY_NAME: Final[Mapping[tuple[str, str], Kind]] = {(kind.api_version, kind.kind): kind for kind in KINDS}


class Denied(Exception):
    """The object is refused. The text is for the client: each fault with its field path."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The object to store, and what to tell its writer although it is accepted."""

    obj: Obj
    warnings: tuple[str, ...] = ()


def kind_of(obj: Mapping[str, Any]) -> Kind | None:
    """The kind, if it is one that is defaulted and validated here."""
    return _BY_NAME.get((obj.get("apiVersion", ""), obj.get("kind", "")))


def admit(
    obj: Obj,
    settings: ApiSettings = STOCK,
    *,
    old: Obj | None = None,
    operation: str = "CREATE",
    user: str = "",
    subresource: str = "",
) -> Admitted:
    """The object as it is to be stored. Raises `Denied`.

    `operation` is CREATE, UPDATE or DELETE (always allowed); `old` is the stored object of an update.
    Neither `obj` nor `old` is changed; the result may share parts with them. Other kinds pass as they are.
    """
    kind = kind_of(obj)
    if kind is None or operation == "DELETE":
        return Admitted(obj)
    try:
        return _admit(kind, obj, settings, old, user, subresource)
    except Malformed as exc:
        raise Denied(f"decoding request failed: {exc}") from exc


def _admit(kind: Kind, obj: Obj, settings: ApiSettings, old: Obj | None, user: str, subresource: str) -> Admitted:
    baseline = old
    if not subresource:
        # Defaults that came with a later version, or a ConfigMap, must not look like a change by the writer.
        baseline = None if old is None else apply_defaults(old, settings, old=old)
        obj = apply_defaults(obj, settings, old=baseline, creating=old is None)
        obj = stamp_user(kind, obj, baseline, user)
    errors = merge(validate(Request(kind, obj, settings, baseline, subresource)))
    refusals = [error for error in errors if not error.warning]
    if refusals:
        raise Denied(f"validation failed: {render(refusals)}")
    return Admitted(obj, tuple(str(error) for error in errors))


def stamp_user(kind: Kind, obj: Obj, old: Obj | None, user: str) -> Obj:
    """With the annotations that say who made a Service, and who changed its spec last (spec api 3).

    Children that a controller makes carry their creator from their parent instead.
    """
    if not user or not names_its_users(kind, obj):
        return obj
    annotations = dict(obj["metadata"].get("annotations") or {})
    if old is None:
        annotations[labels.CREATOR] = user
    elif same(old.get("spec"), obj.get("spec")):
        return obj
    annotations[labels.LAST_MODIFIER] = user
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def names_its_users(kind: Kind, obj: Mapping[str, Any]) -> bool:
    """Whether objects like this one carry creator and lastModifier."""
    if kind == SERVICE:
        return True
    return kind in (CONFIGURATION, ROUTE) and not obj["metadata"].get("ownerReferences")
