"""The embedded cluster's folders, ports and lock."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from swell.local import cluster
from swell.local.cluster import AlreadyRunning, NoCluster, StateUnusable
from swell.local.ports import LOOPBACK, PortRefused, PortTaken, Reserved, port_error
from swell.local.up import main


def test_a_state_is_held_by_one_process_and_says_who_has_it(tmp_path: Path) -> None:
    with cluster.locked(tmp_path):
        config = cluster.prepare(tmp_path, Reserved(), gateway_port=0, via_rest=False)
        assert cluster.is_running(tmp_path)
        with pytest.raises(AlreadyRunning) as caught, cluster.locked(tmp_path):
            pass
    assert f"process {config.pid}" in str(caught.value)
    assert config.gateway_url in str(caught.value)
    assert "--state DIR" in str(caught.value)
    assert not cluster.is_running(tmp_path)


def test_a_gateway_port_that_is_taken_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} for the gateway is taken.*--port"):
            cluster.prepare(tmp_path, Reserved(), gateway_port=port, via_rest=False)


def test_ports_stay_over_restarts_so_that_kubeconfigs_and_pod_templates_stay_true(tmp_path: Path) -> None:
    first = cluster.prepare(tmp_path, Reserved(), gateway_port=0, via_rest=False)
    second = cluster.prepare(tmp_path, Reserved(), gateway_port=0, via_rest=False)
    assert (first.admin_port, first.api_port, first.autoscaler_port) == (
        second.admin_port,
        second.api_port,
        second.autoscaler_port,
    )
    assert len({second.gateway_port, second.admin_port, second.api_port, second.autoscaler_port}) == 4


def test_a_port_of_a_cluster_that_starts_is_no_other_clusters_even_if_nobody_listens_there_yet(tmp_path: Path) -> None:
    with closing(Reserved()) as reserved:
        first = cluster.prepare(tmp_path, reserved, gateway_port=0, via_rest=False)
        (tmp_path / "other").mkdir()
        shutil.copy(tmp_path / "cluster.json", tmp_path / "other")
        other = cluster.prepare(tmp_path / "other", Reserved(), gateway_port=0, via_rest=False)
        assert other.admin_port != first.admin_port
        asked = cluster.prepare(tmp_path / "asked", Reserved(), gateway_port=first.admin_port, via_rest=False)
        assert asked.gateway_port == first.admin_port, "who asks for one gets it, or hears why not"
    assert Reserved().choose(first.admin_port) == first.admin_port


def test_a_long_state_path_gets_a_short_folder_for_its_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    config = cluster.prepare(deep, Reserved(), gateway_port=0, via_rest=False)
    try:
        assert len(str(config.link_socket)) < 104
        assert config.database.parent == deep
        again = cluster.prepare(deep, Reserved(), gateway_port=0, via_rest=False)
        assert again.run == config.run, "what a killed start left is used again"
    finally:
        cluster.remove_run_folder(config)
    assert not Path(config.run).exists()


def test_only_a_folder_of_ours_outside_of_the_state_is_removed(tmp_path: Path) -> None:
    config = cluster.prepare(tmp_path, Reserved(), gateway_port=0, via_rest=False)
    cluster.remove_run_folder(config)
    assert Path(config.run).is_dir()


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_there_is_not_is_refused(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path), "--port", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"swell: there is no port {port} for the gateway: choose one from 1 to 65535 with --port PORT\n"
    )


def test_a_port_for_the_system_only_is_told_apart_from_one_that_is_taken() -> None:
    refused = port_error(80, "the gateway", "--port PORT", PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(refused, PortRefused)
    assert str(refused) == "port 80 for the gateway is not for this user: choose one from 1024 on with --port PORT"


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/nowhere"])
def test_a_state_that_cannot_be_written_is_one_line(
    tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    state = tmp_path / where
    assert main(["--state", str(state), "--port", "0"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"swell: {state} cannot hold a cluster's state (")
    assert told.endswith("): choose another folder with --state DIR\n")
    assert told.count("\n") == 1
    assert not cluster.is_running(state)


@pytest.mark.parametrize("content", ['{"state": "/a", "ru', "[]", "{}", '{"gateway_port": "x"}'])
def test_a_damaged_configuration_names_the_file_to_delete(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cluster.json"
    path.write_text(content)
    with pytest.raises(StateUnusable, match=f"{path} is damaged .*: delete it"):
        cluster.load(tmp_path)
    path.unlink()
    cluster.prepare(tmp_path, Reserved(), gateway_port=0, via_rest=False)


def test_what_another_version_wrote_besides_is_left_out(tmp_path: Path) -> None:
    config = cluster.prepare(tmp_path, Reserved(), gateway_port=0, via_rest=False)
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "blue"}))
    assert cluster.load(tmp_path) == config


# As in a terminal: what a shell has put into the background inherits that SIGINT is ignored.
STOPPED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from swell.local import up
def interrupted(config):
    signal.raise_signal(signal.SIGINT)
up._prepare_files = interrupted
sys.exit(up.main(["--state", sys.argv[1], "--port", "0"]))
"""


def test_ctrl_c_before_the_host_runs_says_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(deep)], capture_output=True, text=True, timeout=30, env=environ
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert [path.name for path in tmp_path.glob("swell-run-*")] == []


def test_a_state_without_a_cluster_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(NoCluster, match="swell up --state"):
        cluster.load(tmp_path)


def test_the_default_state_can_be_moved() -> None:
    assert cluster.default_state({"SWELL_STATE": "/a"}) == Path("/a")
    assert cluster.default_state({"HOME": "/h"}) == Path("/h/.local/share/swell")
    assert cluster.default_state({"HOME": "/h", "XDG_DATA_HOME": "/x"}) == Path("/x/swell")
