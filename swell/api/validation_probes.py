"""Faults of probes (spec api 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from swell.api import fields
from swell.api.field_errors import FieldError, invalid_value, neither, out_of_bounds, several
from swell.api.masks import PROBE, disallowed_fields
from swell.api.meta import Obj
from swell.api.numbers import INT32_MAX

HANDLERS: Final = ("exec", "grpc", "httpGet", "tcpSocket")
UNNAMED_PORT: Final = "http"
_AGGRESSIVE: Final = ("failureThreshold", "timeoutSeconds")


def probe_faults(container: Obj, key: str, path: str, *, port: Obj | None) -> Iterator[FieldError]:
    """Of the probe under `key`. `port` is that of the container that serves; None for a sidecar."""
    if container.get(key) is None:
        return
    probe = fields.mapping(container, key, path)
    at = f"{path}.{key}"
    yield from disallowed_fields(probe, PROBE, at)
    given = [handler for handler in HANDLERS if probe.get(handler) is not None]
    if not given:
        yield neither(*(f"{at}.{handler}" for handler in HANDLERS))
    elif len(given) > 1:
        yield several(*(f"{at}.{handler}" for handler in given))
    for handler in ("httpGet", "tcpSocket"):
        if probe.get(handler) is not None:
            yield from _port_faults(fields.mapping(probe, handler, at), f"{at}.{handler}.port", port)


def readiness_faults(container: Obj, key: str, path: str, *, port: Obj | None) -> Iterator[FieldError]:
    """As `probe_faults`, with the rules of aggressive probing: a period of 0."""
    yield from probe_faults(container, key, path, port=port)
    if container.get(key) is None:
        return
    probe = fields.mapping(container, key, path)
    at = f"{path}.{key}"
    yield from _bounds(probe, "periodSeconds", 0, at)
    yield from _bounds(probe, "initialDelaySeconds", 0, at)
    yield from _bounds(probe, "successThreshold", 1, at)
    for name in _AGGRESSIVE:
        if fields.integer(probe, "periodSeconds", at):
            yield from _bounds(probe, name, 1, at)
        elif fields.integer(probe, name, at):
            yield FieldError(f"{name} is disallowed when periodSeconds is zero", (f"{at}.{name}",))


def _bounds(probe: Obj, key: str, low: int, path: str) -> Iterator[FieldError]:
    value = fields.integer(probe, key, path) or 0
    if value < low:
        yield out_of_bounds(value, low, INT32_MAX, f"{path}.{key}")


def _port_faults(handler: Obj, path: str, port: Obj | None) -> Iterator[FieldError]:
    """A probe by name must mean the serving port; a sidecar has no port that could be meant unsaid."""
    wanted = handler.get("port")
    if port is None:
        if not wanted:
            yield FieldError("Probe port must be specified", (path,))
    elif isinstance(wanted, str) and wanted and wanted != (port.get("name") or UNNAMED_PORT):
        yield invalid_value(wanted, path, "Probe port must match container port")
