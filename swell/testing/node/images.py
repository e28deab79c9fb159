"""Images of one static program, as docker-archive tars: what a node needs before it can load any other."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from swell.testing.node.layout import PAUSE_IMAGE
from swell.testing.node.packages import BUSYBOX

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_EPOCH: Final = "1970-01-01T00:00:00Z"


def write_pause(path: Path) -> None:
    """The container that holds a pod's namespaces: it sleeps until it is killed."""
    write_busybox(path, PAUSE_IMAGE, ("/bin/busybox", "sleep", "2147483647"))


def write_busybox(path: Path, reference: str, entrypoint: Sequence[str]) -> None:
    """An image with nothing but `/bin/busybox`, called `reference`."""
    layer = _tar({"bin/busybox": (BUSYBOX.read_bytes(), 0o755)})
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "created": _EPOCH,
            "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/bin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": [f"{digest}/layer.tar"]}]
    files = {
        name: (config, 0o644),
        f"{digest}/layer.tar": (layer, 0o644),
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
    }
    path.write_bytes(_tar(files))


def references(path: Path) -> list[str]:
    """The names of the images in a docker-archive tar."""
    with tarfile.open(path) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        return [name for image in json.load(manifest) for name in image["RepoTags"] or ()]


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """The same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
