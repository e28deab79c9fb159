"""How the programs start on Kubernetes: what is wrong is one line and exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def _start(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", program],
        env={"PATH": os.environ["PATH"], "POD_NAME": "me", "POD_IP": "127.0.0.1", **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("program", ["activator", "autoscaler", "controller"])
def test_an_api_that_is_named_wrongly_is_refused(program: str) -> None:
    done = _start(program, SWELL_KUBE="nowhere")
    assert done.returncode == 1
    assert done.stderr == f"{program}: SWELL_KUBE='nowhere' is not usable: in-cluster or kubeconfig:PATH\n"


@pytest.mark.parametrize("program", ["activator", "autoscaler", "controller"])
def test_outside_a_cluster_it_says_so(program: str) -> None:
    done = _start(program)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{program}: ")


@pytest.mark.parametrize("program", ["autoscaler", "controller"])
def test_an_election_needs_a_name(program: str) -> None:
    done = _start(program, SWELL_LEADER_ELECTION="true", POD_NAME="")
    assert done.returncode == 1
    assert "POD_NAME=''" in done.stderr
