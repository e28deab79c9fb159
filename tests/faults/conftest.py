"""A cluster of its own for each fault: these tests kill parts of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.local.launch import RunningCluster, launch
from swell.testing.home import Home, embedded

APP = Path(__file__).parent.parent / "e2e" / "app.py"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RunningCluster]:
    running = launch(tmp_path)
    yield running
    assert running.stop() == 0


@pytest.fixture
def home(cluster: RunningCluster) -> Home:
    return embedded(cluster, APP)
