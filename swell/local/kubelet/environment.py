"""A container's environment: values, references, fields, and the ports that it really has. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from swell.api.kinds import CONFIG_MAP, SECRET, Kind
from swell.api.meta import Obj
from swell.local.kubelet.podspec import PodFacts

Source = tuple[Kind, str]
Sources = Mapping[Source, Obj | None]

# What every process gets from the cluster's own environment, as an image would have it.
INHERITED: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_PORT_NAMES: Final = ("PORT", "USER_PORT")
_PROBE_NAME: Final = "SERVING_READINESS_PROBE"
_REFERENCE: Final = re.compile(r"\$(\$|\(([^()]*)\))")
_KEYED_FIELD: Final = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


class ConfigError(Exception):
    """A container that cannot be started as it is written; says which field, and why."""


def sources_of(container: Mapping[str, Any]) -> list[Source]:
    """The ConfigMaps and Secrets that its environment is made from. Raises `ConfigError` for one without a name."""
    found: dict[Source, None] = {}
    for entry in container.get("envFrom") or ():
        for key, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
            if key in entry:
                found[kind, _name_in(entry[key], f"envFrom.{key}")] = None
    for variable in container.get("env") or ():
        origin = variable.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
            if key in origin:
                found[kind, _name_in(origin[key], f"env {variable['name']}: valueFrom.{key}")] = None
    return list(found)


def _name_in(reference: Mapping[str, Any], where: str) -> str:
    name = reference.get("name")
    if not name:
        raise ConfigError(f"{where}.name is missing: which object is meant?")
    return str(name)


def declared(container: Mapping[str, Any], pod: Obj, facts: PodFacts, sources: Sources) -> dict[str, str]:
    """The variables that the container's spec gives it, references resolved. Raises `ConfigError`."""
    env: dict[str, str] = {}
    for entry in container.get("envFrom") or ():
        env.update(_all_of(entry, sources))
    for variable in container.get("env") or ():
        value = _value(variable, pod, facts, sources, env)
        if value is not None:
            env[variable["name"]] = value
    return env


def with_real_ports(env: Mapping[str, str], ports: Mapping[int, int], port: int | None) -> dict[str, str]:
    """`env` with the ports that apps really have; `port` is the one that PORT tells if nothing else says so."""
    by_text = {str(asked): str(real) for asked, real in ports.items()}
    changed = dict(env)
    if port is not None:
        changed.setdefault("PORT", str(port))
    for name in _PORT_NAMES:
        if name in changed:
            changed[name] = by_text.get(changed[name], changed[name])
    if changed.get(_PROBE_NAME):
        changed[_PROBE_NAME] = _probe_with_real_ports(changed[_PROBE_NAME], ports)
    return changed


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where NAME is known; `$$(NAME)` gives `$(NAME)`."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return env.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def _value(
    variable: Mapping[str, Any], pod: Obj, facts: PodFacts, sources: Sources, env: Mapping[str, str]
) -> str | None:
    origin = variable.get("valueFrom")
    if not origin:
        return expand(str(variable.get("value") or ""), env)
    if "fieldRef" in origin:
        return _field(origin["fieldRef"].get("fieldPath", ""), pod, facts)
    for key, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        if key in origin:
            return _key_of(kind, origin[key], sources)
    raise ConfigError(f"env {variable['name']}: valueFrom.{next(iter(origin))} is not supported by this runtime")


def _field(path: str, pod: Obj, facts: PodFacts) -> str:
    meta = pod["metadata"]
    match = _KEYED_FIELD.fullmatch(path)
    if match is not None:
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    fields = {
        "metadata.name": facts.name,
        "metadata.namespace": facts.namespace,
        "metadata.uid": facts.uid,
        "spec.nodeName": facts.node,
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.podIP": facts.ip,
        "status.podIPs": facts.ip,
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
    }
    if path not in fields:
        raise ConfigError(f"fieldRef {path!r} is not supported; there are: {', '.join(fields)}")
    return str(fields[path])


def _key_of(kind: Kind, reference: Mapping[str, Any], sources: Sources) -> str | None:
    name, key = reference["name"], reference["key"]
    obj = sources.get((kind, name))
    found = _data(kind, obj).get(key) if obj is not None else None
    if found is None and not reference.get("optional"):
        what = f"{kind.kind.lower()} {name!r}"
        raise ConfigError(f"{what} not found" if obj is None else f"couldn't find key {key} in {what}")
    return found


def _all_of(entry: Mapping[str, Any], sources: Sources) -> Iterator[tuple[str, str]]:
    prefix = entry.get("prefix", "")
    for field, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
        if field not in entry:
            continue
        reference = entry[field]
        obj = sources.get((kind, reference["name"]))
        if obj is None and not reference.get("optional"):
            raise ConfigError(f"{kind.kind.lower()} {reference['name']!r} not found")
        for key, value in _data(kind, obj or {}).items():
            yield f"{prefix}{key}", value


def _data(kind: Kind, obj: Mapping[str, Any]) -> dict[str, str]:
    data = obj.get("data") or {}
    if kind == SECRET:
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return dict(data)


def _probe_with_real_ports(text: str, ports: Mapping[int, int]) -> str:
    try:
        probe = json.loads(text)
    except ValueError:
        return text  # the queue-proxy says what is wrong with it
    return json.dumps(_replaced(probe, ports), separators=(",", ":"))


def _replaced(part: Any, ports: Mapping[int, int]) -> Any:
    if isinstance(part, list):
        return [_replaced(each, ports) for each in part]
    if not isinstance(part, dict):
        return part
    return {key: _real(value, ports) if key == "port" else _replaced(value, ports) for key, value in part.items()}


def _real(port: Any, ports: Mapping[int, int]) -> Any:
    if isinstance(port, str):
        return str(ports.get(int(port), int(port))) if port.isdecimal() else port
    return ports.get(port, port)
