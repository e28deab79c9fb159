"""Which cluster a command talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.cli.context import NoCluster, find_kubeconfig


def test_the_option_wins_over_the_environment(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    found = find_kubeconfig(str(tmp_path / "a"), {"KUBECONFIG": str(tmp_path / "b")})
    assert found == tmp_path / "a"


def test_of_several_paths_the_first_that_exists_counts(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    assert find_kubeconfig(None, {"KUBECONFIG": f"{tmp_path}/a:{tmp_path}/b"}) == tmp_path / "b"


def test_a_kubeconfig_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoCluster, match="a does not exist"):
        find_kubeconfig(None, {"KUBECONFIG": f"{tmp_path}/a"})


def test_the_usual_place_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    assert find_kubeconfig(None, {"HOME": str(tmp_path)}) == tmp_path / ".kube" / "config"
