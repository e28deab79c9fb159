"""Layers and archives, read back as an engine reads them."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from image.archive import Image, Layer, write_archive, write_layer


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with each kind of entry that an image has."""
    root = tmp_path / "tree"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/python3.11").write_bytes(b"\x7fELF")
    (root / "usr/bin/python3.11").chmod(0o700)
    (root / "usr/bin/python3").symlink_to("python3.11")
    (root / "etc").mkdir(mode=0o700)
    (root / "etc/passwd").write_text("root:x:0:0\n")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    return root


def image(*layers: Layer, reference: str = "dev.local/swell:1") -> Image:
    return Image(
        reference, "amd64", layers, ("/usr/bin/python3", "-m"), "65532:65532", {"PATH": "/usr/bin"}, {"a": "b"}
    )


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        files = {info.name: tar.extractfile(info) for info in tar if info.isreg()}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_a_layer_holds_the_tree_with_links_and_modes_that_any_user_can_read(tree: Path, tmp_path: Path) -> None:
    layer = write_layer(tree, tmp_path / "layer.tar")

    with tarfile.open(layer.path) as tar:
        seen = {info.name: (info.mode, info.linkname) for info in tar}
    assert seen == {
        "etc": (0o755, ""),
        "etc/passwd": (0o644, ""),
        "tmp": (0o1777, ""),
        "usr": (0o755, ""),
        "usr/bin": (0o755, ""),
        "usr/bin/python3": (0o777, "python3.11"),
        "usr/bin/python3.11": (0o755, ""),
    }
    assert layer.digest == hashlib.sha256(layer.path.read_bytes()).hexdigest()


def test_the_same_files_make_the_same_layer_whenever_and_by_whomever_they_were_written(
    tree: Path, tmp_path: Path
) -> None:
    first = write_layer(tree, tmp_path / "first.tar")
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (1, 1), follow_symlinks=False)
        if os.geteuid() == 0:
            os.chown(path, 1000, 1000, follow_symlinks=False)
    assert write_layer(tree, tmp_path / "second.tar").digest == first.digest

    (tree / "etc/passwd").write_text("root:x:0:1\n")
    assert write_layer(tree, tmp_path / "third.tar").digest != first.digest


def test_an_archive_names_its_config_and_layers_by_their_content(tree: Path, tmp_path: Path) -> None:
    lower = write_layer(tree, tmp_path / "lower.tar")
    (tree / "app.py").write_text("print(1)\n")
    upper = write_layer(tree, tmp_path / "upper.tar")
    write_archive(image(lower, upper), tmp_path / "swell.tar")

    files = members(tmp_path / "swell.tar")
    (manifest,) = json.loads(files["manifest.json"])
    config: dict[str, Any] = json.loads(files[manifest["Config"]])
    assert manifest["RepoTags"] == ["dev.local/swell:1"]
    assert manifest["Config"] == hashlib.sha256(files[manifest["Config"]]).hexdigest() + ".json"
    assert [f"sha256:{hashlib.sha256(files[name]).hexdigest()}" for name in manifest["Layers"]] == (
        config["rootfs"]["diff_ids"]
    )
    assert files[manifest["Layers"][1]] == upper.path.read_bytes()
    assert config["config"] == {
        "Entrypoint": ["/usr/bin/python3", "-m"],
        "Env": ["PATH=/usr/bin"],
        "Labels": {"a": "b"},
        "User": "65532:65532",
        "WorkingDir": "/",
    }
    assert (config["architecture"], config["os"], len(config["history"])) == ("amd64", "linux", 2)


def test_an_archive_is_written_anew_only_when_the_image_is_another(tree: Path, tmp_path: Path) -> None:
    layer = write_layer(tree, tmp_path / "layer.tar")
    path = tmp_path / "swell.tar"

    assert write_archive(image(layer), path)
    first = path.read_bytes()
    assert not write_archive(image(layer), path)
    assert write_archive(image(layer, reference="dev.local/swell:2"), path)
    assert write_archive(image(layer), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("found", [b"", b"no tar at all", b"\0" * 10240], ids=["empty", "text", "an empty tar"])
def test_a_file_that_is_no_archive_is_replaced(tree: Path, tmp_path: Path, found: bytes) -> None:
    layer = write_layer(tree, tmp_path / "layer.tar")
    path = tmp_path / "swell.tar"
    path.write_bytes(found)

    assert write_archive(image(layer), path)
    assert "manifest.json" in members(path)
    assert [entry.name for entry in tmp_path.glob(".*")] == []
