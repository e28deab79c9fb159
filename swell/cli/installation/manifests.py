"""The manifests that come with Swell: where they lie, and the objects that a kustomization makes of them.

Reads as much of kustomize as those files use: resources, and labels on objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

import swell
from swell.api.meta import Obj
from swell.cli.manifests import read_manifests
from swell.runtime.errors import SwellError

_KUSTOMIZATIONS: Final = ("kustomization.yaml", "Kustomization")
BASE: Final = Path("base")
BUDGETS: Final = Path("overlays", "high-availability", "disruption-budgets.yaml")


def folder() -> Path:
    """In the wheel, or beside the packages in a checkout. Raises `SwellError` if this installation has none."""
    package = Path(swell.__file__).parent
    for found in (package / "manifests", package.parent / "manifests"):
        if (found / BASE).is_dir():
            return found
    raise SwellError(f"the manifests are not part of this installation ({package}): install Swell from its wheel")


def base() -> list[Obj]:
    """What every installation has, made anew: the caller's to change."""
    return list(_built(folder() / BASE))


def disruption_budgets() -> list[Obj]:
    """What an installation with several of each program has beside that."""
    root = folder()
    return [_labelled(obj, _labels(_kustomization(root / BASE))) for obj in read_manifests([str(root / BUDGETS)])]


def _built(where: Path) -> Iterator[Obj]:
    kustomization = _kustomization(where)
    for resource in kustomization["resources"]:
        path = where / resource
        found = _built(path) if path.is_dir() else read_manifests([str(path)])
        for obj in found:
            yield _labelled(obj, _labels(kustomization))


def _kustomization(where: Path) -> dict[str, Any]:
    path = next(where / name for name in _KUSTOMIZATIONS if (where / name).exists())
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def _labels(kustomization: dict[str, Any]) -> dict[str, str]:
    return {key: value for entry in kustomization.get("labels", ()) for key, value in entry["pairs"].items()}


def _labelled(obj: Obj, labels: dict[str, str]) -> Obj:
    if labels:
        obj["metadata"]["labels"] = {**obj["metadata"].get("labels", {}), **labels}
    return obj
