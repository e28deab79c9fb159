"""Layers and images as files: a folder becomes a layer, layers become a docker-archive. Same input, same bytes.

Such an archive is what `docker load`, `podman load`, `ctr images import` and `skopeo copy docker-archive:` read.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

# No time: an image is what it holds, not when it was made.
CREATED: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Layer:
    """A tar of files on disk. `digest` is the SHA-256 of its bytes, in hex."""

    path: Path
    digest: str

    @classmethod
    def read(cls, path: Path) -> Layer:
        """The layer that `path` holds."""
        with path.open("rb") as file:
            return cls(path, hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True, slots=True)
class Image:
    """All that makes an image, its layers from the bottom up. `architecture` is Go's word, as OCI has it."""

    reference: str
    architecture: str
    layers: Sequence[Layer]
    entrypoint: Sequence[str]
    user: str
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def config(self) -> bytes:
        """The image's configuration as JSON; its SHA-256 is the image's id."""
        return _json(
            {
                "architecture": self.architecture,
                "os": "linux",
                "created": CREATED,
                "config": {
                    "Entrypoint": list(self.entrypoint),
                    "Env": [f"{key}={value}" for key, value in sorted(self.environment.items())],
                    "Labels": dict(self.labels),
                    "User": self.user,
                    "WorkingDir": "/",
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers]},
                "history": [{"created": CREATED} for _ in self.layers],
            }
        )


def write_layer(tree: Path, path: Path) -> Layer:
    """Write all that is below `tree` to the tar `path`: sorted, owned by root, without times."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for entry in sorted(tree.rglob("*")):
            info = _anonymous(tar.gettarinfo(entry, entry.relative_to(tree).as_posix()))
            if info.isreg():
                with entry.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return Layer.read(path)


def write_archive(image: Image, path: Path) -> bool:
    """Write `image` to the docker-archive `path`; False if the file already holds just that image."""
    config = image.config()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    names = [f"{layer.digest}/layer.tar" for layer in image.layers]
    manifest = _json([{"Config": config_name, "RepoTags": [image.reference], "Layers": names}])
    if _holds(path, manifest):
        return False
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with tarfile.open(unfinished, "w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, "manifest.json", manifest)
        _add(tar, config_name, config)
        for name, layer in zip(names, image.layers, strict=True):
            info = tarfile.TarInfo(name)
            info.size = layer.path.stat().st_size
            with layer.path.open("rb") as file:
                tar.addfile(info, file)
    unfinished.replace(path)
    return True


def digest_of(parts: Iterable[bytes]) -> str:
    """One SHA-256, in hex, of several byte strings, whose borders count."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what depends on the machine and the hour. Modes: 755 or 644; a folder for all keeps its bits."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    if info.isdir():
        info.mode = 0o1777 if info.mode & stat.S_ISVTX else 0o755
    elif info.isreg():
        info.mode = 0o755 if info.mode & stat.S_IXUSR else 0o644
    return info


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _holds(path: Path, manifest: bytes) -> bool:
    """The manifest names config and layers by their content and comes first, so it stands for the whole."""
    try:
        with tarfile.open(path) as tar:
            first = tar.next()
            body = tar.extractfile(first) if first is not None else None
            return body is not None and body.read() == manifest
    except (OSError, tarfile.TarError):
        return False


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
