"""Admission of Serving objects: fill in defaults, say who wrote them, refuse what is not valid (spec api 3, 4).

Pure: objects and settings in, an object out. Does not know where the objects or the settings come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    """The object as it is to be stored: `default`, then `check`. Raises `Denied`.

    `operation` is CREATE, UPDATE or DELETE (always allowed); `old` is the stored object of an update.
    Neither `obj` nor `old` is changed; the result may share parts with them. Other kinds pass as they are.
    """
    made = default(obj, settings, old=old, operation=operation, user=user, subresource=subresource)
    return Admitted(made, check(made, settings, old=old, operation=operation, subresource=subresource))


def default(
    obj: Obj,
    settings: ApiSettings = STOCK,
    *,
    old: Obj | None = None,
    operation: str = "CREATE",
    user: str = "",
    subresource: str = "",
) -> Obj:
    """The object with its defaults, and with who wrote it; arguments as for `admit`. Raises `Denied`.

    A subresource gets none. What cannot be read as an object of its kind is refused, nothing else.
    """
    kind = kind_of(obj)
    if kind is None or operation == "DELETE" or subresource:
        return obj
    with _readable():
        baseline = _baseline(old, settings, subresource)
        obj = apply_defaults(obj, settings, old=baseline, creating=old is None)
        return stamp_user(kind, obj, baseline, user)


def check(
    obj: Obj,
    settings: ApiSettings = STOCK,
    *,
    old: Obj | None = None,
    operation: str = "CREATE",
    subresource: str = "",
) -> tuple[str, ...]:
    """Warnings about an object that has its defaults; arguments as for `admit`. Raises `Denied` if it is not valid."""
    kind = kind_of(obj)
    if kind is None or operation == "DELETE":
        return ()
    with _readable():
        baseline = _baseline(old, settings, subresource)
        errors = merge(validate(Request(kind, obj, settings, baseline, subresource)))
    refusals = [error for error in errors if not error.warning]
    if refusals:
        raise Denied(f"validation failed: {render(refusals)}")
    return tuple(str(error) for error in errors)


def _baseline(old: Obj | None, settings: ApiSettings, subresource: str) -> Obj | None:
    """Defaults that came with a later version, or a ConfigMap, must not look like a change by the writer."""
    return old if old is None or subresource else apply_defaults(old, settings, old=old)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except Malformed as exc:
        raise Denied(f"decoding request failed: {exc}") from exc


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
