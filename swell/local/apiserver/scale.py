"""The scale subresource: an `autoscaling/v1` Scale made from an object, and written back into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from swell.api.meta import Obj
from swell.local.apiserver.failures import FieldFault, invalid
from swell.local.apiserver.resource import Resource

_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(resource: Resource, obj: Obj) -> Obj:
    """The Scale of `obj`."""
    paths = resource.scale
    assert paths is not None
    meta = obj["metadata"]
    kept = {key: meta[key] for key in _METADATA if key in meta}
    status: Obj = {"replicas": _at(obj, paths.status) or 0}
    selector = _at(obj, paths.selector) if paths.selector else None
    if selector:
        status["selector"] = _selector_text(selector)
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": kept,
        "spec": {"replicas": _at(obj, paths.spec) or 0},
        "status": status,
    }


def scaled(resource: Resource, obj: Obj, scale: Obj) -> Obj:
    """`obj` with the replicas that `scale` asks for; raises `Invalid`."""
    paths = resource.scale
    assert paths is not None
    replicas = _at(scale, ("spec", "replicas"))
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        fault = FieldFault("spec.replicas", f"Invalid value: {replicas!r}: must be greater than or equal to 0")
        raise invalid(resource.kind, obj["metadata"]["name"], [fault])
    return _with(obj, paths.spec, replicas)


def _at(obj: Any, path: Sequence[str]) -> Any:
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def _with(obj: Obj, path: Sequence[str], value: Any) -> Obj:
    if not path:
        assert isinstance(value, dict)
        return value
    key, *rest = path
    return {**obj, key: _with(obj.get(key) or {}, rest, value) if rest else value}


def _selector_text(selector: Any) -> str:
    """A LabelSelector, or the text that some kinds keep, as text."""
    if isinstance(selector, str):
        return selector
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        parts.append(_expression_text(each))
    return ",".join(parts)


def _expression_text(expression: Obj) -> str:
    key, operator = expression["key"], expression["operator"]
    if operator == "Exists":
        return str(key)
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {operator.lower()} ({','.join(expression.get('values', ()))})"
