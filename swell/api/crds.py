"""The CustomResourceDefinitions of our kinds (spec api 1.1, 1.2); `python -m swell.api.crds` writes manifests/crds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swell.api import crd_schemas, labels
from swell.api.kinds import CONFIGURATION, CUSTOM_RESOURCE_DEFINITION, POD_AUTOSCALER, REVISION, ROUTE, SERVICE, Kind
from swell.api.meta import Obj

FOLDER: Final = Path(__file__).resolve().parents[2] / "manifests" / "crds"
HEADER: Final = "# Written by `make crds` from swell/api/crd*.py: change it there.\n"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`, beside the name."""

    name: str
    path: str
    type: str = "string"

    def to_obj(self) -> Obj:
        return {"name": self.name, "type": self.type, "jsonPath": self.path}


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind, as it appears in the API. `ducks` are the shapes that tools may count on."""

    kind: Kind
    schema: Callable[[], Obj]
    columns: tuple[Column, ...]
    short_names: tuple[str, ...]
    categories: tuple[str, ...] = ("all", "knative", "serving")
    ducks: tuple[str, ...] = ()

    def to_obj(self) -> Obj:
        ducks = {f"duck.knative.dev/{duck}": "true" for duck in self.ducks}
        return {
            "apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version,
            "kind": CUSTOM_RESOURCE_DEFINITION.kind,
            "metadata": {
                "name": str(self.kind),
                "labels": {"app.kubernetes.io/name": "swell", "knative.dev/crd-install": "true", **ducks},
            },
            "spec": {
                "group": self.kind.group,
                "names": self._names(),
                "scope": "Namespaced",
                "versions": [self._version()],
            },
        }

    def _names(self) -> Obj:
        return {
            "kind": self.kind.kind,
            "listKind": f"{self.kind.kind}List",
            "plural": self.kind.plural,
            "singular": self.kind.kind.lower(),
            "shortNames": list(self.short_names),
            "categories": list(self.categories),
        }

    def _version(self) -> Obj:
        return {
            "name": self.kind.version,
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "additionalPrinterColumns": [column.to_obj() for column in self.columns],
            "schema": {"openAPIV3Schema": self.schema()},
        }


def _label(key: str) -> str:
    escaped = key.replace(".", "\\.")
    return f".metadata.labels['{escaped}']"


def _ready(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


_URL: Final = Column("URL", ".status.url")
_LATEST_CREATED: Final = Column("LatestCreated", ".status.latestCreatedRevisionName")
_LATEST_READY: Final = Column("LatestReady", ".status.latestReadyRevisionName")
_READY: Final = Column("Ready", _ready("status"))
_REASON: Final = Column("Reason", _ready("reason"))

DEFINITIONS: Final = (
    Definition(
        SERVICE,
        crd_schemas.service,
        (_URL, _LATEST_CREATED, _LATEST_READY, _READY, _REASON),
        ("kservice", "ksvc"),
        ducks=("addressable", "podspecable"),
    ),
    Definition(
        CONFIGURATION,
        crd_schemas.configuration,
        (_LATEST_CREATED, _LATEST_READY, _READY, _REASON),
        ("config", "cfg"),
        ducks=("podspecable",),
    ),
    Definition(
        REVISION,
        crd_schemas.revision,
        (
            Column("Config Name", _label(labels.CONFIGURATION)),
            Column("Generation", _label(labels.CONFIGURATION_GENERATION)),
            _READY,
            _REASON,
            Column("Actual Replicas", ".status.actualReplicas", "integer"),
            Column("Desired Replicas", ".status.desiredReplicas", "integer"),
        ),
        ("rev",),
    ),
    Definition(ROUTE, crd_schemas.route, (_URL, _READY, _REASON), ("rt",), ducks=("addressable",)),
    Definition(
        POD_AUTOSCALER,
        crd_schemas.pod_autoscaler,
        (
            Column("DesiredScale", ".status.desiredScale", "integer"),
            Column("ActualScale", ".status.actualScale", "integer"),
            _READY,
            _REASON,
        ),
        ("kpa", "pa"),
        ("knative-internal", "autoscaling"),
    ),
)


def definitions() -> list[Obj]:
    """All definitions, made anew: the caller's to change."""
    return [definition.to_obj() for definition in DEFINITIONS]


def file_name(definition: Obj) -> str:
    """The file of a definition in manifests/crds."""
    return f"{definition['spec']['names']['singular']}.yaml"


def to_yaml(definition: Obj) -> str:
    """The text of that file."""
    import yaml  # only to write the files: programs take the objects

    # Through a dumper without anchors: two columns that are the same object are still written twice.
    dumper = type("_Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return HEADER + yaml.dump(definition, Dumper=dumper, sort_keys=False, width=120, allow_unicode=True)


def write(folder: Path = FOLDER) -> list[Path]:
    """Write all files, and remove those of kinds that are no longer defined; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / file_name(definition): to_yaml(definition) for definition in definitions()}
    for old in folder.glob("*.yaml"):
        if old not in wanted:
            old.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    return sorted(wanted)


if __name__ == "__main__":
    for path in write():
        print(path)
