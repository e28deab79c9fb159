"""A cluster of its own for each fault: these tests kill parts of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.local.images import Images
from swell.local.launch import RunningCluster, launch
from swell.testing.home import Home

APP = Path(__file__).parent.parent / "e2e" / "app.py"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RunningCluster]:
    running = launch(tmp_path)
    Images(tmp_path).add("e2e-app", command=f"{sys.executable} {APP}")
    yield running
    assert running.stop() == 0


@pytest.fixture
def home(cluster: RunningCluster) -> Home:
    port = cluster.config.gateway_port
    return Home(f"127.0.0.1:{port}", f"localhost:{port}", cluster.config.kubeconfig)
