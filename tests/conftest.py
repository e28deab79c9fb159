"""All tests run on the loop that the programs run on."""

from __future__ import annotations

import gc
import os
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

if TYPE_CHECKING:
    from swell.testing.kubernetes import Installed
    from swell.testing.node.node import Node


def pytest_asyncio_loop_factories(config: object, item: object) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Transports, their classes and the order of their callbacks differ between loops."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--home",
        choices=("embedded", "kubernetes"),
        default="embedded",
        help="where tests/e2e runs; kubernetes: a node made for it, or the cluster of SWELL_TEST_KUBECONFIG",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where a run must be over at a given time, unix seconds in SWELL_TESTS_UNTIL, the rest is told as skipped."""
    until = os.environ.get("SWELL_TESTS_UNTIL")
    if until and time.time() > float(until):
        pytest.skip("no time is left for it: SWELL_TESTS_UNTIL has passed")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """What a test of gRPC leaves is collected now. Its end joins a thread: in a child that uvloop forks, where later
    collections may happen too, there is no such thread, and it would wait for ever.
    """
    if isinstance(item, pytest.Function) and hasattr(item.module, "grpc"):
        gc.collect()


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The project's images."""
    from swell.testing.kubernetes import write_images

    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def node(archives: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A Kubernetes node of our own, with the tests in its network; skips where there can be none, e.g. without root."""
    from swell.testing.kubernetes import KUBECONFIG
    from swell.testing.node import binaries
    from swell.testing.node.errors import MissingPrograms
    from swell.testing.node.node import Node

    if os.environ.get(KUBECONFIG):
        pytest.skip(f"{KUBECONFIG} names a cluster; this needs a node of its own")
    try:
        binaries.provide_kubectl()
        node = Node.start(tmp_path_factory.mktemp("node"))
    except MissingPrograms as error:
        pytest.skip(str(error))
    try:
        with node.enter():
            yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def kubernetes_cluster(request: pytest.FixtureRequest) -> Iterator[Installed]:
    """Swell on that node, or on the cluster of SWELL_TEST_KUBECONFIG."""
    from swell.testing.kubernetes import KUBECONFIG, install_on, installed_elsewhere

    if kubeconfig := os.environ.get(KUBECONFIG):
        with installed_elsewhere(Path(kubeconfig)) as cluster:
            yield cluster
    else:
        yield install_on(request.getfixturevalue("node"), request.getfixturevalue("archives"))
