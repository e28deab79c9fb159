"""The embedded cluster's folders, ports and lock."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from swell.local import cluster
from swell.local.cluster import AlreadyRunning, NoCluster, PortTaken


def test_a_state_is_held_by_one_process_and_says_who_has_it(tmp_path: Path) -> None:
    with cluster.locked(tmp_path):
        config = cluster.prepare(tmp_path, gateway_port=0, via_rest=False)
        assert cluster.is_running(tmp_path)
        with pytest.raises(AlreadyRunning) as caught, cluster.locked(tmp_path):
            pass
    assert f"process {config.pid}" in str(caught.value)
    assert config.gateway_url in str(caught.value)
    assert "--state DIR" in str(caught.value)
    assert not cluster.is_running(tmp_path)


def test_a_gateway_port_that_is_taken_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((cluster.LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} for the gateway is taken.*--port"):
            cluster.prepare(tmp_path, gateway_port=port, via_rest=False)


def test_ports_stay_over_restarts_so_that_kubeconfigs_and_pod_templates_stay_true(tmp_path: Path) -> None:
    first = cluster.prepare(tmp_path, gateway_port=0, via_rest=False)
    second = cluster.prepare(tmp_path, gateway_port=0, via_rest=False)
    assert (first.admin_port, first.api_port, first.autoscaler_port) == (
        second.admin_port,
        second.api_port,
        second.autoscaler_port,
    )
    assert len({second.gateway_port, second.admin_port, second.api_port, second.autoscaler_port}) == 4


def test_a_long_state_path_gets_a_short_folder_for_its_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    config = cluster.prepare(deep, gateway_port=0, via_rest=False)
    assert len(str(config.link_socket)) < 104
    assert config.database.parent == deep


def test_a_state_without_a_cluster_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(NoCluster, match="swell up --state"):
        cluster.load(tmp_path)


def test_the_default_state_can_be_moved() -> None:
    assert cluster.default_state({"SWELL_STATE": "/a"}) == Path("/a")
    assert cluster.default_state({"HOME": "/h"}) == Path("/h/.local/share/swell")
    assert cluster.default_state({"HOME": "/h", "XDG_DATA_HOME": "/x"}) == Path("/x/swell")
