"""One cluster per way of talking to its API, shared by the end-to-end tests."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from swell.local.images import Images
from swell.local.launch import RunningCluster, launch
from swell.testing.home import Home, Objects

APP = Path(__file__).with_name("app.py")


@pytest.fixture(scope="session", params=["store", "rest"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """The embedded cluster; with "rest" its programs use the HTTPS API, as they would on Kubernetes."""
    state = tmp_path_factory.mktemp(f"state-{request.param}")
    cluster = launch(state, via_rest=request.param == "rest")
    Images(state).add("e2e-app", command=f"{sys.executable} {APP}")
    try:
        yield cluster
    finally:
        code = cluster.stop()
    assert code == 0, f"swell up ended with {code}"


@pytest.fixture(scope="session")
def home(running: RunningCluster) -> Home:
    config = running.config
    return Home(
        gateway=f"127.0.0.1:{config.gateway_port}",
        domain=f"localhost:{config.gateway_port}",
        kubeconfig=config.kubeconfig,
    )


@pytest.fixture
async def objects(home: Home) -> AsyncIterator[Objects]:
    async with home.client() as objects:
        yield objects
        await objects.clean()
