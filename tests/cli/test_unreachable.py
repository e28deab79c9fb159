"""Asking an autoscaler that cannot be asked: one line, with what to do about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swell.api.buckets import Share
from swell.api.crds import definitions
from swell.api.kinds import LEASE
from swell.cli.reach import SYSTEM_NAMESPACE, NoAutoscaler, direct, of_owners
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.runtime.clock import SystemClock
from swell.testing.peers import free_port


@pytest.fixture
def kube() -> Any:
    server = ApiServer(open_store(":memory:"), clock=SystemClock())
    bootstrap(server, definitions(), [SYSTEM_NAMESPACE])
    return StoreClient(server)


async def test_on_one_machine_it_asks_whether_the_cluster_runs() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NoAutoscaler) as told:
        await direct(url)("/why/default/hello-00001")
    assert str(told.value).startswith(f"the autoscaler at {url} does not answer (")
    assert str(told.value).endswith("); is `swell up` still running?")


async def test_in_a_cluster_without_a_lease_it_points_to_the_status(kube: Any) -> None:
    with pytest.raises(
        NoAutoscaler, match=r'which autoscaler leads cannot be read: .*"autoscaler-bucket-00-of-01".*`swell status`'
    ):
        await of_owners(kube, SYSTEM_NAMESPACE)("/why/default/hello-00001")


async def test_where_no_autoscaler_leads_it_points_to_the_status(kube: Any) -> None:
    await kube.create(LEASE, {"metadata": {"name": Share().name, "namespace": SYSTEM_NAMESPACE}, "spec": {}})
    with pytest.raises(NoAutoscaler, match="^no autoscaler leads now; see `swell status`$"):
        await of_owners(kube, SYSTEM_NAMESPACE)("/why/default/hello-00001")


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: me, user: {}}]
"""


def test_of_a_cluster_that_is_away_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "config").write_text(KUBECONFIG % port)
    command = [sys.executable, "-m", "swell.cli.main", "why", "hello", "--kubeconfig", str(tmp_path / "config")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    (line,) = told.stderr.splitlines()
    assert told.returncode == 1
    assert line.startswith(f"swell: the API server http://127.0.0.1:{port} cannot be reached: ")
