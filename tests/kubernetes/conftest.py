"""Tests that need a real Kubernetes; they are collected only when this folder, or a file in it, is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from swell.testing.kubernetes import KUBECONFIG

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """They take root, minutes and a gigabyte: who runs all tests does not ask for that."""
    named = (Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args)
    return None if any(path.is_relative_to(HERE) for path in named) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Installations are tried on the node before Swell is installed there for all others."""
    items.sort(key=lambda item: "blank_cluster" not in getattr(item, "fixturenames", ()))


@dataclass(frozen=True, slots=True)
class Blank:
    """A cluster without Swell. `kubeconfig` is an administrator's."""

    kubeconfig: Path


@pytest.fixture(scope="session")
def blank_cluster(request: pytest.FixtureRequest) -> Iterator[Blank]:
    if kubeconfig := os.environ.get(KUBECONFIG):
        yield Blank(Path(kubeconfig))
    else:
        yield Blank(request.getfixturevalue("node").kubeconfig)
