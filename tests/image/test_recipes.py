"""What goes into the images, as far as it can be told without making one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from image import debian, recipes, wheels

PROJECT = Path(__file__).parents[2]


def instructions(containerfile: str) -> list[tuple[str, str]]:
    """Instructions and their text, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", containerfile)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def pairs(text: str) -> dict[str, str]:
    return dict(re.findall(r'([\w.-]+)="([^"]*)"', text))


def test_the_containerfile_and_the_script_make_the_same_image() -> None:
    stages = instructions((PROJECT / "Containerfile").read_text())
    result = dict(stages[stages.index(("FROM", "scratch")) :])

    assert pairs(result["ENV"]) == recipes.ENVIRONMENT
    assert pairs(result["LABEL"]) == recipes.labels()
    assert json.loads(result["ENTRYPOINT"]) == list(recipes.PROGRAM)
    assert result["USER"] == recipes.USER


def test_the_engine_is_given_all_that_the_wheel_is_made_of() -> None:
    given = {line[1:] for line in (PROJECT / ".containerignore").read_text().splitlines() if line.startswith("!")}

    assert {path.relative_to(PROJECT).as_posix() for path in recipes.WHEEL_SOURCES} | {"image"} == given


def test_the_image_has_what_the_programs_need_and_not_what_the_command_line_needs() -> None:
    names = {re.split(r"[^\w-]", line)[0] for line in wheels.requirements(PROJECT)}

    assert {"aiohttp", "numpy", "uvloop"} <= names
    assert not names & {"rich", "typer", "pytest"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "lib/libc.so.6",
        "usr/bin/python3.11",
        "usr/bin/perl",
        "usr/lib/python3.11/os.py",
        "usr/share/man/ls.1",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "usr/lib/python3.11/test").mkdir()
    (tmp_path / "usr/lib/python3.11/test/test_os.py").write_text("")
    (tmp_path / "lib64").symlink_to("lib")
    return tmp_path


def test_pruning_leaves_what_is_kept_and_no_empty_folder(tree: Path) -> None:
    debian.prune(tree, debian.KEPT, debian.DROPPED)

    assert {path.relative_to(tree).as_posix() for path in tree.rglob("*")} == {
        "lib",
        "lib/libc.so.6",
        "lib64",
        "usr",
        "usr/bin",
        "usr/bin/python3.11",
        "usr/lib",
        "usr/lib/python3.11",
        "usr/lib/python3.11/os.py",
    }
