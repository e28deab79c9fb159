"""Serving objects as a user would write them, for tests."""

from __future__ import annotations

from typing import Any

from swell.api.kinds import CONFIGURATION, REVISION, ROUTE, SERVICE, Kind

Obj = dict[str, Any]


def service(
    name: str = "svc", *, template: Obj | None = None, traffic: list[Obj] | None = None, **metadata: Any
) -> Obj:
    """A Service; `template` is that of `revision_template`."""
    spec: Obj = {"template": template or revision_template()}
    if traffic is not None:
        spec["traffic"] = traffic
    return _object(SERVICE, name, spec, metadata)


def configuration(name: str = "cfg", *, template: Obj | None = None, **metadata: Any) -> Obj:
    return _object(CONFIGURATION, name, {"template": template or revision_template()}, metadata)


def revision(name: str = "rev", *, spec: Obj | None = None, **metadata: Any) -> Obj:
    return _object(REVISION, name, spec or revision_template()["spec"], metadata)


def route(name: str = "rt", traffic: list[Obj] | None = None, **metadata: Any) -> Obj:
    return _object(ROUTE, name, {} if traffic is None else {"traffic": traffic}, metadata)


def revision_template(*containers: Obj, name: str = "", annotations: dict[str, str] | None = None, **spec: Any) -> Obj:
    """What a revision runs: one container {image: app} unless said; `spec` holds further fields."""
    metadata = {**({"name": name} if name else {}), **({"annotations": annotations} if annotations else {})}
    template: Obj = {"spec": {"containers": [*containers] or [{"image": "app"}], **spec}}
    return {"metadata": metadata, **template} if metadata else template


def _object(kind: Kind, name: str, spec: Obj, metadata: Obj) -> Obj:
    named = {"name": name} if name else {}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {**named, "namespace": "ns", **metadata},
        "spec": spec,
    }
