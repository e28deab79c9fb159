"""Bodies of requests: from bytes and a content type to JSON, or a patch and its type."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Literal

import orjson

from swell.local.apiserver.failures import bad_request, unsupported_media
from swell.local.apiserver.registry import Registry

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
Patching = Literal["json", "merge", "strategic", "apply"]
PATCH_TYPES: Final[dict[str, Patching]] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


def media_type(content_type: str) -> str:
    """Without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def decode(
    body: bytes, content_type: str, registry: Registry, on_duplicate: Callable[[str], None] | None = None
) -> Any:
    """The object in `body`; `on_duplicate` hears the path of each field that is there twice.

    The registry's types are needed for protobuf only.
    Raises `Invalid` for what cannot be read, `KubeError` 415 for a type that is not known.
    """
    kind = media_type(content_type) or JSON
    if kind == PROTOBUF:
        from swell.local.apiserver.protobuf import decode_object

        return decode_object(registry.types, body)
    if kind == YAML:
        return _from_yaml(body)
    if kind != JSON:
        raise unsupported_media(content_type, f"accepted media types include: {JSON}, {YAML}, {PROTOBUF}")
    found = _from_json(body)
    if on_duplicate is not None:
        for path in duplicates(body):
            on_duplicate(path)
    return found


def decode_patch(body: bytes, content_type: str) -> tuple[Any, Patching]:
    """The patch and how it is meant; raises as `decode` does."""
    kind = PATCH_TYPES.get(media_type(content_type))
    if kind is None:
        raise unsupported_media(content_type, f"accepted media types include: {', '.join(PATCH_TYPES)}")
    return (_from_yaml(body) if kind == "apply" else _from_json(body)), kind


def _from_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError as exc:
        raise bad_request(f"the body is not valid JSON: {exc}") from exc


def _from_yaml(body: bytes) -> Any:
    try:
        # Most clients send JSON, which is YAML too, and needs no library.
        return orjson.loads(body)
    except ValueError:
        import yaml

        try:
            found = yaml.safe_load(body)
            # What JSON has no word for, such as dates, becomes text.
            return orjson.loads(orjson.dumps(found, default=str))
        except (yaml.YAMLError, TypeError) as exc:
            raise bad_request(f"the body is not valid YAML: {exc}") from exc


class _Twice(dict[str, Any]):
    """An object of which some fields are there twice."""

    __slots__ = ("names",)
    names: list[str]


def duplicates(body: bytes) -> list[str]:
    """The paths of the fields that are there twice; only the last one of each counts."""
    seen = 0

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal seen
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        seen += 1
        twice = _Twice(found)
        names = [name for name, _ in pairs]
        twice.names = sorted({name for name in names if names.count(name) > 1})
        return twice

    document = json.loads(body, object_pairs_hook=made)
    paths: list[str] = []
    if seen:
        _collect(document, "", paths)
    return paths


def _collect(value: Any, path: str, paths: list[str]) -> None:
    if isinstance(value, dict):
        if isinstance(value, _Twice):
            paths.extend(f"{path}.{name}".lstrip(".") for name in value.names)
        for key, item in value.items():
            _collect(item, f"{path}.{key}".lstrip("."), paths)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect(item, f"{path}[{index}]", paths)
