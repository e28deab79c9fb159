"""Layers kept between runs, by a key of all that went into them: `~/.cache/swell/images`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from image.archive import Layer, write_layer

# Layers of one name that stay: those used last.
KEPT: Final = 3
KEY_LENGTH: Final = 32


def folder() -> Path:
    """Where the cache lies; the environment variable SWELL_CACHE moves its root."""
    root = os.environ.get("SWELL_CACHE") or Path.home() / ".cache" / "swell"
    return Path(root).expanduser() / "images"


def layer(name: str, key: str, make: Callable[[Path], None]) -> Layer:
    """The layer of that name and key; `make` fills an empty folder with its content if there is none yet."""
    path = folder() / f"{name}-{key[:KEY_LENGTH]}.tar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{name}-") as work:
            tree = Path(work, "tree")
            tree.mkdir()
            make(tree)
            write_layer(tree, Path(work, "layer.tar"))
            Path(work, "layer.tar").replace(path)
    path.touch()
    _forget(name)
    return Layer.read(path)


@contextmanager
def unpacked(packed: Layer) -> Iterator[Path]:
    """The files of a layer, in a folder that lives as long as the context."""
    with tempfile.TemporaryDirectory(dir=folder(), prefix=".unpacked-") as work:
        # Python's own tarfile cannot be told the same way in all versions to keep links as they are.
        subprocess.run(["tar", "--extract", "--file", packed.path, "--directory", work], check=True)
        yield Path(work)


def _forget(name: str) -> None:
    """Remove all but the layers of that name that were used last."""
    used = sorted(folder().glob(f"{name}-{'?' * KEY_LENGTH}.tar"), key=lambda path: path.stat().st_mtime)
    for path in used[:-KEPT]:
        path.unlink(missing_ok=True)
