"""Faults of volumes and of where they are mounted (spec api 4.4)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Final

from swell.api import fields
from swell.api.defaults_podspec import WRITABLE
from swell.api.field_errors import FieldError, invalid_value, missing, neither, several
from swell.api.masks import VOLUME_FEATURES, disallowed_fields, mount_mask, volume_mask
from swell.api.meta import Obj
from swell.api.names import is_dns1123_label
from swell.api.settings import Features
from swell.api.values import quantity

RESERVED_PATHS: Final = frozenset({"/", "/dev", "/dev/log"})
PROPAGATIONS: Final = ("None", "HostToContainer")
PULL_POLICIES: Final = ("", "Always", "IfNotPresent", "Never")
_SOURCES: Final = ("secret", "configMap", "projected", *VOLUME_FEATURES)
# How messages call the types that are off unless a feature says otherwise; claims have words of their own.
_TITLES: Final = {
    "emptyDir": "EmptyDir",
    "hostPath": "HostPath",
    "csi": "CSI",
    "ephemeral": "Ephemeral",
    "image": "Image",
}


def volume_faults(
    volumes: tuple[Obj, ...], containers: Iterable[Obj], features: Features, path: str
) -> Iterator[FieldError]:
    """Every fault of the pod's volumes; `containers` are all that may mount them."""
    mounted = {
        mount.get("name") for container in containers for mount in fields.objects(container, "volumeMounts", path)
    }
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{path}.volumes[{index}]"
        name = fields.text(volume, "name", at)
        yield from _name_faults(name, names, mounted, f"{at}.name")
        yield from _off_faults(volume, name, features)
        yield from disallowed_fields(volume, volume_mask(features), at)
        yield from _source_faults(volume, features, at)
        names.add(name)


def _name_faults(name: str, names: set[str], mounted: set[str | None], path: str) -> Iterator[FieldError]:
    if not name:
        yield missing(path)
    elif not is_dns1123_label(name):
        yield invalid_value(name, path)
    if name in names:
        yield FieldError(f'duplicate volume name "{name}"', (path,))
    if name not in mounted:
        yield FieldError(f'volume with name "{name}" not mounted', (path,))


def _off_faults(volume: Obj, name: str, features: Features) -> Iterator[FieldError]:
    """Volume types whose feature is not exactly Enabled. These errors have no path."""
    for key, title in _TITLES.items():
        if volume.get(key) is not None and not features.enabled(VOLUME_FEATURES[key]):
            yield FieldError(f"{title} volume support is disabled, but found {title} volume {name}")
    if volume.get("persistentVolumeClaim") is None:
        return
    claim = fields.mapping(volume, "persistentVolumeClaim")
    found = f"but found persistent volume claim {claim.get('claimName', '')}"
    if not features.enabled(VOLUME_FEATURES["persistentVolumeClaim"]):
        yield FieldError(f"Persistent volume claim support is disabled, {found}")
    if not claim.get("readOnly") and not features.enabled("kubernetes.podspec-persistent-volume-write"):
        yield FieldError(f"Persistent volume write support is disabled, {found} that is not read-only")


def _source_faults(volume: Obj, features: Features, path: str) -> Iterator[FieldError]:
    given = [key for key in _SOURCES if volume.get(key) is not None]
    if not given:
        offered = [key for key in _SOURCES if key not in VOLUME_FEATURES or features.enabled(VOLUME_FEATURES[key])]
        yield neither(*(f"{path}.{key}" for key in offered))
    elif len(given) > 1:
        yield several(*(f"{path}.{key}" for key in given))
    if "emptyDir" in given:
        yield from _empty_dir_faults(fields.mapping(volume, "emptyDir", path), f"{path}.emptyDir")
    if "image" in given:
        yield from _image_faults(fields.mapping(volume, "image", path), f"{path}.image")


def _empty_dir_faults(source: Obj, path: str) -> Iterator[FieldError]:
    medium = fields.text(source, "medium", path)
    if medium not in ("", "Memory"):
        yield invalid_value(medium, f"{path}.medium")
    limit = source.get("sizeLimit")
    if limit is None:
        return
    size = quantity(limit) if isinstance(limit, str | int | float) else None
    if size is None or size < 0:
        yield invalid_value(limit, f"{path}.sizeLimit")


def _image_faults(source: Obj, path: str) -> Iterator[FieldError]:
    if not fields.text(source, "reference", path):
        yield missing(f"{path}.reference")
    policy = fields.text(source, "pullPolicy", path)
    if policy not in PULL_POLICIES:
        yield invalid_value(policy, f"{path}.pullPolicy")


def mount_faults(container: Obj, volumes: tuple[Obj, ...], features: Features, path: str) -> Iterator[FieldError]:
    """Every fault of one container's mounts."""
    by_name = {volume.get("name"): volume for volume in volumes}
    paths: set[str] = set()
    for index, mount in enumerate(fields.objects(container, "volumeMounts", path)):
        at = f"{path}.volumeMounts[{index}]"
        yield from disallowed_fields(mount, mount_mask(features), at)
        volume = by_name.get(mount.get("name"))
        if volume is None:
            yield FieldError("volumeMount has no matching volume", (f"{at}.name",))
        yield from _path_faults(fields.text(mount, "mountPath", at), paths, f"{at}.mountPath")
        yield from _read_only_faults(mount, volume or {}, f"{at}.readOnly")
        propagation = mount.get("mountPropagation")
        if propagation is not None and propagation not in PROPAGATIONS:
            yield invalid_value(propagation, f"{at}.mountPropagation")


def _path_faults(mount_path: str, paths: set[str], path: str) -> Iterator[FieldError]:
    clean = "/" + posixpath.normpath(mount_path).lstrip("/") if mount_path.startswith("/") else mount_path
    if not mount_path:
        yield missing(path)
    elif clean in RESERVED_PATHS:
        yield FieldError(f'mountPath "{clean}" is a reserved path', (path,))
    elif not mount_path.startswith("/"):
        yield invalid_value(mount_path, path)
    elif clean in paths:
        yield invalid_value(f'"{mount_path}" must be unique', path)
    paths.add(clean)


def _read_only_faults(mount: Obj, volume: Obj, path: str) -> Iterator[FieldError]:
    if mount.get("readOnly"):
        return
    if all(volume.get(kind) is None for kind in WRITABLE):
        yield FieldError("volume mount should be readOnly for this type of volume", (path,))
    claim = fields.mapping(volume, "persistentVolumeClaim")
    if claim.get("readOnly"):
        yield FieldError("volume is readOnly but volume mount is not", (path,))
