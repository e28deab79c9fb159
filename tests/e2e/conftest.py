"""The same tests in every home: the embedded cluster in both ways of talking to its API, and Kubernetes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from swell.local.launch import launch
from swell.testing.home import Home, Objects, embedded

APP = Path(__file__).with_name("app.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "home" in metafunc.fixturenames:
        # With "rest" the embedded programs use the HTTPS API, as they do on Kubernetes.
        homes = ["kubernetes"] if metafunc.config.getoption("--home") == "kubernetes" else ["store", "rest"]
        metafunc.parametrize("home", homes, indirect=True, scope="session")


@pytest.fixture(scope="session")
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    if request.param == "kubernetes":
        yield request.getfixturevalue("kubernetes_cluster").home
        return
    cluster = launch(tmp_path_factory.mktemp(f"state-{request.param}"), via_rest=request.param == "rest")
    try:
        yield embedded(cluster, APP)
    finally:
        code = cluster.stop()
    assert code == 0, f"swell up ended with {code}"


@pytest.fixture
async def objects(home: Home) -> AsyncIterator[Objects]:
    async with home.client() as objects:
        yield objects
        await objects.clean()
