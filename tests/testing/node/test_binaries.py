"""The Kubernetes programs are built once, by whoever comes first, with a `go` that only writes down what it is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from swell.testing.node.binaries import MODULE, NODE_PROGRAMS

GO = """#!/bin/sh
echo "$@" >> {calls}
test -e {broken} && echo "no network" && exit 1
while [ "$1" != -o ]; do shift; done
folder=$2; shift 2
for package; do echo "$package" > "$folder/${{package##*/}}"; done
"""
ASK = "from swell.testing.node import binaries; print(binaries.node_programs())"


class Machine:
    """A cache and a `go` of its own."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.broken = folder / "broken"
        self.cache = folder / "cache"
        go = folder / "bin/go"
        go.parent.mkdir()
        go.write_text(GO.format(calls=self.calls, broken=self.broken))
        go.chmod(0o755)
        self._environ = {**os.environ, "PATH": f"{go.parent}:/usr/bin:/bin", "SWELL_CACHE": str(self.cache)}

    def ask(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", ASK],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_two_that_come_at_once_get_one_build(machine: Machine) -> None:
    asked = [machine.ask() for _ in range(2)]
    answers = {process.communicate()[0].strip() for process in asked}
    assert len(answers) == 1
    folder = Path(answers.pop())
    assert sorted(path.name for path in folder.iterdir()) == sorted(NODE_PROGRAMS)
    assert len(machine.calls.read_text().splitlines()) == 1


def test_the_version_of_the_modules_is_in_the_programs_and_in_the_folder(machine: Machine) -> None:
    found = re.search(r"k8s.io/kubernetes (v1\.(\d+)\.\d+)", (MODULE / "go.mod").read_text())
    assert found is not None
    folder, _ = machine.ask().communicate()
    command = machine.calls.read_text()
    assert f"{machine.cache}/kubernetes/{found[1]}/" in folder
    assert f"-X k8s.io/component-base/version.gitVersion={found[1]} " in command
    assert f"-X k8s.io/client-go/pkg/version.gitMinor={found[2]} " in command


def test_every_module_of_kubernetes_is_replaced_by_the_same_release() -> None:
    text = (MODULE / "go.mod").read_text()
    found = re.search(r"k8s.io/kubernetes v1\.(\S+)", text)
    assert found is not None
    assert set(re.findall(r"=> k8s\.io/\S+ v0\.(\S+)", text)) == {found[1]}


def test_a_build_that_fails_shows_why_and_leaves_nothing_so_that_the_next_can_succeed(machine: Machine) -> None:
    machine.broken.touch()
    process = machine.ask()
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "no network" in errors
    assert [path for path in machine.cache.rglob("*") if not path.name.endswith(".lock") and path.is_file()] == []

    machine.broken.unlink()
    process = machine.ask()
    process.communicate()
    assert process.returncode == 0
