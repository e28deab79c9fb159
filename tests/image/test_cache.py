"""Layers kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image import cache


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWELL_CACHE", str(tmp_path))
    return tmp_path / "images"


class Maker:
    """Fills a folder, and counts how often it was asked."""

    def __init__(self, content: str = "content") -> None:
        self.content = content
        self.asked = 0

    def __call__(self, tree: Path) -> None:
        self.asked += 1
        (tree / "file").write_text(self.content)


def key(number: int) -> str:
    return f"{number:064x}"[::-1]


def test_a_layer_is_made_once_for_each_key() -> None:
    make = Maker()
    first = cache.layer("base", key(1), make)
    assert cache.layer("base", key(1), make) == first
    assert make.asked == 1

    cache.layer("base", key(2), make)
    assert make.asked == 2


def test_a_layer_can_be_unpacked_again() -> None:
    with cache.unpacked(cache.layer("base", key(1), Maker("hello"))) as tree:
        assert (tree / "file").read_text() == "hello"
    assert not tree.exists()


def test_a_layer_that_could_not_be_made_leaves_nothing(root: Path) -> None:
    def fail(tree: Path) -> None:
        (tree / "half").write_text("")
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError):
        cache.layer("base", key(1), fail)
    assert list(root.iterdir()) == []


def test_only_the_layers_that_were_used_last_stay(root: Path) -> None:
    for number in range(cache.KEPT):
        path = cache.layer("project", key(number), Maker()).path
        os.utime(path, (number, number))
    other = cache.layer("base", key(0), Maker()).path
    again = cache.layer("project", key(0), Maker()).path  # used now, so the oldest is number 1

    cache.layer("project", key(99), Maker())

    assert set(root.glob("project-*")) == {
        again,
        *(root / f"project-{key(number)[: cache.KEY_LENGTH]}.tar" for number in (2, 99)),
    }
    assert other.exists()
