"""Manifests: read them from files, and work out what applying one changes. Knows no cluster."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.runtime.errors import SwellError

# kubectl keeps its memory under the same key, so that the two tools can take turns.
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class BadManifest(SwellError):
    """A manifest that cannot be read: which file, what was found, what is expected."""


def read_manifests(filenames: list[str]) -> list[Obj]:
    """All objects of files, folders (their .yaml, .yml and .json files) and "-" (stdin), in order."""
    found: list[Obj] = []
    for name in filenames:
        for source, text in _texts(name):
            found.extend(_objects(source, text))
    if not found:
        raise BadManifest(f"no objects in {', '.join(filenames)}")
    return found


def _texts(name: str) -> Iterator[tuple[str, str]]:
    if name == "-":
        yield "stdin", sys.stdin.read()
        return
    if name.startswith(("http://", "https://")):
        raise BadManifest(f"{name}: URLs are not read; download it, or pipe it in: curl -s {name} | swell apply -f -")
    path = Path(name)
    if path.is_dir():
        for child in sorted(path.iterdir()):
            if child.suffix in (".yaml", ".yml", ".json"):
                yield str(child), _read(child)
        return
    yield name, _read(path)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as exc:
        raise BadManifest(f"{path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadManifest(f"{path} is not text: {exc}") from exc


def _objects(source: str, text: str) -> Iterator[Obj]:
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as exc:
        raise BadManifest(f"{source} is not YAML: {exc}") from exc
    for number, document in enumerate(documents, 1):
        if document is None:
            continue
        where = f"{source}, document {number}"
        _require_mapping(where, document)
        items = document.get("items", []) if document.get("kind") == "List" else [document]
        for index, item in enumerate(items):
            _require_identity(where if item is document else f"{where}, items[{index}]", item)
            yield item


def _require_mapping(where: str, document: Any) -> None:
    if not isinstance(document, dict):
        raise BadManifest(f"{where}: expected an object, found {type(document).__name__}")


def _require_identity(where: str, document: Any) -> None:
    _require_mapping(where, document)
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str):
            raise BadManifest(f"{where}: {field} is missing")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise BadManifest(f"{where}: metadata.name is missing")


def remembering(wanted: Obj) -> Obj:
    """`wanted` with itself noted down as the last applied configuration."""
    bare = copy.deepcopy(wanted)
    annotations = bare.setdefault("metadata", {}).setdefault("annotations", {})
    annotations.pop(LAST_APPLIED, None)
    noted = copy.deepcopy(bare)
    noted["metadata"]["annotations"][LAST_APPLIED] = json.dumps(bare, separators=(",", ":"), sort_keys=True) + "\n"
    return noted


def apply_patch(live: Obj, wanted: Obj) -> Obj:
    """The JSON merge patch that makes `live` what `wanted` (from `remembering`) says; {} for no change.

    Fields that the last apply set and this one leaves out are removed; fields that others set stay. A list is
    written as a whole, unless it is as last applied and the live one only has more filled in, as defaults are.
    """
    noted = live.get("metadata", {}).get("annotations", {}).get(LAST_APPLIED)
    last: Obj = json.loads(noted) if noted else {}
    patch = _difference(live, wanted, last)
    _merge(patch, _removals(last, wanted, live))
    return patch


def _difference(live: Obj, wanted: Obj, last: Obj) -> Obj:
    patch: Obj = {}
    for field, value in wanted.items():
        found, before = live.get(field), last.get(field)
        if isinstance(value, dict) and isinstance(found, dict):
            inner = _difference(found, value, before if isinstance(before, dict) else {})
            if inner:
                patch[field] = inner
        elif found != value and not (before == value and _covers(found, value)):
            patch[field] = value
    return patch


def _covers(live: Any, wanted: Any) -> bool:
    """Whether everything in `wanted` is so in `live`, which may have more fields but no more items."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(field in live and _covers(live[field], value) for field, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(live) == len(wanted) and all(map(_covers, live, wanted))
    return bool(live == wanted)


def _removals(last: Obj, wanted: Obj, live: Obj) -> Obj:
    patch: Obj = {}
    for field, value in last.items():
        if field not in live:
            continue
        if field not in wanted:
            patch[field] = None
        elif isinstance(value, dict) and isinstance(wanted[field], dict) and isinstance(live[field], dict):
            inner = _removals(value, wanted[field], live[field])
            if inner:
                patch[field] = inner
    return patch


def _merge(into: Obj, more: Obj) -> None:
    for field, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(field), dict):
            _merge(into[field], value)
        else:
            into[field] = value


def describe(kind: Kind, obj: Obj) -> str:
    """How kubectl names an object in one word: `service.serving.knative.dev/hello`."""
    group = f".{kind.group}" if kind.group else ""
    return f"{kind.kind.lower()}{group}/{obj['metadata']['name']}"
