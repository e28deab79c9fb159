"""All tests run on the loop that the programs run on."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

import pytest
import uvloop


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
